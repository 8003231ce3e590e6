"""The file that `zhiyin settings set` reads: CatalogSettings as JSON, with short names for what its enums say.

`{"attributes": [{"name": "size", "type": "number", "unit": "cm", "uses": ["filterable", "facetable"]}]}`. What
`zhiyin settings show --json` prints is such a file too.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cli.running import USAGE, CommandFailed
from zhiyin.common.v1.catalog_settings_pb2 import AttributeDeclaration, AttributeType, AttributeUse, CatalogSettings

_OUTPUT: Final = frozenset({"version", "create_time", "createTime", "state"})
"""What only replies say; left out, so that what was shown can be set."""
_KEYS: Final = ("attributes", "etag")
_ATTRIBUTE_KEYS: Final = ("name", "type", "unit", "uses")
_TYPE: Final = "ATTRIBUTE_TYPE_"
_USE: Final = "ATTRIBUTE_USE_"


def read_settings(path: Path) -> CatalogSettings:
    """The settings in a file.

    Raises:
        CommandFailed: it cannot be read or makes no sense; every problem is named with its place.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise CommandFailed(f"{path}: {exc.strerror}", USAGE) from exc
    except UnicodeDecodeError as exc:
        raise CommandFailed(f"{path}: not UTF-8", USAGE) from exc
    except json.JSONDecodeError as exc:
        raise CommandFailed(f"{path}: not JSON at line {exc.lineno}, column {exc.colno}: {exc.msg}", USAGE) from exc
    except (ValueError, RecursionError) as exc:
        raise CommandFailed(f"{path}: not JSON", USAGE) from exc
    problems = list(_problems(content))
    if problems:
        raise CommandFailed("\n".join([f"{path}: these are no settings", *(f"  {line}" for line in problems)]), USAGE)
    return _settings(content)


def type_name(value: "AttributeType.ValueType") -> str:
    """`number`."""
    return AttributeType.Name(value).removeprefix(_TYPE).lower()


def use_name(value: "AttributeUse.ValueType") -> str:
    """`filterable`."""
    return AttributeUse.Name(value).removeprefix(_USE).lower()


_TYPES: Final = {type_name(value): value for value in AttributeType.values()[1:]}
_USES: Final = {use_name(value): value for value in AttributeUse.values()[1:]}


def _problems(content: Any) -> Iterator[str]:
    if not isinstance(content, Mapping):
        yield "must be an object with `attributes`"
        return
    yield from _unknown_keys("", content, (*_KEYS, *_OUTPUT))
    if not isinstance(content.get("etag", ""), str):
        yield "etag: must be a text"
    attributes = content.get("attributes", [])
    if not isinstance(attributes, list):
        yield "attributes: must be a list"
        return
    for position, attribute in enumerate(attributes):
        yield from _attribute_problems(f"attributes[{position}]", attribute)


def _attribute_problems(place: str, attribute: Any) -> Iterator[str]:
    if not isinstance(attribute, Mapping):
        yield f"{place}: must be an object"
        return
    yield from _unknown_keys(f"{place}.", attribute, _ATTRIBUTE_KEYS)
    if not isinstance(attribute.get("name"), str):
        yield f"{place}.name: must be given, a text"
    if not isinstance(attribute.get("unit", ""), str):
        yield f"{place}.unit: must be a text"
    if _value(attribute.get("type"), _TYPE, _TYPES) is None:
        yield f"{place}.type: must be one of {', '.join(_TYPES)}"
    uses = attribute.get("uses")
    if not isinstance(uses, list) or any(_value(use, _USE, _USES) is None for use in uses):
        yield f"{place}.uses: must be a list of {', '.join(_USES)}"


def _unknown_keys(place: str, given: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[str]:
    for key in given:
        if key not in known:
            shown = ", ".join(name for name in known if name not in _OUTPUT)
            yield f"{place}{key}: no such key; there are {shown}"


def _value(given: Any, prefix: str, known: Mapping[str, Any]) -> Any:
    """None where it is none of the known ones."""
    return known.get(given.removeprefix(prefix).lower()) if isinstance(given, str) else None


def _settings(content: Mapping[str, Any]) -> CatalogSettings:
    attributes = [
        AttributeDeclaration(
            name=given["name"],
            type=_value(given["type"], _TYPE, _TYPES),
            unit=given.get("unit", ""),
            uses=[_value(use, _USE, _USES) for use in given["uses"]],
        )
        for given in content.get("attributes", [])
    ]
    return CatalogSettings(attributes=attributes, etag=content.get("etag", ""))
