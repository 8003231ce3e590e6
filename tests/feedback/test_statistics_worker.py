import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from services.common.errors import Unavailable
from services.feedback.statistics_turn import Pass
from services.feedback.statistics_worker import StatisticsWorker, WorkerRules

NOTHING = Pass(0, 0, 0, is_more=False)
NEVER = 3_600.0


class Counting:
    """Passes and failures as they are given, then nothing to count."""

    def __init__(self, *outcomes):
        self._outcomes = list(outcomes)
        self.passes = 0
        self._changed = asyncio.Condition()

    async def one_pass(self):
        async with self._changed:
            self.passes += 1
            self._changed.notify_all()
        outcome = self._outcomes.pop(0) if self._outcomes else NOTHING
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def reaches(self, passes):
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self.passes >= passes)


class Sweep:
    def __init__(self, error=None):
        self.swept = asyncio.Event()
        self._error = error

    async def one_pass(self):
        self.swept.set()
        if self._error:
            raise self._error


class Meter:
    def __init__(self):
        self.passes = []

    def counted(self, counts):
        self.passes.append(counts)


@asynccontextmanager
async def running(counting, *sweeps, poll=NEVER, sweep=NEVER):
    worker = StatisticsWorker(counting, sweeps, Meter(), WorkerRules(poll, sweep))
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_it_goes_on_without_a_rest_while_there_is_more():
    counting = Counting(Pass(5, 0, 0, is_more=True), Pass(5, 0, 0, is_more=True))
    async with running(counting):
        await counting.reaches(3)


async def test_it_looks_again_when_something_was_recorded():
    counting = Counting()
    async with running(counting) as worker:
        await counting.reaches(1)
        worker.wake()
        await counting.reaches(2)


async def test_it_looks_again_now_and_then_for_what_others_recorded():
    counting = Counting()
    async with running(counting, poll=0.01):
        await counting.reaches(3)


@pytest.mark.parametrize("error", [Unavailable("away"), ZeroDivisionError()])
async def test_it_outlives_failures(error):
    counting = Counting(error, error, Pass(1, 0, 0, is_more=False))
    async with running(counting, poll=0.001):
        await counting.reaches(4)


async def test_a_sweep_that_fails_stops_neither_the_others_nor_the_counting():
    counting, broken, sound = Counting(), Sweep(Unavailable("away")), Sweep()
    async with running(counting, broken, sound, poll=0.001, sweep=0.001):
        async with asyncio.timeout(10):
            await broken.swept.wait()
            await sound.swept.wait()
        await counting.reaches(counting.passes + 1)
