"""The indexer: runs for the life of the process, works while it holds the lease, and outlives every failure."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from services.common.deadlines import deadline_after
from services.common.errors import ServiceError
from services.common.tasks import end
from services.retrieval.pauses import Pause

logger = logging.getLogger(__name__)
_RENEWALS: Final = 3
"""Times that a lease is renewed within its length."""


class Lease(Protocol):
    """The right to write to the index; one process has it at a time."""

    async def acquire(self) -> bool:
        """Takes or renews it; False while another process has it. Raises Unavailable."""

    async def release(self) -> None:
        """Gives it back, so that the next one need not wait for its end. Raises Unavailable."""


class Lane(Protocol):
    """One kind of work, which no other kind waits for."""

    @property
    def name(self) -> str:
        """For logs."""

    async def one_pass(self) -> bool:
        """One pass; True where there may be more to do at once."""

    async def work(self, at_most: float) -> None:
        """Waits until there may be something to do, for `at_most` seconds."""


@dataclass(frozen=True, slots=True)
class IndexerRules:
    """Pace of the indexer; times in seconds."""

    poll: float
    lease: float


class Indexer:
    """The background task."""

    def __init__(self, lanes: Sequence[Lane], lease: Lease, pause: Pause, rules: IndexerRules) -> None:
        self._lanes = lanes
        self._lease = lease
        self._pause = pause
        self._rules = rules

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
            _log("lease", error)
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
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(self._run(lane))

    async def _run(self, lane: Lane) -> None:
        while True:
            if not await self._one_pass(lane):
                await lane.work(self._rules.poll)

    async def _one_pass(self, lane: Lane) -> bool:
        if self._pause.holds(lane.name):
            return False
        try:
            is_more = await lane.one_pass()
        except Exception as error:  # noqa: BLE001 - as above
            retry_after = error.retry_after if isinstance(error, ServiceError) else None
            self._pause.begin(lane.name, retry_after or 0.0)
            _log(lane.name, error)
            return False
        self._pause.end(lane.name)
        return is_more


def _log(part: str, error: Exception) -> None:
    if isinstance(error, ServiceError):
        extra = {"lane": part, "error": type(error).__name__, "reason": error.reason}
        logger.warning("indexing paused", extra=extra)
    else:
        logger.error("indexing failed", exc_info=error, extra={"lane": part})
