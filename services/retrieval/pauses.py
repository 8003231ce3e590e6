"""Leaving a part alone that has just failed, a little longer each time."""

import time
from collections.abc import Callable
from typing import Final

_FIRST_SECONDS: Final = 0.25


class Pause:
    """Which parts are being left alone, and until when. Doubles from a quarter of a second up to `longest` seconds."""

    def __init__(self, longest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest = longest
        self._clock = clock
        self._until: dict[str, float] = {}
        self._seconds: dict[str, float] = {}

    def begin(self, part: str, at_least: float = 0.0) -> float:
        """Leaves a part alone; returns for how many seconds."""
        seconds = max(at_least, min(self._longest, 2 * self._seconds.get(part, _FIRST_SECONDS / 2)))
        self._seconds[part] = seconds
        self._until[part] = self._clock() + seconds
        return seconds

    def end(self, part: str) -> None:
        """The part works: the next pause is a short one again."""
        self._until.pop(part, None)
        self._seconds.pop(part, None)

    def holds(self, part: str) -> bool:
        """Whether the part is being left alone now."""
        return self._until.get(part, 0.0) > self._clock()

    def held(self, prefix: str) -> list[str]:
        """What follows `prefix` in the names of all parts that are being left alone now."""
        return [part.removeprefix(prefix) for part in self._until if part.startswith(prefix) and self.holds(part)]
