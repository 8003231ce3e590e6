"""What results show of products that were found before."""

from collections.abc import Sequence
from typing import Protocol

from services.common.errors import ServiceError, Unavailable
from services.retrieval.product_index import Card
from services.retrieval.requests import batch_violations, require
from services.retrieval.validation import ProductLimits, product_id_violations, too_long


class ShownProducts(Protocol):
    """The index, asked for known products."""

    async def shown(self, catalog: str, ids: Sequence[str], region: str) -> list[Card]:
        """Card and packed offer of each product that is there, in the order of `ids`.

        Raises:
            NotFound: there is no such catalogue.
            Unavailable: the index is away.
        """


class Summaries:
    """Looks products up in the index, or in the database while the index is away: either can be spared."""

    def __init__(self, index: ShownProducts, stored: ShownProducts, limits: ProductLimits, batch: int) -> None:
        self._index = index
        self._stored = stored
        self._limits = limits
        self._batch = batch

    async def find(self, catalog: str, ids: Sequence[str], region: str, *, from_index: bool = True) -> list[Card]:
        """As ShownProducts; without `from_index` the index is not asked.

        Raises:
            InvalidArgument: the batch is empty, too large or names an id twice; an id is none; the region is too long.
        """
        violations = list(batch_violations("product_ids", ids, self._batch))
        for position, product_id in enumerate(ids[: self._batch]):
            violations += product_id_violations(f"product_ids[{position}]", product_id)
        violations += too_long("region", region, self._limits.region_characters)
        require(violations)
        if not from_index:
            return await self._stored.shown(catalog, ids, region)
        try:
            return await self._index.shown(catalog, ids, region)
        except Unavailable as away:
            try:
                return await self._stored.shown(catalog, ids, region)
            except ServiceError:
                raise away from None
