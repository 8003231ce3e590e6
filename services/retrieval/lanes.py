"""The indexer's kinds of work: products, and apart from them offers."""

import time
from contextlib import AbstractContextManager
from typing import Final, Protocol

from services.common.errors import ServiceError
from services.retrieval.document_vectors import hold
from services.retrieval.indexing import BatchIndexer
from services.retrieval.indexing_ports import BatchReport, IndexingMeter, PendingChange
from services.retrieval.offers_indexing import LOST, OffersIndexer
from services.retrieval.pauses import Pause
from services.retrieval.signals import IndexingSignals

_BUILDS: Final = "builds"


class Upkeep(Protocol):
    """Looks after the index versions of all catalogues. Raises ServiceError."""

    async def check(self) -> None:
        """Mends what is gone or points wrong, and clears what was deleted."""

    async def advance(self) -> bool:
        """One step of every build; True where one went on."""


class PassObserver(Protocol):
    """Makes passes visible."""

    def one_pass(self, changes: list[PendingChange]) -> AbstractContextManager[None]:
        """Surrounds one pass: a trace of its own, linked to the calls that wrote the changes."""

    def finished(self, report: BatchReport) -> None:
        """Hears what a pass did; called inside it."""

    def offers_indexed(self, count: int) -> None:
        """Products whose offers a pass has written."""


class ProductLane:
    """Checks, goes on with builds, and indexes products."""

    name: Final = "products"

    def __init__(
        self,
        batches: BatchIndexer,
        upkeep: Upkeep,
        observer: PassObserver,
        meter: IndexingMeter,
        signals: IndexingSignals,
        pause: Pause,
        batch: int,
        check_seconds: float,
    ) -> None:
        self._batches = batches
        self._upkeep = upkeep
        self._observer = observer
        self._meter = meter
        self._signals = signals
        self._pause = pause
        self._batch = batch
        self._check_seconds = check_seconds
        self._check_at = 0.0

    async def one_pass(self) -> bool:
        try:
            await self._check()
            advanced = await self._advance()
            changes = list(await self._batches.take(self._batch))
            if not changes:
                return advanced
            with self._observer.one_pass(changes):
                report = await self._batches.index(changes)
                self._observer.finished(report)
        except Exception:
            self._check_at = 0.0  # perhaps a collection is gone
            raise
        self._signals.announce_progress()
        return advanced or report.has_progress

    async def work(self, at_most: float) -> None:
        await self._signals.work(at_most)

    async def _check(self) -> None:
        lost = self._pause.held(LOST)
        if lost or time.monotonic() >= self._check_at:
            await self._upkeep.check()
            self._check_at = time.monotonic() + self._check_seconds
            for version in lost:
                self._pause.end(LOST + version)

    async def _advance(self) -> bool:
        """Goes on with builds; changes do not wait for one that cannot go on."""
        if self._pause.holds(_BUILDS):
            return False
        try:
            advanced = await self._upkeep.advance()
        except ServiceError as error:
            hold(self._pause, self._meter, _BUILDS, error)
            return False
        self._pause.end(_BUILDS)
        return advanced


class OfferLane:
    """Indexes changed offers."""

    name: Final = "offers"

    def __init__(self, offers: OffersIndexer, observer: PassObserver, signals: IndexingSignals, batch: int) -> None:
        self._offers = offers
        self._observer = observer
        self._signals = signals
        self._batch = batch

    async def one_pass(self) -> bool:
        count = await self._offers.index(self._batch)
        if count:
            self._observer.offers_indexed(count)
            self._signals.announce_progress()
        return count > 0

    async def work(self, at_most: float) -> None:
        await self._signals.offers(at_most)
