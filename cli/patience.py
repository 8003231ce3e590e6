"""Calls that are repeated while a service is away: following long work must outlive a restart."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from services.common.errors import DeadlineExceeded, ResourceExhausted, ServiceError, Unavailable

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
Result = TypeVar("Result")


class Patience:
    """Repeats calls that may be repeated."""

    def __init__(self, seconds: float) -> None:
        """`seconds` is how long one call is tried again for."""
        self._seconds = seconds
        self._was_there = False

    async def call(self, once: Callable[[], Awaitable[Result]]) -> Result:
        """The result of the first call that succeeds.

        Raises:
            ServiceError: it was refused, or the service was away for too long.
        """
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + self._seconds, FIRST_PAUSE
        while True:
            try:
                result = await once()
            except (Unavailable, ResourceExhausted, DeadlineExceeded) as exc:
                wait = max(exc.retry_after or 0.0, pause)
                if not self._is_worth_waiting(exc) or loop.time() + wait > end:
                    raise
                await asyncio.sleep(wait)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._was_there = True
                return result

    def _is_worth_waiting(self, error: ServiceError) -> bool:
        """A server that asks to come back does exist; one that never answered is more likely a wrong address."""
        return self._was_there or error.retry_after is not None
