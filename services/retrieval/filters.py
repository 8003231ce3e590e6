"""Which products may be found: brand, category subtree, price and availability of one region."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.common.errors import Violation
from services.retrieval.product import Money
from services.retrieval.validation import (
    ProductLimits,
    category_violations,
    money_violations,
    too_long,
    too_many,
)

MAX_VALUES: Final = 100
MAX_AVAILABILITIES: Final = 5
_AVAILABILITIES: Final = range(1, 5)


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
class ProductFilter:
    """All parts that are set must hold; within one list any value is enough."""

    brands: Sequence[str] = ()
    categories: Sequence[str] = ()
    price: PriceRange | None = None
    availabilities: Sequence[int] = ()


EVERYTHING: Final = ProductFilter()


def filter_violations(wanted: ProductFilter, limits: ProductLimits) -> Iterator[Violation]:
    """Every rule that a filter breaks, with the field's path in the request."""
    yield from too_many("filter.brands", len(wanted.brands), MAX_VALUES)
    for position, brand in enumerate(wanted.brands[:MAX_VALUES]):
        yield from too_long(f"filter.brands[{position}]", brand, limits.brand_characters)
    yield from too_many("filter.categories", len(wanted.categories), MAX_VALUES)
    for position, path in enumerate(wanted.categories[:MAX_VALUES]):
        yield from category_violations(f"filter.categories[{position}]", path, limits)
    yield from too_many("filter.availabilities", len(wanted.availabilities), MAX_AVAILABILITIES)
    for position, availability in enumerate(wanted.availabilities[:MAX_AVAILABILITIES]):
        if availability not in _AVAILABILITIES:
            yield Violation(f"filter.availabilities[{position}]", "must be a known availability", "OUT_OF_RANGE")
    if wanted.price is not None:
        yield from _price(wanted.price)


def _price(price: PriceRange) -> Iterator[Violation]:
    if price.lowest is None and price.highest is None:
        yield Violation("filter.price", "must have a lower or an upper bound", "REQUIRED")
    if price.lowest is not None:
        yield from money_violations("filter.price.min", price.lowest)
    if price.highest is not None:
        yield from money_violations("filter.price.max", price.highest)
    if price.lowest is None or price.highest is None:
        return
    if price.lowest.currency != price.highest.currency:
        yield Violation("filter.price.max.currency_code", "must be the currency of the lower bound", "INVALID")
    elif price.lowest.amount > price.highest.amount:
        yield Violation("filter.price.max", "must not be below the lower bound", "OUT_OF_RANGE")
