"""Ending a task for certain."""

import asyncio
from typing import Any, Final

_AGAIN_SECONDS: Final = 0.2


async def end(task: asyncio.Task[Any]) -> None:
    """Cancels a task until it has ended, also where the caller is cancelled meanwhile.

    Once is not enough: in Python 3.11 `asyncio.wait_for`, and so asyncpg's pool, loses a cancellation that arrives in
    the moment when the awaited thing is done (cpython issue 86296), and a task that loops for ever goes on.
    """
    interrupted: asyncio.CancelledError | None = None
    while not task.done():
        task.cancel()
        try:
            await asyncio.wait([task], timeout=_AGAIN_SECONDS)
        except asyncio.CancelledError as exc:
            interrupted = exc
    if interrupted is not None:
        raise interrupted
