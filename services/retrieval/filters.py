"""Which products may be found: conditions on brand, category, offer, rating and attributes, and groups of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.retrieval.product import Money


@dataclass(frozen=True, slots=True)
class PriceRange:
    """A range of prices, both ends included; at least one is set, and both are of one currency."""

    lowest: Money | None = None
    highest: Money | None = None

    @property
    def currency(self) -> str:
        """The currency that a price must be in."""
        bound = self.lowest or self.highest
        return bound.currency if bound is not None else ""


@dataclass(frozen=True, slots=True)
class NumberRange:
    """A range of numbers, both ends included; at least one is set."""

    lowest: float | None = None
    highest: float | None = None
    unit: str = ""
    """Of the bounds; empty = the declared one."""


@dataclass(frozen=True, slots=True)
class AttributeCondition:
    """What one attribute must be: exactly one of texts, range and flag is set."""

    name: str
    texts: Sequence[str] | None = None
    range: NumberRange | None = None
    flag: bool | None = None


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """All parts that are set must hold; within one list any value is enough."""

    brands: Sequence[str] = ()
    categories: Sequence[str] = ()
    price: PriceRange | None = None
    availabilities: Sequence[int] = ()
    rating: NumberRange | None = None
    attributes: Sequence[AttributeCondition] = ()
    any: Sequence["ProductFilter"] = ()
    """Groups of which at least one must hold."""
    none: Sequence["ProductFilter"] = ()
    """Groups of which none may hold."""


EVERYTHING: Final = ProductFilter()


def groups_of(wanted: ProductFilter, field: str) -> Iterator[tuple[str, ProductFilter]]:
    """The groups of a filter, each with its path in the request; `field` is the filter's own path."""
    for name, groups in (("any", wanted.any), ("none", wanted.none)):
        for position, group in enumerate(groups):
            yield f"{field}.{name}[{position}]", group


def condition_count(wanted: ProductFilter) -> int:
    """Conditions of a filter, those of its groups included."""
    single = (wanted.brands, wanted.categories, wanted.price, wanted.availabilities, wanted.rating)
    own = sum(bool(part) for part in single) + len(wanted.attributes)
    return own + sum(condition_count(group) for _, group in groups_of(wanted, ""))


def names_availability(wanted: ProductFilter) -> bool:
    """Whether a filter or one of its groups is about availability."""
    return bool(wanted.availabilities) or any(names_availability(group) for _, group in groups_of(wanted, ""))


def without_field(wanted: ProductFilter, field: str) -> ProductFilter:
    """The filter without its own condition on a facet's field; its groups stay as they are."""
    match field:
        case "brand":
            return replace(wanted, brands=())
        case "category":
            return replace(wanted, categories=())
        case "price":
            return replace(wanted, price=None)
        case "availability":
            return replace(wanted, availabilities=())
        case "rating":
            return replace(wanted, rating=None)
        case _:
            name = field.removeprefix("attributes.")
            kept = tuple(condition for condition in wanted.attributes if condition.name != name)
            return replace(wanted, attributes=kept)
