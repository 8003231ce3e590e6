"""Counting for the life of the process: soon after something happened, and through every failure."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from services.common.errors import ServiceError
from services.feedback.statistics_turn import Pass

logger = logging.getLogger(__name__)
_LONGEST_PAUSE: Final = 30.0


class Counting(Protocol):
    """Counts one batch at a time."""

    async def one_pass(self) -> Pass:
        """Raises Unavailable."""
        ...


class Sweep(Protocol):
    """Lets go of what has become negligible."""

    async def one_pass(self) -> None:
        """A bounded part of it. Raises Unavailable."""
        ...


class CountingMeter(Protocol):
    """Told of every pass."""

    def counted(self, counts: Pass) -> None:
        """A pass has ended."""
        ...


@dataclass(frozen=True, slots=True)
class WorkerRules:
    """Pace of the worker, in seconds."""

    poll: float
    """Longest time without a look for new events: other replicas record some too."""
    sweep: float
    """Time between two sweeps."""


class StatisticsWorker:
    """The background task."""

    def __init__(
        self,
        counting: Counting,
        sweeps: Sequence[Sweep],
        meter: CountingMeter,
        rules: WorkerRules,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counting = counting
        self._sweeps = sweeps
        self._meter = meter
        self._rules = rules
        self._clock = clock
        self._woken = asyncio.Event()
        self._failures = 0

    def wake(self) -> None:
        """Something was recorded."""
        self._woken.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        sweep_time = self._clock() + self._rules.sweep
        while True:
            is_more = await self._one_pass()
            if self._clock() >= sweep_time:
                await self._sweep()
                sweep_time = self._clock() + self._rules.sweep
            if not is_more:
                await self._rest()

    async def _one_pass(self) -> bool:
        self._woken.clear()
        try:
            counts = await self._counting.one_pass()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again: the task must not die
            self._failures += 1
            _log("counting", error)
            return False
        self._failures = 0
        self._meter.counted(counts)
        return counts.is_more

    async def _sweep(self) -> None:
        for sweep in self._sweeps:
            try:
                await sweep.one_pass()
            except Exception as error:  # noqa: BLE001 - as above
                _log("sweeping", error)

    async def _rest(self) -> None:
        if self._failures:
            await asyncio.sleep(min(_LONGEST_PAUSE, self._rules.poll * 2 ** min(self._failures, 16)))
            return
        try:
            async with asyncio.timeout(self._rules.poll):
                await self._woken.wait()
        except TimeoutError:
            return


def _log(work: str, error: Exception) -> None:
    if isinstance(error, ServiceError):
        extra = {"work": work, "error": type(error).__name__, "reason": error.reason}
        logger.warning("statistics paused", extra=extra)
    else:
        logger.error("statistics failed", exc_info=error, extra={"work": work})
