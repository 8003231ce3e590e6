import asyncio
from contextlib import suppress

from services.retrieval.tasks import end


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
