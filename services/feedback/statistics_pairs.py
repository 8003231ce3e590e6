"""What goes together with a product."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from services.feedback.catalogs import catalog_named
from services.feedback.statistics_requests import PageLimits, check_product_ids
from services.feedback.statistics_turn import today


class CoOccurrence(NamedTuple):
    """A product that goes together with another."""

    product_id: str
    score: float


class PairTable(Protocol):
    """Where pairs are kept."""

    async def best(
        self, catalog: str, product_ids: Sequence[str], limit: int, day: float
    ) -> Mapping[str, Sequence[CoOccurrence]]:
        """The `limit` best of each product as of `day`, ties by id. Raises Unavailable."""
        ...


class CoOccurrences:
    """What visitors chose after or before products."""

    def __init__(
        self, table: PairTable, limits: PageLimits, max_products: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._table = table
        self._limits = limits
        self.max_products = max_products
        self._clock = clock

    async def of(self, catalog: str, product_ids: Sequence[str], limit: int) -> list[Sequence[CoOccurrence]]:
        """One list per product, in the order of the ids; best first, ties by id.

        Raises:
            InvalidArgument: names the field.
            Unavailable: the database is away.
        """
        catalog = catalog_named(catalog)
        check_product_ids(product_ids, self.max_products)
        best = await self._table.best(catalog, product_ids, self._limits.limit(limit), today(self._clock))
        return [best.get(product_id, ()) for product_id in product_ids]
