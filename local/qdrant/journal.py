"""The writes that came since a shard was copied."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import qdrant_edge as edge


@dataclass(frozen=True, slots=True)
class Write:
    """A write, its size in bytes, and whether the shard in use refused it, wholly or for some of its points."""

    operation: edge.UpdateOperation
    size: int
    refused: bool


class ReplayError(Exception):
    """The copy refused a write that the shard in use took: they are not the same any more."""


class Journal:
    """Writes in their order, up to a number of bytes.

    In memory: the shard in use has them in its write-ahead log, and a copy that was not put in its place before
    this process ended is thrown away.
    """

    def __init__(self, capacity: int, give_up: Callable[[], None]) -> None:
        """`give_up` is called once, when the writes are more than `capacity` bytes or nobody wants the copy."""
        self._capacity = capacity
        self._give_up = give_up
        self._writes: deque[Write] = deque()
        self._size = 0
        self.given_up = ""

    def __len__(self) -> int:
        """Writes that wait to be applied to the copy."""
        return len(self._writes)

    def add(self, write: Write) -> None:
        """Keeps a write, unless the copy was given up."""
        if self.given_up:
            return
        self._writes.append(write)
        self._size += write.size
        if self._size > self._capacity:
            self.give_up(f"more than {self._capacity} bytes were written meanwhile")

    def give_up(self, why: str) -> None:
        """Forgets the writes: the copy will not be used."""
        if not self.given_up:
            self.given_up = why
            self._writes.clear()
            self._give_up()

    def replay(self, shard: edge.EdgeShard, seconds: float) -> None:
        """Applies writes to the copy, the oldest first, for about so many seconds.

        Raises:
            ReplayError: The engine refused a write that the shard in use took.
        """
        end = time.monotonic() + seconds
        while self._writes and time.monotonic() < end:
            write = self._writes.popleft()
            self._size -= write.size
            try:
                shard.update(write.operation)
            except Exception as exc:  # the engine has no other
                if not write.refused:
                    raise ReplayError(str(exc)) from exc
