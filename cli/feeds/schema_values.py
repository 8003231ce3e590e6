"""Values of schema.org, each of which may be a text, a node, or a list of either."""

import re
from decimal import Decimal
from typing import Any, Final

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(?:[.,][0-9]{1,18})?")
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
    """A QuantitativeValue or PropertyValue as a number with its unit; otherwise its text."""
    if not isinstance(value, dict):
        return first_text(value)
    number, unit = amount_text(value.get("value")), first_text(value.get("unitCode"))
    unit = _UNITS.get(unit, first_text(value.get("unitText")) or unit)
    return {"numbers": [float(number)], "unit": unit} if number is not None and unit else first_text(value.get("value"))
