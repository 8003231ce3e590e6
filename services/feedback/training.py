"""Training examples: when an impression is ready to be learned from, and the feed of those that are."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from services.common.deadlines import time_left
from services.common.errors import ServiceError, invalid
from services.feedback.feed import FeedPosition, position_at
from services.feedback.joining import Example, FollowingEvent, ShownPage, joined
from services.feedback.statistics_changes import WaitRules
from services.feedback.statistics_requests import PageLimits

logger = logging.getLogger(__name__)
_ANSWER_SECONDS: Final = 0.1

Key = tuple[str, bytes]
"""Catalogue and id of an impression."""


@dataclass(frozen=True, slots=True)
class TrainingRules:
    """When an impression is an example."""

    window_seconds: float
    """After it became known."""
    late_seconds: float
    """After it was shown, what came of it counts."""
    batch: int
    poll_seconds: float


class TrainingTurn(Protocol):
    """The right to list examples, inside one transaction. Every method raises Unavailable."""

    async def list_changed(self, limit: int, late_seconds: float) -> int:
        """Reads on in the events, and lists those examples again that something came of; how many events were read."""
        ...

    async def list_due(self, limit: int, window_seconds: float) -> int:
        """Lists impressions whose window has closed; how many were looked at and are listed."""
        ...


class TrainingTurns(Protocol):
    """Gives the turn."""

    def try_next(self) -> AbstractAsyncContextManager[TrainingTurn | None]:
        """A turn; None while another process has it."""
        ...


class TrainingWorker:
    """The background task that lists examples."""

    def __init__(self, turns: TrainingTurns, rules: TrainingRules) -> None:
        self._turns = turns
        self._rules = rules

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            is_more = False
            try:
                is_more = await self.one_pass()
            except ServiceError as exc:
                logger.warning("training examples paused", extra={"reason": exc.reason})
            except Exception:
                # A fault must not end the task.
                logger.exception("training examples failed")
            if not is_more:
                await asyncio.sleep(self._rules.poll_seconds)

    async def one_pass(self) -> bool:
        """Lists what is ready; whether there is more. Raises Unavailable."""
        rules = self._rules
        async with self._turns.try_next() as turn:
            if turn is None:
                return False
            # Events first: what came of an impression before it is listed needs no second listing.
            events = await turn.list_changed(rules.batch, rules.late_seconds)
            impressions = await turn.list_due(rules.batch, rules.window_seconds)
        return rules.batch in (events, impressions)


class ListedExample(NamedTuple):
    """An entry of the feed."""

    key: Key
    is_erased: bool


class ListedPage(NamedTuple):
    """A page of the feed."""

    entries: Sequence[ListedExample]
    next_position: FeedPosition
    is_more: bool


class ExampleTable(Protocol):
    """Where examples are. Every method raises Unavailable."""

    async def listed(self, after: FeedPosition, limit: int) -> ListedPage:
        """Entries in the order of their last change."""
        ...

    async def pages(self, keys: Collection[Key]) -> Mapping[Key, ShownPage]:
        """Impressions that are still kept, without those of programs."""
        ...

    async def following(self, keys: Collection[Key]) -> Mapping[Key, Sequence[FollowingEvent]]:
        """Events of the visitors themselves that carry the tokens of impressions."""
        ...


@dataclass(frozen=True, slots=True)
class ExamplePage:
    """A page of examples; of those that were erased the key alone is left."""

    examples: Sequence[Example | Key]
    next_position: FeedPosition
    is_more: bool


class TrainingFeed:
    """The feed."""

    def __init__(
        self,
        table: ExampleTable,
        late_seconds: float,
        limits: PageLimits,
        waits: WaitRules,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._late_seconds = late_seconds
        self._limits = limits
        self._waits = waits
        self._clock = clock

    async def after(self, after_offset: str, limit: int, wait_milliseconds: int) -> ExamplePage:
        """What was listed since; waits for it where nothing was, within the caller's time.

        Raises:
            InvalidArgument: names the field.
            Unavailable: the database is away.
        """
        position, limit = position_at(after_offset), self._limits.limit(limit)
        until = self._clock() + self._wait_seconds(wait_milliseconds)
        page = await self._table.listed(position, limit)
        while not page.entries and (left := until - self._clock()) > 0:
            await asyncio.sleep(min(self._waits.poll, left))
            page = await self._table.listed(position, limit)
        return ExamplePage(await self._examples(page.entries), page.next_position, page.is_more)

    async def _examples(self, entries: Sequence[ListedExample]) -> list[Example | Key]:
        pages = await self._table.pages([entry.key for entry in entries if not entry.is_erased])
        events = await self._table.following(pages.keys())
        examples: list[Example | Key] = []
        for key, is_erased in entries:
            if is_erased:
                examples.append(key)
            elif key in pages:
                examples.append(joined(pages[key], events.get(key, ()), self._late_seconds))
        return examples

    def _wait_seconds(self, milliseconds: int) -> float:
        if milliseconds < 0:
            raise invalid("wait_milliseconds", "must not be negative", "OUT_OF_RANGE")
        wait = min(milliseconds / 1_000, self._waits.longest)
        left = time_left()
        return wait if left is None else min(wait, left - _ANSWER_SECONDS)
