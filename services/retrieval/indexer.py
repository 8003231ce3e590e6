"""The indexer: runs for the life of the process, works while it holds the lease, and outlives every failure."""

import asyncio
import logging
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Final, Protocol

from services.common.deadlines import deadline_after
from services.common.errors import ServiceError
from services.retrieval.indexing import BatchIndexer, BatchReport, PendingChange
from services.retrieval.pauses import Pause
from services.retrieval.signals import IndexingSignals
from services.retrieval.tasks import end

logger = logging.getLogger(__name__)
_RENEWALS: Final = 3
"""Times that a lease is renewed within its length."""


class Lease(Protocol):
    """The right to write to the index; one process has it at a time."""

    async def acquire(self) -> bool:
        """Takes or renews it; False while another process has it. Raises Unavailable."""

    async def release(self) -> None:
        """Gives it back, so that the next one need not wait for its end. Raises Unavailable."""


class CollectionCheck(Protocol):
    """Looks after the collections of all catalogues."""

    async def restore_missing(self) -> None:
        """Makes collections that are gone, and puts their products into the outbox. Raises ServiceError."""


class PassObserver(Protocol):
    """Makes passes visible."""

    def one_pass(self, changes: list[PendingChange]) -> AbstractContextManager[None]:
        """Surrounds one pass: a trace of its own, linked to the calls that wrote the changes."""

    def finished(self, report: BatchReport) -> None:
        """Hears what a pass did; called inside it."""


@dataclass(frozen=True, slots=True)
class IndexerRules:
    """Pace of the indexer; times in seconds."""

    batch: int
    poll: float
    lease: float
    check: float


class Indexer:
    """The background task."""

    def __init__(
        self,
        batches: BatchIndexer,
        lease: Lease,
        check: CollectionCheck,
        observer: PassObserver,
        signals: IndexingSignals,
        pause: Pause,
        rules: IndexerRules,
    ) -> None:
        self._batches = batches
        self._lease = lease
        self._check = check
        self._observer = observer
        self._signals = signals
        self._pause = pause
        self._rules = rules
        self._check_at = 0.0

    async def run(self) -> None:
        """Runs until cancelled."""
        try:
            while True:
                held_until = time.monotonic() + self._rules.lease
                if await self._acquired():
                    await self._work_while_held(held_until)
                await asyncio.sleep(self._rules.poll)
        finally:
            with suppress(ServiceError):
                await self._lease.release()

    async def _acquired(self) -> bool:
        try:
            return await self._lease.acquire()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again: the task must not die
            _log(error)
            return False

    async def _work_while_held(self, held_until: float) -> None:
        """Works until the lease is lost. It ends before another process can have it: then nothing is being written."""
        worker = asyncio.create_task(self._work())
        margin = self._rules.lease / _RENEWALS
        try:
            while time.monotonic() < held_until - margin:
                await asyncio.sleep(margin)
                asked = time.monotonic()
                # An answer that comes after the lease has ended would come too late to stop the worker.
                with deadline_after(max(held_until - margin - asked, 0.0)):
                    renewed = await self._acquired()
                if renewed:
                    held_until = asked + self._rules.lease
        finally:
            await end(worker)

    async def _work(self) -> None:
        while True:
            if not await self._one_pass():
                await self._signals.work(self._rules.poll)

    async def _one_pass(self) -> bool:
        """One pass; True where there may be more to do at once."""
        if self._pause.holds("pass"):
            return False
        try:
            await self._check_collections()
            changes = list(await self._batches.take(self._rules.batch))
            if not changes:
                return False
            with self._observer.one_pass(changes):
                report = await self._batches.index(changes)
                self._observer.finished(report)
        except Exception as error:  # noqa: BLE001 - as above
            retry_after = error.retry_after if isinstance(error, ServiceError) else None
            self._pause.begin("pass", retry_after or 0.0)
            self._check_at = 0.0
            _log(error)
            return False
        self._pause.end("pass")
        self._signals.announce_progress()
        return report.indexed + report.words_only + report.removed + report.given_up > 0

    async def _check_collections(self) -> None:
        if time.monotonic() >= self._check_at:
            await self._check.restore_missing()
            self._check_at = time.monotonic() + self._rules.check


def _log(error: Exception) -> None:
    if isinstance(error, ServiceError):
        logger.warning("indexing paused", extra={"error": type(error).__name__, "reason": error.reason})
    else:
        logger.error("indexing failed", exc_info=error)
