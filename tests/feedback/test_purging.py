import asyncio
import uuid

from services.common.errors import Unavailable
from services.feedback.purging import Purge


class FakeTables:
    """A PurgeStore that notes what is done."""

    def __init__(self, due, failures=0):
        self.erasures = due
        self.failures = failures
        self.steps = []
        self.done = asyncio.Event()

    async def due(self):
        return list(self.erasures)

    async def clear(self):
        if self.failures:
            self.failures -= 1
            raise Unavailable("away")
        self.steps.append("clear")

    async def purged(self, erasure_ids):
        self.steps.append(len(erasure_ids))
        self.erasures = [one for one in self.erasures if one not in erasure_ids]
        self.done.set()


async def test_all_that_is_due_is_cleared_away_at_once_and_noted_afterwards():
    tables = FakeTables([uuid.uuid4(), uuid.uuid4()])
    assert await Purge(tables, 1.0).round() == 2
    assert tables.steps == ["clear", 2]


async def test_nothing_is_cleared_where_nothing_is_due():
    tables = FakeTables([])
    assert await Purge(tables, 1.0).round() == 0
    assert tables.steps == []


async def test_what_failed_is_tried_again_and_not_noted_before():
    tables = FakeTables([uuid.uuid4()], failures=2)
    task = asyncio.create_task(Purge(tables, 0.001).run())
    async with asyncio.timeout(10):
        await tables.done.wait()
    task.cancel()
    assert tables.steps[:2] == ["clear", 1]
