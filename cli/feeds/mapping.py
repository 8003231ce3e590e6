"""A shop's own columns as ours, by a mapping file: TOML, or JSON of the same shape.

ignore = ["internal_code"]

[columns]
artnr = "id"
bezeichnung = "title"
bild1 = "images"
bild2 = "images"

[constants]
language_code = "de"

[defaults]
availability = "in_stock"
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cli.rows import FieldMapping, FileError

_PARTS: Final = {"columns": dict, "constants": dict, "defaults": dict, "ignore": list}
_LISTS: Final = frozenset({"images", "categories"})
"""Fields that several columns may fill together."""
IDENTITY: Final = FieldMapping()


def read_mapping(path: Path) -> FieldMapping:
    """Reads a mapping file.

    Raises:
        FileError: it cannot be read, or is no mapping.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
        found = json.loads(content) if path.suffix.lower() == ".json" else tomllib.loads(content)
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror}") from exc
    except (ValueError, RecursionError):
        raise FileError(f"{path}: neither TOML nor, with the suffix .json, JSON") from None
    if not isinstance(found, dict):
        raise FileError(f"{path}: a mapping has the parts {', '.join(_PARTS)}")
    return _mapping(path, found)


def _mapping(path: Path, found: Mapping[str, Any]) -> FieldMapping:
    for name, value in found.items():
        if name not in _PARTS:
            raise FileError(f"{path}: no such part: `{name}`; there are {', '.join(_PARTS)}")
        if not isinstance(value, _PARTS[name]):
            raise FileError(f"{path}: `{name}` must be a {'list' if _PARTS[name] is list else 'table'}")
    columns, ignored = found.get("columns", {}), found.get("ignore", [])
    if not all(isinstance(name, str) for name in [*columns.values(), *ignored]):
        raise FileError(f"{path}: `columns` and `ignore` hold names")
    mapping = FieldMapping(columns, found.get("constants", {}), found.get("defaults", {}), frozenset(ignored))
    _refuse_contradictions(path, mapping)
    return mapping


def _refuse_contradictions(path: Path, mapping: FieldMapping) -> None:
    fields = list(mapping.columns.values())
    twice = {name for name in fields if fields.count(name) > 1} - _LISTS
    if twice:
        raise FileError(f"{path}: several columns for {_names(twice)}; only {_names(_LISTS)} take several")
    both = mapping.constants.keys() & {*fields, *mapping.defaults}
    if both:
        raise FileError(f"{path}: constant, and also mapped or with a default: {_names(both)}")
    ignored = mapping.columns.keys() & mapping.ignored
    if ignored:
        raise FileError(f"{path}: mapped and ignored at the same time: {_names(ignored)}")


def mapped_header(path: Path, header: tuple[str, ...], mapping: FieldMapping) -> tuple[str, ...]:
    """Our columns of a file with these, constants and defaults included.

    Raises:
        FileError: the file lacks a column that the mapping names, or two columns become one field.
    """
    missing = mapping.columns.keys() - set(header)
    if missing:
        raise FileError(f"{path}: the mapping names columns that the file has not: {_names(missing)}")
    fields = [mapping.columns.get(name, name) for name in header if name and name not in mapping.ignored]
    twice = {name for name in fields if fields.count(name) > 1} - _LISTS
    if twice:
        raise FileError(f"{path}: several columns for {_names(twice)}")
    both = mapping.constants.keys() & set(fields)
    if both:
        raise FileError(f"{path}: constant in the mapping, and a column of the file: {_names(both)}")
    return tuple(dict.fromkeys([*fields, *mapping.constants, *mapping.defaults]))


def mapped_values(values: Mapping[str, Any], mapping: FieldMapping) -> dict[str, Any]:
    """A row's values by our columns."""
    if mapping is IDENTITY:
        return dict(values)
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in mapping.ignored:
            continue
        target = mapping.columns.get(name, name)
        found[target] = [*_listed(found[target]), *_listed(value)] if target in found else value
    return {**mapping.defaults, **found, **mapping.constants}


def columns_by_field(mapping: FieldMapping) -> dict[str, str]:
    """Where each field came from, for those that the mapping renames."""
    found: dict[str, str] = {}
    for name, target in mapping.columns.items():
        if target != name:
            found.setdefault(target, name)
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
