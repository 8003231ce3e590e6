"""Conditions on attributes as options write them; what a value is, the catalogue's settings say."""

from collections.abc import Mapping
from typing import Final

from cli.problems import FieldError
from cli.ranges import number_range
from cli.running import USAGE, CommandFailed
from cli.settings_file import type_name
from zhiyin.common.v1.catalog_settings_pb2 import AttributeDeclaration, AttributeType, AttributeUse, CatalogSettings
from zhiyin.common.v1.filter_pb2 import AttributeCondition, TextValues

_FLAGS: Final = {"yes": True, "true": True, "no": False, "false": False}


def attribute_conditions(options: list[str], settings: CatalogSettings) -> list[AttributeCondition]:
    """The conditions that `--attribute` asks for.

    Raises:
        CommandFailed: one is no condition, its attribute is not declared, or its value is of another type.
    """
    declared = {each.name: each for each in settings.attributes}
    return [_condition(option, declared) for option in options]


def _condition(option: str, declared: Mapping[str, AttributeDeclaration]) -> AttributeCondition:
    name, sign, value = (part.strip() for part in option.partition("="))
    if not (name and sign and value):
        raise CommandFailed("--attribute: write it as name=value, such as size=42 or weight=1..2 kg", USAGE)
    if name not in declared:
        raise CommandFailed(f"--attribute {name}: is not declared; {_choices(declared)}", USAGE)
    try:
        return _typed(name, declared[name].type, value)
    except FieldError as exc:
        kind = type_name(declared[name].type)
        raise CommandFailed(f"--attribute {name}: {exc.description} (it is declared as {kind})", USAGE) from exc


def _typed(name: str, kind: "AttributeType.ValueType", value: str) -> AttributeCondition:
    match kind:
        case AttributeType.ATTRIBUTE_TYPE_NUMBER:
            return AttributeCondition(name=name, range=number_range(value))
        case AttributeType.ATTRIBUTE_TYPE_BOOLEAN:
            if value.lower() not in _FLAGS:
                raise FieldError("", "neither yes nor no")
            return AttributeCondition(name=name, flag=_FLAGS[value.lower()])
        case _:
            values = [part.strip() for part in value.split("|") if part.strip()]
            return AttributeCondition(name=name, texts=TextValues(values=values))


def _choices(declared: Mapping[str, AttributeDeclaration]) -> str:
    usable = [name for name, each in declared.items() if AttributeUse.ATTRIBUTE_USE_FILTERABLE in each.uses]
    return f"filters can name {', '.join(usable)}" if usable else "the catalogue declares none that filters can name"
