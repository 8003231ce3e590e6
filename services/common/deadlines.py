"""The caller's deadline, carried through everything that one call does.

The server interceptor sets it from the time that the caller left; every outgoing call takes what remains of
it. Times are seconds of the running event loop's monotonic clock.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from services.common.errors import DeadlineExceeded

_deadline: ContextVar[float | None] = ContextVar("zhiyin_deadline", default=None)


def time_left() -> float | None:
    """Seconds until the caller gives up, 0 or more; None where nobody set a deadline."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def budget(at_most: float, reserve: float = 0.0) -> float:
    """Seconds that one step may take: the time left minus `reserve`, and never more than `at_most`.

    Raises:
        DeadlineExceeded: nothing is left to begin the step with.
    """
    left = time_left()
    seconds = at_most if left is None else min(at_most, left - reserve)
    if seconds <= 0:
        raise DeadlineExceeded("the caller's time is over")
    return seconds


@contextmanager
def deadline_after(seconds: float) -> Iterator[None]:
    """Everything inside has at most `seconds`; an earlier deadline outside still holds."""
    outer = _deadline.get()
    mine = time.monotonic() + seconds
    token = _deadline.set(mine if outer is None else min(outer, mine))
    try:
        yield
    finally:
        _deadline.reset(token)


@contextmanager
def detached() -> Iterator[None]:
    """Everything inside is free of the caller's deadline: background work that outlives the call."""
    token = _deadline.set(None)
    try:
        yield
    finally:
        _deadline.reset(token)
