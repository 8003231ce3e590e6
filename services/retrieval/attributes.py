"""Declared attributes: which of a product's attributes mean something to searches, and what."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from services.common.errors import Violation
from services.retrieval.product import AttributeValue, Product
from services.retrieval.units import convert

ATTRIBUTE_FIELD: Final = "attributes."
"""What an attribute's name follows in the name of a facet's or a filter's field."""


class AttributeType(Enum):
    """What the values of an attribute are."""

    TEXT = auto()
    NUMBER = auto()
    BOOLEAN = auto()


@dataclass(frozen=True, slots=True)
class AttributeDeclaration:
    """One attribute of a catalogue."""

    name: str
    type: AttributeType
    unit: str = ""
    """Unit that numbers are compared in; empty = bare numbers."""
    searchable: bool = False
    filterable: bool = False
    facetable: bool = False

    @property
    def in_payload(self) -> bool:
        """Whether the index keeps its values."""
        return self.filterable or self.facetable


Declarations = Mapping[str, AttributeDeclaration]
"""By the attribute's name."""
NONE_DECLARED: Final[Declarations] = {}

_NO_VALUE: Final = AttributeValue()
_HELD: Final = {AttributeType.TEXT: "texts", AttributeType.NUMBER: "numbers", AttributeType.BOOLEAN: "a flag"}


def searchable_texts(product: Product, declarations: Declarations) -> list[str]:
    """Texts that searches read, in the order in which their attributes were declared."""
    return [
        text
        for declared in declarations.values()
        if declared.searchable and declared.type is AttributeType.TEXT
        for text in _value(product, declared.name).texts
    ]


def indexed_values(product: Product, declarations: Declarations) -> dict[str, list[str] | list[float]]:
    """What the index keeps, by the attribute's name: texts, numbers in the declared unit, or `true` / `false`.

    Values that do not fit a declaration which was made after them are left out.
    """
    kept = {
        declared.name: _indexed(_value(product, declared.name), declared)
        for declared in declarations.values()
        if declared.in_payload
    }
    return {name: values for name, values in kept.items() if values}


def attribute_violations(product: Product, declarations: Declarations) -> Iterator[Violation]:
    """Values of declared attributes that are of another type, in a unit that measures something else, or too large.

    Fields are named by position in the order of the names, as everywhere: a name is the shop's own text.
    """
    if not declarations:
        return
    for position, name in enumerate(sorted(product.attributes or {})):
        declared = declarations.get(name)
        if declared is not None:
            yield from _value_violations(f"attributes[{position}]", _value(product, name), declared)


def _value_violations(field: str, value: AttributeValue, declared: AttributeDeclaration) -> Iterator[Violation]:
    if not _has_type(value, declared.type):
        kind = declared.type.name.lower()
        yield Violation(field, f"is declared {kind}, and must hold {_HELD[declared.type]}", "WRONG_TYPE")
    elif value.numbers and _converted(value, declared) is None:
        wanted = f"what `{declared.unit}` measures" if declared.unit else "bare numbers"
        broken = f"must be a known unit of {wanted}, in which no number is too large"
        yield Violation(f"{field}.unit", broken, "WRONG_UNIT")


def _value(product: Product, name: str) -> AttributeValue:
    return (product.attributes or {}).get(name, _NO_VALUE)


def _has_type(value: AttributeValue, wanted: AttributeType) -> bool:
    if wanted is AttributeType.TEXT:
        return bool(value.texts)
    return bool(value.numbers) if wanted is AttributeType.NUMBER else value.flag is not None


def _indexed(value: AttributeValue, declared: AttributeDeclaration) -> list[str] | list[float]:
    if declared.type is AttributeType.TEXT:
        return list(value.texts)
    if declared.type is AttributeType.NUMBER:
        return _converted(value, declared) or []
    return [] if value.flag is None else ["true" if value.flag else "false"]


def _converted(value: AttributeValue, declared: AttributeDeclaration) -> list[float] | None:
    """Numbers in the declared unit, which bare ones are in already; None where one of them cannot be said in it."""
    unit = value.unit or declared.unit
    numbers = [convert(number, unit, declared.unit) for number in value.numbers]
    return None if None in numbers else [number for number in numbers if number is not None]
