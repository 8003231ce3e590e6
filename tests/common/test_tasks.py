import asyncio
from contextlib import suppress

import pytest

from services.common.tasks import end


async def test_a_task_that_loses_a_cancellation_is_ended_all_the_same():
    lost = []

    async def stubborn():
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        lost.append(True)
        await asyncio.sleep(60)

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end(task)
    assert lost == [True]
    assert task.cancelled()


async def test_a_task_that_has_ended_is_left_as_it_is():
    task = asyncio.create_task(asyncio.sleep(0, "result"))
    assert await task == "result"
    await end(task)
    assert task.result() == "result"


async def test_a_caller_that_is_cancelled_meanwhile_still_ends_the_task_and_is_cancelled():
    stubborn_cancels = 0

    async def stubborn():
        nonlocal stubborn_cancels
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                stubborn_cancels += 1
                if stubborn_cancels == 3:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    caller = asyncio.create_task(end(task))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert task.cancelled()
