"""Carries changed offers to the index: no encoder, no analysis, large batches, and never behind those who need them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from services.common.errors import InvalidArgument, NotFound, ServiceError, Unavailable
from services.retrieval.current_offers import CurrentOffers
from services.retrieval.document_vectors import hold
from services.retrieval.index_version import IndexVersion
from services.retrieval.indexing import VERSION
from services.retrieval.indexing_ports import IndexingMeter, IndexWriter, Versions
from services.retrieval.pauses import Pause


@dataclass(frozen=True, slots=True)
class PendingOffers:
    """An entry of the outbox of offers."""

    catalog: str
    version: int
    product_id: str
    change: int
    """Number of the entry; it is done only if the entry still has it afterwards."""

    @property
    def key(self) -> tuple[str, int]:
        """The index version."""
        return self.catalog, self.version


class OfferOutbox(Protocol):
    """Products whose changed offers index versions have not got yet."""

    async def take(self, limit: int, *, without: Sequence[str]) -> Sequence[PendingOffers]:
        """Up to `limit` entries, active versions first, then the oldest; `without` names versions to leave out."""

    async def settle(self, done: Sequence[PendingOffers]) -> None:
        """Takes entries out, each only where it is still the same."""


class OffersIndexer:
    """Indexes one batch of changed offers."""

    def __init__(
        self,
        outbox: OfferOutbox,
        offers: CurrentOffers,
        versions: Versions,
        writer: IndexWriter,
        meter: IndexingMeter,
        pause: Pause,
    ) -> None:
        self._outbox = outbox
        self._offers = offers
        self._versions = versions
        self._writer = writer
        self._meter = meter
        self._pause = pause

    async def index(self, limit: int) -> int:
        """Indexes up to `limit` products' offers; returns how many were taken out of the outbox.

        Raises:
            ServiceError: the database or the index is away; what was not settled is taken again.
        """
        entries = await self._outbox.take(limit, without=self._pause.held(VERSION))
        count = 0
        for key, group in groupby(sorted(entries, key=_key), key=_key):
            try:
                count += await self._index_version(key, list(group))
            except (Unavailable, NotFound):
                raise
            except ServiceError as error:
                hold(self._pause, self._meter, f"{VERSION}{key[0]}.{key[1]}", error)
        return count

    async def _index_version(self, key: tuple[str, int], entries: Sequence[PendingOffers]) -> int:
        version = await self._versions.version(*key)
        if version is None:
            return 0
        ids = [entry.product_id for entry in entries]
        await self._write(version, ids)
        await self._outbox.settle(entries)
        return len(entries)

    async def _write(self, version: IndexVersion, ids: Sequence[str]) -> None:
        try:
            async with self._offers.of(version.catalog, ids) as offers:
                # A product that the index has not got yet is left alone: it will be written with its offers of then.
                await self._writer.write_offers(version, {product_id: offers.get(product_id, ()) for product_id in ids})
        except InvalidArgument:
            if len(ids) == 1:
                self._meter.offers_refused(ids[0])
                return
            half = len(ids) // 2
            await self._write(version, ids[:half])
            await self._write(version, ids[half:])


def _key(entry: PendingOffers) -> tuple[str, int]:
    return entry.key
