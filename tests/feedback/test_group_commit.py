import asyncio
from contextvars import ContextVar

import pytest

from services.common.deadlines import deadline_after, time_left
from services.common.errors import ResourceExhausted, Unavailable
from services.feedback.events import EventOutcome
from services.feedback.group_commit import GroupCommit, GroupLimits, open_group_commit

ACCEPTED = EventOutcome.ACCEPTED
HERE = ContextVar("here", default="nowhere")


class HeldStore:
    """An EventStore whose commits wait for `release`; an event is any value."""

    def __init__(self):
        self.commits = []
        self.running = 0
        self.most_running = 0
        self.released = asyncio.Semaphore(0)
        self.error_of = {}
        self.seen = []

    async def add(self, events):
        self.commits.append(list(events))
        self.seen.append((time_left(), HERE.get()))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.released.acquire()
        finally:
            self.running -= 1
        for event in events:
            if event in self.error_of:
                raise self.error_of[event]
        return [ACCEPTED if event % 2 else EventOutcome.DUPLICATE for event in events]

    def release(self, count=1):
        for _ in range(count):
            self.released.release()


def limits(**fields):
    given = {"waiting_events": 100, "waiting_bytes": 1_000, "commit_events": 10, "writers": 1, "commit_seconds": 5.0}
    return GroupLimits(**given | fields)


@pytest.fixture
def store():
    return HeldStore()


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


async def started(group_commit, *batches):
    """A call for each batch, one after the other, all of them waiting."""
    calls = []
    for batch in batches:
        calls.append(asyncio.create_task(group_commit.add(batch, len(batch))))
        await settled()
    return calls


async def test_a_batch_that_comes_alone_is_written_at_once(store):
    async with open_group_commit(store, limits()) as group_commit:
        (call,) = await started(group_commit, [1, 2])
        assert store.commits == [[1, 2]]
        store.release()
        assert await call == [ACCEPTED, EventOutcome.DUPLICATE]


async def test_batches_that_came_meanwhile_share_the_next_commit_and_each_gets_its_own_answer(store):
    async with open_group_commit(store, limits()) as group_commit:
        calls = await started(group_commit, [1], [2], [3, 4], [5])
        store.release(2)
        answers = await asyncio.gather(*calls)
    assert store.commits == [[1], [2, 3, 4, 5]]
    duplicate = EventOutcome.DUPLICATE
    assert answers == [[ACCEPTED], [duplicate], [ACCEPTED, duplicate], [ACCEPTED]]


async def test_a_commit_is_bounded_and_a_larger_batch_has_one_of_its_own(store):
    async with open_group_commit(store, limits(commit_events=3)) as group_commit:
        calls = await started(group_commit, [0], [1, 2], [3, 4], [5, 6, 7, 8], [9])
        store.release(5)
        await asyncio.gather(*calls)
    assert store.commits == [[0], [1, 2], [3, 4], [5, 6, 7, 8], [9]]


async def test_two_writers_overlap_and_no_more(store):
    async with open_group_commit(store, limits(writers=2)) as group_commit:
        calls = await started(group_commit, [1], [2], [3], [4])
        assert store.commits == [[1], [2]]
        store.release(3)
        await asyncio.gather(*calls)
    assert store.commits == [[1], [2], [3, 4]]
    assert store.most_running == 2


@pytest.mark.parametrize("full", [{"waiting_events": 3}, {"waiting_bytes": 3}])
async def test_more_than_may_wait_is_refused_until_some_is_written(store, full):
    async with open_group_commit(store, limits(**full)) as group_commit:
        calls = await started(group_commit, [1], [2, 3])
        with pytest.raises(ResourceExhausted) as error:
            await group_commit.add([4], 1)
        assert error.value.retry_after > 0
        store.release(3)
        await asyncio.gather(*calls)
        assert await group_commit.add([4], 1) == [EventOutcome.DUPLICATE]


async def test_a_batch_larger_than_all_that_may_wait_is_taken_alone(store):
    async with open_group_commit(store, limits(waiting_events=1)) as group_commit:
        store.release()
        assert len(await group_commit.add([1, 2, 3], 3)) == 3


async def test_a_caller_that_goes_cancels_nobodys_commit(store):
    async with open_group_commit(store, limits()) as group_commit:
        first, second, third, fourth = await started(group_commit, [1], [2], [3], [4])
        first.cancel()
        third.cancel()
        await settled()
        store.release(2)
        assert await second == [EventOutcome.DUPLICATE]
        assert await fourth == [EventOutcome.DUPLICATE]
    # What was on its way is written; what only waited is not.
    assert store.commits == [[1], [2, 4]]


async def test_those_who_went_make_room(store):
    async with open_group_commit(store, limits(waiting_events=3)) as group_commit:
        first, second = await started(group_commit, [1], [2, 3])
        second.cancel()
        await settled()
        store.release(2)
        await first
        await settled()
        (call,) = await started(group_commit, [1, 2, 3])
        assert await call == [ACCEPTED, EventOutcome.DUPLICATE, ACCEPTED]


async def test_a_commit_that_fails_is_answered_to_every_caller_of_the_group_and_to_nobody_else(store):
    store.error_of[3] = Unavailable("away", retry_after=1.0)
    async with open_group_commit(store, limits()) as group_commit:
        first, *group = await started(group_commit, [1], [2], [3])
        store.release(2)
        assert await first == [ACCEPTED]
        for call in group:
            with pytest.raises(Unavailable):
                await call
        (after,) = await started(group_commit, [5])
        store.release()
        assert await after == [ACCEPTED]


async def test_what_the_store_chokes_on_fails_its_own_caller_only(store):
    store.error_of[3] = ValueError("what Postgres refuses")
    async with open_group_commit(store, limits()) as group_commit:
        first, second, third, fourth = await started(group_commit, [1], [2], [3], [4])
        store.release(5)
        assert await asyncio.gather(first, second, fourth) == [
            [ACCEPTED],
            [EventOutcome.DUPLICATE],
            [EventOutcome.DUPLICATE],
        ]
        with pytest.raises(ValueError, match="refuses"):
            await third


async def test_a_caller_hears_before_its_time_is_over_and_the_commit_goes_on(store):
    async with open_group_commit(store, limits()) as group_commit:
        with deadline_after(0.05), pytest.raises(Unavailable) as error:
            await group_commit.add([1], 1)
        assert error.value.retry_after > 0
        assert store.running == 1
        store.release()


async def test_a_commit_has_neither_the_deadline_nor_the_context_of_the_caller_that_came_first(store):
    HERE.set("the caller")
    async with open_group_commit(store, limits(commit_seconds=50.0)) as group_commit:
        with deadline_after(20.0):
            (call,) = await started(group_commit, [1])
        store.release()
        await call
    ((left, here),) = store.seen
    assert 20.0 < left <= 50.0
    assert here == "nowhere"


async def test_what_waits_when_it_is_closed_is_still_written(store):
    group_commit = GroupCommit(store, limits())
    calls = await started(group_commit, [1], [2])
    store.release(2)
    await group_commit.settle()
    assert [call.result() for call in await _all(calls)] == [[ACCEPTED], [EventOutcome.DUPLICATE]]


async def _all(calls):
    await asyncio.gather(*calls)
    return calls
