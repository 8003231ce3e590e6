"""Writes many things at once where the index takes them, and finds those that it refuses by themselves.

So one of them never keeps the others waiting. A refusal as InvalidArgument is about what was written. Internal may be
that, or an index that is broken: it is laid at one item's door only where the index takes others beside it.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from services.common.errors import Internal, InvalidArgument, ServiceError

Item = TypeVar("Item")
Write = Callable[[Sequence[Item]], Awaitable[None]]
"""Writes items; writing the same ones again changes nothing. Raises ServiceError."""

_FUTILE_ATTEMPTS: Final = 32
"""Failures after which an index that has taken nothing is held to be broken: the whole, its halves, ... sixteenths."""


@dataclass(frozen=True, slots=True)
class Refusal(Generic[Item]):
    """An item that the index refuses by itself."""

    item: Item
    reason: str


async def write_each(items: Sequence[Item], write: Write[Item]) -> list[Refusal[Item]]:
    """Writes items, in halves where they are refused together; returns those that are refused alone.

    Raises:
        Internal: the index takes nothing, so that it, and no item, is to blame.
        ServiceError: whatever else the write raises; some items may have been written.
    """
    progress = _Progress[Item]()
    waiting = deque([items] if items else [])
    # The largest parts first: what lies beside the refused items is taken early, and tells them from a broken index.
    while waiting:
        part = waiting.popleft()
        try:
            await write(part)
        except (InvalidArgument, Internal) as error:
            waiting += progress.halves_after(part, error)
        else:
            progress.taken += part
    await progress.confirm(write)
    return [Refusal(item, error.reason) for item, error in progress.refused]


@dataclass(slots=True)
class _Progress(Generic[Item]):
    """What has come of the writes so far."""

    taken: list[Item] = field(default_factory=list)
    refused: list[tuple[Item, ServiceError]] = field(default_factory=list)
    failures: int = 0

    def halves_after(self, part: Sequence[Item], error: ServiceError) -> Sequence[Sequence[Item]]:
        """What is to be tried in the place of a part that was refused. Raises the error where that is futile."""
        self.failures += isinstance(error, Internal)
        if self.failures == _FUTILE_ATTEMPTS and not self.taken:
            raise error
        if len(part) == 1:
            self.refused.append((part[0], error))
            return ()
        half = len(part) // 2
        return part[:half], part[half:]

    async def confirm(self, write: Write[Item]) -> None:
        """Raises ServiceError where the index, and not an item, may be to blame for what it failed on."""
        failed = [error for _, error in self.refused if isinstance(error, Internal)]
        if failed and not self.taken:
            raise failed[-1]
        if failed:
            # It may have broken on the way; then it does not take again what it took before.
            await write(self.taken[:1])
