"""Which products are chosen most, lately and for long."""

import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from services.feedback.catalogs import catalog_named
from services.feedback.decay import POPULAR_HALF_LIFE, TRENDING_HALF_LIFE
from services.feedback.statistics_requests import PageLimits
from services.feedback.statistics_turn import today


class Popularity(Enum):
    """What to order by; the value is the half-life in days."""

    TRENDING = TRENDING_HALF_LIFE
    POPULAR = POPULAR_HALF_LIFE


class OrderedProduct(NamedTuple):
    """A product and its key, log2(value) + day / half-life: it orders products the same way at any time."""

    product_id: str
    key: float


class TrendingProduct(NamedTuple):
    """A product and its weighted, decayed count as of now."""

    product_id: str
    score: float


class PopularityTable(Protocol):
    """Where popularity is kept."""

    async def most(self, catalog: str, popularity: Popularity, limit: int) -> Sequence[OrderedProduct]:
        """The products with the highest keys, ties by id. Raises Unavailable."""
        ...


class Trending:
    """Lists of what is chosen most."""

    def __init__(self, table: PopularityTable, limits: PageLimits, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._limits = limits
        self._clock = clock

    async def most(self, catalog: str, popularity: Popularity, limit: int) -> list[TrendingProduct]:
        """Best first, ties by id.

        Raises:
            InvalidArgument: names the field.
            Unavailable: the database is away.
        """
        rows = await self._table.most(catalog_named(catalog), popularity, self._limits.limit(limit))
        periods = today(self._clock) / popularity.value
        return [TrendingProduct(product_id, 2.0 ** (key - periods)) for product_id, key in rows]
