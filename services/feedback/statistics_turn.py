"""Counting what has happened since, and counting visitors in and out, one process at a time."""

import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from services.feedback.co_occurrence import Sequence as ChoiceSequence
from services.feedback.counting import (
    CountedEvent,
    CountedImpression,
    CountingRules,
    Deltas,
    Visitor,
    VisitorKind,
    VisitorState,
    count_batch,
    replay,
)

_SECONDS_OF_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much is counted in one transaction."""

    rows: int
    """Events, and impressions."""
    products: int
    """Products in them, up to which another row is taken."""

    def are_reached(self, rows: Sequence[CountedEvent | CountedImpression]) -> bool:
        """Whether more rows may wait."""
        return len(rows) >= self.rows or sum(len(row.product_ids) for row in rows) >= self.products


class Turn(Protocol):
    """The right to change what is counted, inside one transaction: all of it becomes visible at once, or nothing.

    Every method raises Unavailable where the database is away.
    """

    async def rules(self, wanted: CountingRules) -> CountingRules:
        """The rules by which the tables are counted: the first ones that were ever wanted."""
        ...

    async def next_events(self, limits: BatchLimits) -> Sequence[CountedEvent]:
        """Takes events that are not counted yet, in the order in which they became known."""
        ...

    async def next_impressions(self, limits: BatchLimits) -> Sequence[CountedImpression]:
        """As `next_events`."""
        ...

    def counted_events(self, visitor: Visitor) -> AsyncIterator[Sequence[CountedEvent]]:
        """Pages of a visitor's events that were counted before this turn, in the order in which they became known."""
        ...

    def counted_impressions(self, visitor: Visitor) -> AsyncIterator[Sequence[CountedImpression]]:
        """As `counted_events`."""
        ...

    async def states(self, visitors: Collection[Visitor]) -> dict[Visitor, VisitorState]:
        """States of those visitors that have one."""
        ...

    async def keep(self, states: Mapping[Visitor, VisitorState]) -> None:
        """Keeps states."""
        ...

    async def add(self, deltas: Deltas, rules: CountingRules) -> None:
        """Adds to the tables."""
        ...


class Turns(Protocol):
    """Gives the turn."""

    def try_next(self) -> AbstractAsyncContextManager[Turn | None]:
        """A turn; None where nothing waits or another process has it."""
        ...

    def next(self) -> AbstractAsyncContextManager[Turn]:
        """A turn, waiting for it. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass has counted."""

    events: int
    impressions: int
    flagged: int
    """Visitors that turned out to be programs."""
    is_more: bool


_NOTHING: Final = Pass(0, 0, 0, is_more=False)


class Counter:
    """Counts events and impressions in the order in which they became known, exactly once each."""

    def __init__(
        self, turns: Turns, rules: CountingRules, limits: BatchLimits, clock: Callable[[], float] = time.time
    ) -> None:
        self._turns = turns
        self._rules = rules
        self._limits = limits
        self._clock = clock

    async def one_pass(self) -> Pass:
        """Counts one batch; nothing while another process counts.

        Raises:
            Unavailable: the database is away; nothing of this batch was counted, or all of it.
        """
        async with self._turns.try_next() as turn:
            return _NOTHING if turn is None else await self._count(turn)

    async def _count(self, turn: Turn) -> Pass:
        events = await turn.next_events(self._limits)
        impressions = await turn.next_impressions(self._limits)
        if not events and not impressions:
            return _NOTHING
        rules = await turn.rules(self._rules)
        states = await turn.states(_visitors(events, impressions))
        day = today(self._clock)
        deltas = Deltas(day, rules)
        flagged = count_batch(events, states, rules, deltas)
        for visitor in flagged:
            await add_visitor(turn, visitor, rules, day, -1)
        _count_impressions(impressions, states, deltas)
        await turn.add(deltas, rules)
        await turn.keep({event.visitor: states[event.visitor] for event in events})
        is_more = self._limits.are_reached(events) or self._limits.are_reached(impressions)
        return Pass(len(events), len(impressions), len(flagged), is_more)


async def add_visitor(turn: Turn, visitor: Visitor, rules: CountingRules, day: float, sign: int) -> int:
    """Counts in (1) or takes out (-1) a visitor's events and impressions, as far as others' are counted.

    Whatever the visitor is taken for. Returns how many events that were.
    """
    count, chosen = 0, ChoiceSequence()
    async for events in turn.counted_events(visitor):
        deltas = Deltas(day, rules)
        count += replay(events, chosen, rules, deltas, sign)
        await turn.add(deltas, rules)
    async for impressions in turn.counted_impressions(visitor):
        deltas = Deltas(day, rules)
        for impression in impressions:
            deltas.add_impression(impression, sign)
        await turn.add(deltas, rules)
    return count


class Contributions:
    """What visitors have contributed to the statistics."""

    def __init__(self, rules: CountingRules, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._clock = clock

    async def remove(self, turn: Turn, visitor: Visitor) -> int:
        """Takes out what a visitor has contributed, in the transaction that erases the events and before it does.

        Returns how many events were taken out; 0 of a program, which contributes nothing.
        """
        state = (await turn.states([visitor])).get(visitor)
        if state is not None and state.is_bot:
            return 0
        rules = await turn.rules(self._rules)
        return await add_visitor(turn, visitor, rules, today(self._clock), -1)


class VisitorKinds:
    """What operators take visitors for."""

    def __init__(self, turns: Turns, rules: CountingRules, clock: Callable[[], float] = time.time) -> None:
        self._turns = turns
        self._rules = rules
        self._clock = clock

    async def set(self, visitor: Visitor, kind: VisitorKind) -> tuple[bool, int]:
        """Takes a visitor for something; what it did is counted, or not, from now on and before.

        Returns whether the visitor counts as a program now, and how many events were taken out or put back.

        Raises:
            Unavailable: the database is away.
        """
        async with self._turns.next() as turn:
            state = (await turn.states([visitor])).get(visitor, VisitorState())
            was_bot, state.kind = state.is_bot, kind
            await turn.keep({visitor: state})
            if state.is_bot == was_bot:
                return was_bot, 0
            rules = await turn.rules(self._rules)
            sign = -1 if state.is_bot else 1
            return state.is_bot, await add_visitor(turn, visitor, rules, today(self._clock), sign)


def today(clock: Callable[[], float]) -> float:
    """Days since 1970, with their fraction."""
    return clock() / _SECONDS_OF_DAY


def _visitors(events: Iterable[CountedEvent], impressions: Iterable[CountedImpression]) -> set[Visitor]:
    visitors = {event.visitor for event in events}
    return visitors | {impression.visitor for impression in impressions if impression.visitor is not None}


def _count_impressions(
    impressions: Iterable[CountedImpression], states: Mapping[Visitor, VisitorState], deltas: Deltas
) -> None:
    for impression in impressions:
        state = states.get(impression.visitor) if impression.visitor is not None else None
        if state is None or not state.is_bot:
            deltas.add_impression(impression, 1)
