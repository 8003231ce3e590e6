"""Carries changed offers to the index: no encoder, no analysis, large batches, and never behind those who need them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Protocol

from services.common.errors import NotFound, ServiceError, Unavailable
from services.retrieval.current_offers import CurrentOffers
from services.retrieval.document_vectors import hold
from services.retrieval.index_version import IndexVersion
from services.retrieval.indexing_ports import IndexingMeter, IndexWriter, Versions
from services.retrieval.isolation import write_each
from services.retrieval.pauses import Pause

OFFERS: Final = "offers:"
"""Prefix of the part that the offers of an index version are; its name follows. Its products are another part."""
LOST: Final = "lost:"
"""Prefix of the part that a version is whose collection is gone; its name follows. A check makes it anew."""
_CHECK_SECONDS: Final = 1.0
"""A collection is not made anew in a moment."""


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
        held = [name for part in (OFFERS, LOST) for name in self._pause.held(part)]
        entries = await self._outbox.take(limit, without=held)
        count = 0
        for key, group in groupby(sorted(entries, key=_key), key=_key):
            name = f"{key[0]}.{key[1]}"
            try:
                version = await self._versions.version(*key)
            except ServiceError as error:
                hold(self._pause, self._meter, OFFERS + name, error)
                continue
            if version is None:  # deleted meanwhile, and its entries with it
                continue
            try:
                count += await self._index_version(version, list(group))
            except Unavailable:
                raise  # the whole index is away
            except NotFound as error:
                seconds = self._pause.begin(LOST + name, _CHECK_SECONDS)
                self._meter.part_away(LOST + name, error, seconds)
                continue
            except ServiceError as error:
                hold(self._pause, self._meter, OFFERS + name, error)
                continue
            self._pause.end(OFFERS + name)
            self._pause.end(LOST + name)
        return count

    async def _index_version(self, version: IndexVersion, entries: Sequence[PendingOffers]) -> int:
        await self._write(version, [entry.product_id for entry in entries])
        await self._outbox.settle(entries)
        return len(entries)

    async def _write(self, version: IndexVersion, ids: Sequence[str]) -> None:
        async def write(part: Sequence[str]) -> None:
            async with self._offers.of(version.catalog, part) as offers:
                # A product that the index has not got yet is left alone: it will be written with its offers of then.
                await self._writer.write_offers(version, {each: offers.get(each, ()) for each in part})

        for refusal in await write_each(ids, write):
            self._meter.offers_refused(refusal.item)


def _key(entry: PendingOffers) -> tuple[str, int]:
    return entry.key
