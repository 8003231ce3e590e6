"""Group commit: the batches of all callers that wait are written in one transaction as soon as a writer is free.

Nobody waits for company: an event that comes alone is written alone, at once. Under load the batches that came while a
commit was on its way share the next one (DeWitt et al., "Implementation techniques for main memory database systems",
1984, section 5).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import Final, Protocol

from services.common.deadlines import deadline_after, time_left
from services.common.errors import ResourceExhausted, ServiceError, Unavailable
from services.feedback.events import EventOutcome, NewEvent

_RETRY_SECONDS: Final = 1.0
_ANSWER_SHARE: Final = 0.1
"""Share of the caller's time that is kept to tell it that nothing was heard."""


class EventStore(Protocol):
    """Where events are kept."""

    async def add(self, events: Sequence[NewEvent]) -> Sequence[EventOutcome]:
        """Keeps all that are new, or none; what became of each. On disk when it returns.

        Raises:
            Unavailable: it cannot be told whether they were kept; adding them again is harmless.
        """
        ...


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """How much may wait, and how much is written at once."""

    waiting_events: int
    waiting_bytes: int
    commit_events: int
    """Events in one commit; a larger batch is written alone."""
    writers: int
    """Commits on their way at once: while one waits for the disk the next one is sent."""
    commit_seconds: float


@dataclass(eq=False, slots=True)
class _Batch:
    """The events of one caller, which waits for `answer`."""

    events: Sequence[NewEvent]
    size: int
    answer: asyncio.Future[Sequence[EventOutcome]] = field(default_factory=asyncio.Future)


class GroupCommit:
    """Writes batches together; each caller learns what became of its own."""

    def __init__(self, store: EventStore, limits: GroupLimits) -> None:
        self._store = store
        self._limits = limits
        self._waiting: deque[_Batch] = deque()
        self._held_events = 0
        self._held_bytes = 0
        self._writers: set[asyncio.Task[None]] = set()

    async def add(self, events: Sequence[NewEvent], size: int) -> Sequence[EventOutcome]:
        """What became of each event of a batch of `size` bytes; on disk when it returns.

        Raises:
            ResourceExhausted: too much waits already.
            Unavailable: the store is away, or did not answer within the caller's time; whether anything was kept is
                then not known, and adding it again is harmless.
        """
        self._refuse_too_much(events, size)
        batch = _Batch(events, size)
        self._waiting.append(batch)
        self._held_events += len(events)
        self._held_bytes += size
        self._start_writer()
        left = time_left()
        try:
            async with asyncio.timeout(None if left is None else left * (1.0 - _ANSWER_SHARE)):
                return await batch.answer
        except TimeoutError:
            message = "the database did not answer in time"
            raise Unavailable(message, reason="DATABASE_UNAVAILABLE", retry_after=_RETRY_SECONDS) from None

    async def settle(self) -> None:
        """Waits until nothing waits any more; bounded by the time that commits may take."""
        while self._writers:
            await asyncio.wait(self._writers)

    def _refuse_too_much(self, events: Sequence[NewEvent], size: int) -> None:
        limits = self._limits
        # A batch that is larger than all that may wait is taken where nothing else is there.
        is_full = (
            self._held_events + len(events) > limits.waiting_events or self._held_bytes + size > limits.waiting_bytes
        )
        if is_full and self._held_events:
            raise ResourceExhausted(
                "too many events wait to be written", reason="EVENTS_WAITING", retry_after=_RETRY_SECONDS
            )

    def _start_writer(self) -> None:
        if len(self._writers) >= self._limits.writers:
            return
        # A context of its own: neither the deadline nor the trace of the caller that happened to come first.
        writer = asyncio.create_task(self._write_waiting(), context=Context())
        self._writers.add(writer)
        writer.add_done_callback(self._writers.discard)

    async def _write_waiting(self) -> None:
        while group := self._next_group():
            await self._write(group)
            self._held_events -= sum(len(batch.events) for batch in group)
            self._held_bytes -= sum(batch.size for batch in group)

    def _next_group(self) -> list[_Batch]:
        group: list[_Batch] = []
        count = 0
        while self._waiting and (not group or count + len(self._waiting[0].events) <= self._limits.commit_events):
            batch = self._waiting.popleft()
            if batch.answer.done():
                # Its caller has gone; it was told nothing, or that nothing is known.
                self._held_events -= len(batch.events)
                self._held_bytes -= batch.size
                continue
            group.append(batch)
            count += len(batch.events)
        return group

    async def _write(self, group: Sequence[_Batch]) -> None:
        try:
            with deadline_after(self._limits.commit_seconds):
                found = await self._store.add([event for batch in group for event in batch.events])
        except ServiceError as exc:
            _answer_all(group, exc)
        except Exception as exc:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            if len(group) == 1:
                _answer_all(group, exc)
                return
            # What the store chokes on is in one of them; the others must not suffer.
            for batch in group:
                await self._write([batch])
        else:
            _hand_out(group, found)


@asynccontextmanager
async def open_group_commit(store: EventStore, limits: GroupLimits) -> AsyncIterator[GroupCommit]:
    """A GroupCommit; what waits when it is left is still written."""
    group_commit = GroupCommit(store, limits)
    try:
        yield group_commit
    finally:
        await group_commit.settle()


def _hand_out(group: Sequence[_Batch], found: Sequence[EventOutcome]) -> None:
    begin = 0
    for batch in group:
        end = begin + len(batch.events)
        if not batch.answer.done():
            batch.answer.set_result(found[begin:end])
        begin = end


def _answer_all(group: Sequence[_Batch], error: Exception) -> None:
    for batch in group:
        if not batch.answer.done():
            batch.answer.set_exception(error)
