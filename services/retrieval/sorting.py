"""Orders that a shopper chooses: by one value, products without it last, ties by product id."""

from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum

from services.retrieval.prices import currency_of_most
from services.retrieval.product_index import CREATED, PRICE, RATING, SALES, Facts, Hit


class SortOrder(IntEnum):
    """Numbers as in zhiyin.common.v1.SortOrder."""

    RELEVANCE = 1
    PRICE_ASCENDING = 2
    PRICE_DESCENDING = 3
    NEWEST = 4
    BEST_SELLING = 5
    BEST_RATED = 6


Key = tuple[float, ...]
"""Smaller comes first; empty = the value is not known."""
_FACTS: dict[SortOrder, frozenset[str]] = {
    SortOrder.RELEVANCE: frozenset(),
    SortOrder.PRICE_ASCENDING: frozenset({PRICE}),
    SortOrder.PRICE_DESCENDING: frozenset({PRICE}),
    SortOrder.NEWEST: frozenset({CREATED}),
    SortOrder.BEST_SELLING: frozenset({SALES}),
    SortOrder.BEST_RATED: frozenset({RATING}),
}


def facts_of(order: SortOrder) -> frozenset[str]:
    """The facts that an order compares."""
    return _FACTS[order]


def ordered(hits: Iterable[Hit], order: SortOrder) -> list[Hit]:
    """Products in any order but RELEVANCE, which is not one value's."""
    found = list(hits)
    key = _key(order, found)
    keyed = [(key(hit.facts), hit) for hit in found]
    keyed.sort(key=lambda pair: (not pair[0], pair[0], pair[1].product_id))
    return [hit for _, hit in keyed]


def _key(order: SortOrder, hits: Sequence[Hit]) -> Callable[[Facts], Key]:
    if order in {SortOrder.PRICE_ASCENDING, SortOrder.PRICE_DESCENDING}:
        currency = currency_of_most(hits)
        sign = 1.0 if order is SortOrder.PRICE_ASCENDING else -1.0
        return lambda facts: (sign * facts.price,) if facts.currency and facts.currency == currency else ()
    if order is SortOrder.NEWEST:
        return lambda facts: () if facts.created is None else (-facts.created,)
    if order is SortOrder.BEST_SELLING:
        return lambda facts: () if facts.sales is None else (-facts.sales,)
    return lambda facts: () if facts.rating is None else (-facts.rating, -facts.rating_count)
