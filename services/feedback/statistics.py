"""What is known of products: counts, smoothed rates, popularity."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeAlias

from services.feedback.catalogs import catalog_named
from services.feedback.counting import Action
from services.feedback.decay import POPULAR_HALF_LIFE, TRENDING_HALF_LIFE, WEEK_HALF_LIFE, value_at
from services.feedback.statistics_requests import check_product_ids
from services.feedback.statistics_turn import today

Product: TypeAlias = tuple[str, str]
"""Catalogue and product id."""

_PORTION: Final = 500
_HALF_LIVES: Final = (TRENDING_HALF_LIFE, WEEK_HALF_LIFE, POPULAR_HALF_LIFE)


@dataclass(frozen=True, slots=True)
class CountRow:
    """One action of one product, as it is kept."""

    action: int
    count: int
    quantity: int
    decayed: tuple[float, float, float]
    """With half-lives of 1, 7 and 30 days, as of `as_of`."""
    as_of: float
    """Days since 1970."""


class PopularityRow(NamedTuple):
    """A product's weighted actions, as they are kept."""

    trending: float
    popular: float
    as_of: float


@dataclass(frozen=True, slots=True)
class ProductRows:
    """What is kept of products and of their catalogues."""

    counts: Mapping[Product, Sequence[CountRow]]
    popularity: Mapping[Product, PopularityRow]
    totals: Mapping[tuple[str, int], int]
    """Count of an action over all products of a catalogue."""


class ProductTables(Protocol):
    """Where the statistics of products are kept."""

    async def rows(self, products: Sequence[Product]) -> ProductRows:
        """Of these products and their catalogues. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class ActionCount:
    """How often one thing was done."""

    action: int
    count: int
    quantity: int
    decayed: tuple[float, ...]
    """With half-lives of 1, 7 and 30 days, as of now."""


@dataclass(frozen=True, slots=True)
class ProductStatistics:
    """What is known of one product, without what programs did."""

    product_id: str
    actions: tuple[ActionCount, ...] = ()
    impression_count: int = 0
    click_through_rate: float = 0.0
    add_to_cart_rate: float = 0.0
    purchase_rate: float = 0.0
    trending_score: float = 0.0
    popularity_score: float = 0.0


class Statistics:
    """Statistics of the products of all catalogues, as of now."""

    def __init__(
        self, tables: ProductTables, *, prior: float, max_products: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._tables = tables
        self._prior = prior
        self.max_products = max_products
        self._clock = clock

    async def of(self, catalog: str, product_ids: Sequence[str]) -> list[ProductStatistics]:
        """Statistics in the order of the ids; zeros for a product that nobody has seen.

        Raises:
            InvalidArgument: names the field.
            Unavailable: the database is away.
        """
        catalog = catalog_named(catalog)
        check_product_ids(product_ids, self.max_products)
        return await self.of_products([(catalog, product_id) for product_id in product_ids])

    async def of_products(self, products: Sequence[Product]) -> list[ProductStatistics]:
        """As `of`, of products that are known to be well named; of many in portions, so that other calls go on."""
        statistics: list[ProductStatistics] = []
        for start in range(0, len(products), _PORTION):
            portion = products[start : start + _PORTION]
            rows, day = await self._tables.rows(portion), today(self._clock)
            statistics.extend(_statistics(product, rows, day, self._prior) for product in portion)
        return statistics


def smoothed_rate(count: int, out_of: int, own: float, prior: float) -> float:
    """(count + m p) / (out_of + m), 1 at most.

    The mean of a Beta distribution of weight m around the catalogue's own rate p, after `count` of `out_of`: few
    observations say little, and none says p.
    """
    return min(1.0, (count + prior * own) / (out_of + prior))


def _statistics(product: Product, rows: ProductRows, day: float, prior: float) -> ProductStatistics:
    kept = [row for row in rows.counts.get(product, ()) if row.count > 0]
    if not kept:
        return ProductStatistics(product[1])
    counts: dict[int, int] = defaultdict(int, {row.action: row.count for row in kept})
    totals = {action: rows.totals.get((product[0], action), 0) for action in Action}
    popularity = rows.popularity[product]

    def rate(action: Action, out_of: Action) -> float:
        own = min(1.0, totals[action] / totals[out_of]) if totals[out_of] else 0.0
        return smoothed_rate(counts[action], counts[out_of], own, prior)

    return ProductStatistics(
        product[1],
        tuple(_actions(kept, day)),
        counts[Action.SHOWN],
        rate(Action.CLICK, Action.SHOWN),
        rate(Action.ADD_TO_CART, Action.DETAIL_PAGE_VIEW),
        rate(Action.PURCHASE_COMPLETE, Action.DETAIL_PAGE_VIEW),
        value_at(popularity.trending, popularity.as_of, day, TRENDING_HALF_LIFE),
        value_at(popularity.popular, popularity.as_of, day, POPULAR_HALF_LIFE),
    )


def _actions(rows: Iterable[CountRow], day: float) -> Iterable[ActionCount]:
    for row in sorted(rows, key=lambda row: row.action):
        if row.action != Action.SHOWN:
            decayed = (
                value_at(value, row.as_of, day, half_life)
                for value, half_life in zip(row.decayed, _HALF_LIVES, strict=True)
            )
            yield ActionCount(row.action, row.count, row.quantity, tuple(decayed))
