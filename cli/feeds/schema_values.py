"""Values of schema.org, each of which may be a text, a node, or a list of either."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(?:[.,][0-9]{1,18})?")
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:[.,'’\s][0-9]{3})+")
_UNITS: Final = {
    "KGM": "kg",
    "GRM": "g",
    "MGM": "mg",
    "LBR": "lb",
    "ONZ": "oz",
    "MTR": "m",
    "CMT": "cm",
    "MMT": "mm",
    "INH": "in",
    "FOT": "ft",
    "LTR": "l",
    "MLT": "ml",
    "CLT": "cl",
}
"""UN/CEFACT Recommendation 20."""
_TEXT_KEYS: Final = ("name", "value", "@value", "url")


def listed(value: Any) -> list[Any]:
    """A value as the list that it stands for."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def first(value: Any) -> Any:
    """The value, or the first one of a list."""
    found = listed(value)
    return found[0] if found else None


def first_text(value: Any) -> str:
    """A text, or the name or value of a node; empty where there is none."""
    found = first(value)
    if isinstance(found, dict):
        found = next((first(found[key]) for key in _TEXT_KEYS if found.get(key) is not None), None)
    if isinstance(found, bool) or not isinstance(found, str | int | Decimal):
        return ""
    return str(found).strip()


def amount_text(value: Any) -> Decimal | None:
    """A number of a rating or a measure, which groups no thousands: `.` and `,` are both decimal signs.

    None where it is none.
    """
    text = first_text(value)
    return Decimal(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


def local_name(name: str) -> str:
    """`https://schema.org/InStock`, `schema:InStock` and `InStock` are one name."""
    return re.split(r"[/#:]", name.rstrip("/"))[-1]


def types_of(node: Any) -> frozenset[str]:
    """Names of a node's types."""
    return frozenset(local_name(name) for name in listed(node.get("@type")) if isinstance(name, str))


def measure(value: Any) -> Any:
    """A QuantitativeValue as a number with its unit; otherwise its text."""
    if not isinstance(value, dict):
        return first_text(value)
    return _with_unit([value]) or first_text(value.get("value"))


def property_value(entries: Sequence[Mapping[str, Any]]) -> Any:
    """The PropertyValues of one name (https://schema.org/PropertyValue), whose values may be lists, as an attribute.

    Numbers with their unit; a yes or no; numbers where all are numbers of JSON; otherwise texts. None where there are
    no values.
    """
    if measured := _with_unit(entries):
        return measured
    values = [item for entry in entries for item in listed(entry.get("value"))]
    if len(values) == 1 and isinstance(values[0], bool):
        return values[0]
    is_bare = not any(_unit(entry) for entry in entries)
    if values and is_bare and all(isinstance(item, int | Decimal) and not isinstance(item, bool) for item in values):
        return values
    return list(dict.fromkeys(text for entry in entries for text in _property_texts(entry) if text)) or None


def _property_texts(entry: Mapping[str, Any]) -> Iterator[str]:
    for item in listed(entry.get("value")):
        text = str(item).lower() if isinstance(item, bool) else first_text(item)
        yield f"{text} {_unit(entry)}".strip() if text else ""


def count_text(value: Any) -> str:
    """A whole number, whose thousands may be grouped: of a count every sign between digits groups them."""
    text = first_text(value)
    return re.sub(r"[^0-9]", "", text) if _GROUPED.fullmatch(text) else text


def _with_unit(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Values that are numbers of one unit."""
    units = {_unit(entry) for entry in entries}
    numbers = [amount_text(item) for entry in entries for item in listed(entry.get("value"))]
    if len(units) != 1 or "" in units or not numbers or None in numbers:
        return None
    return {"numbers": [float(number) for number in numbers if number is not None], "unit": units.pop()}


def _unit(entry: Mapping[str, Any]) -> str:
    code = first_text(entry.get("unitCode"))
    return _UNITS.get(code, first_text(entry.get("unitText")) or code)
