"""Offers on their last step to the index: read and written without anybody in between."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from services.retrieval.indexing_ports import OfferReader


class CurrentOffers:
    """Gives offers to one writer of the index at a time, so that none overwrites newer ones with those it read before.

    One process has the right to write to the index, so a lock of the process is enough.
    """

    def __init__(self, reader: OfferReader) -> None:
        self._reader = reader
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def of(self, catalog: str, ids: Sequence[str]) -> AsyncIterator[Mapping[str, Sequence[bytes]]]:
        """Offers as they stand, by product id; nobody else writes any to the index until it is left."""
        async with self._turn:
            yield await self._reader.offers(catalog, ids)
