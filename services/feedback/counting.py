"""Counting: from what visitors did to what is added to the tables. Pure, and the only place where it is decided.

Counting a visitor's events in the order in which they became known, from nothing, gives exactly what was counted of
that visitor, however the events were cut into batches. So they can be taken out again and put back, and the tables be
compared with a recount.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias

from services.feedback.bots import BotReason, BotRules, Conduct, broken_rule, observe
from services.feedback.co_occurrence import Choice, PairRules, insert
from services.feedback.co_occurrence import Sequence as ChoiceSequence
from services.feedback.decay import POPULAR_HALF_LIFE, TRENDING_HALF_LIFE, WEEK_HALF_LIFE, days, share_left


class Action(IntEnum):
    """What is counted: the types of events, and being shown."""

    SHOWN = 0
    SEARCH = 1
    DETAIL_PAGE_VIEW = 2
    CLICK = 3
    ADD_TO_CART = 4
    REMOVE_FROM_CART = 5
    PURCHASE_COMPLETE = 6
    RATE = 7
    COMMENT = 8
    SHARE = 9
    DISMISS = 10


CHOOSING: Final = frozenset(
    {
        Action.DETAIL_PAGE_VIEW,
        Action.CLICK,
        Action.ADD_TO_CART,
        Action.PURCHASE_COMPLETE,
        Action.RATE,
        Action.COMMENT,
        Action.SHARE,
    }
)
"""What says that the visitor turned to a product; these make the visitor's sequence."""
_BUYING: Final = frozenset({Action.ADD_TO_CART, Action.PURCHASE_COMPLETE})

DEFAULT_WEIGHTS: Final[Mapping[int, float]] = {
    Action.DETAIL_PAGE_VIEW: 1.0,
    Action.CLICK: 1.0,
    Action.ADD_TO_CART: 3.0,
    Action.PURCHASE_COMPLETE: 5.0,
    Action.RATE: 2.0,
    Action.COMMENT: 2.0,
    Action.SHARE: 2.0,
}


@dataclass(frozen=True, slots=True)
class CountingRules:
    """By what the tables are counted. Changing one means counting again."""

    weights: Mapping[int, float] = field(default_factory=lambda: DEFAULT_WEIGHTS)
    """Weight of an action in what is trending and popular, 1 per event and product; absent = 0."""
    pairs: PairRules = field(default_factory=PairRules)
    bots: BotRules = field(default_factory=BotRules)


Visitor: TypeAlias = tuple[str, bytes]
"""Catalogue and hash."""


class CountedEvent(NamedTuple):
    """What counting reads of an event."""

    visitor: Visitor
    action: int
    time: int
    """Unix microseconds; of an event from the future, its arrival."""
    product_ids: Sequence[str]
    quantities: Sequence[int]


class CountedImpression(NamedTuple):
    """What counting reads of an impression."""

    visitor: Visitor | None
    catalog: str
    time: int
    product_ids: Sequence[str]


class VisitorKind(IntEnum):
    """What an operator takes a visitor for."""

    BY_RULES = 1
    PERSON = 2
    BOT = 3


@dataclass(slots=True)
class VisitorState:
    """What is kept of a visitor for counting; changed in place."""

    chosen: ChoiceSequence = field(default_factory=ChoiceSequence)
    conduct: Conduct = field(default_factory=Conduct)
    event_count: int = 0
    last_time: int = 0
    """The latest event, in Unix microseconds."""
    reason: BotReason | None = None
    """The first rule that was broken; a visitor does not become a person by being slow afterwards."""
    kind: VisitorKind = VisitorKind.BY_RULES

    @property
    def is_bot(self) -> bool:
        """Whether the visitor counts as a program."""
        return self.kind is VisitorKind.BOT or (self.kind is VisitorKind.BY_RULES and self.reason is not None)


class Deltas:
    """What is to be added to the tables, all decayed sums as of one day.

    Attributes:
        as_of: that day, in days since 1970; not before anything that is counted.
        counts: by catalogue, product and action: events, units, events decayed with half-lives of 1, 7 and 30 days.
        popularity: by catalogue and product: trending, popular, times chosen. Has every product of `counts`.
        pairs: by catalogue, product and the product chosen after it.
    """

    def __init__(self, as_of: float, rules: CountingRules) -> None:
        self.as_of = as_of
        self.counts: dict[tuple[str, str, int], list[float]] = defaultdict(lambda: [0, 0, 0.0, 0.0, 0.0])
        self.popularity: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        self.pairs: dict[tuple[str, str, str], float] = defaultdict(float)
        self._weights = rules.weights
        self._half_life = rules.pairs.half_life
        self._distance_weights = rules.pairs.distance_weights()

    def add_event(self, event: CountedEvent, sign: int) -> None:
        """Adds what was done to products (1), or takes it away (-1)."""
        catalog = event.visitor[0]
        shares = self._shares(event.time)
        weight = sign * self._weights.get(event.action, 0.0)
        for product_id, quantity in zip(event.product_ids, event.quantities, strict=True):
            self._count((catalog, product_id, event.action), quantity, sign, shares)
            popularity = self.popularity[catalog, product_id]
            popularity[0] += weight * shares[0]
            popularity[1] += weight * shares[2]

    def add_choice(self, catalog: str, choice: Choice, sign: int) -> None:
        """Adds the pairs of a choice, or takes them away."""
        share = sign * share_left(self.as_of - days(choice.time), self._half_life)
        product_id = choice.product_id
        self.popularity[catalog, product_id][2] += share
        for place, (other, weight) in enumerate(zip(choice.before, self._distance_weights, strict=False)):
            self.pairs[catalog, other, product_id] += weight * share
            if place < choice.together:
                self.pairs[catalog, product_id, other] += weight * share

    def add_impression(self, impression: CountedImpression, sign: int) -> None:
        """Adds that products were shown, or takes it away."""
        shares = self._shares(impression.time)
        for product_id in impression.product_ids:
            self._count((impression.catalog, product_id, Action.SHOWN), 1, sign, shares)
            self.popularity[impression.catalog, product_id][0] += 0.0

    def _count(self, key: tuple[str, str, int], quantity: int, sign: int, shares: tuple[float, float, float]) -> None:
        counts = self.counts[key]
        counts[0] += sign
        counts[1] += sign * quantity
        counts[2] += sign * shares[0]
        counts[3] += sign * shares[1]
        counts[4] += sign * shares[2]

    def _shares(self, time: int) -> tuple[float, float, float]:
        age = self.as_of - days(time)
        return (
            share_left(age, TRENDING_HALF_LIFE),
            share_left(age, WEEK_HALF_LIFE),
            share_left(age, POPULAR_HALF_LIFE),
        )


def count_batch(
    events: Iterable[CountedEvent], states: dict[Visitor, VisitorState], rules: CountingRules, deltas: Deltas
) -> list[Visitor]:
    """Counts events in the order in which they became known; `states` are brought up to date.

    Returns the visitors that turned out to be programs: nothing of this batch was counted of them, and what was counted
    before is to be taken out.
    """
    by_visitor: dict[Visitor, list[CountedEvent]] = defaultdict(list)
    for event in events:
        by_visitor[event.visitor].append(event)
    return [
        visitor
        for visitor, own in by_visitor.items()
        if _count_visitor(own, states.setdefault(visitor, VisitorState()), rules, deltas)
    ]


def replay(
    events: Iterable[CountedEvent], chosen: ChoiceSequence, rules: CountingRules, deltas: Deltas, sign: int
) -> int:
    """Counts one visitor's events whatever the rules for programs say; returns how many there were.

    `chosen` is the sequence before them: an empty one at the visitor's first event, carried from page to page.
    """
    count = 0
    for count, event in enumerate(events, 1):  # noqa: B007 - the last one is the answer
        deltas.add_event(event, sign)
        for choice, change in _choose(event, chosen, rules):
            deltas.add_choice(event.visitor[0], choice, sign * change)
    return count


def _count_visitor(events: list[CountedEvent], state: VisitorState, rules: CountingRules, deltas: Deltas) -> bool:
    was_bot = state.is_bot
    choices: list[tuple[Choice, int]] = []
    for event in events:
        choices.extend(_choose(event, state.chosen, rules))
        _judge(event, state, rules)
    if not state.is_bot:
        for event in events:
            deltas.add_event(event, 1)
        for choice, change in choices:
            deltas.add_choice(events[0].visitor[0], choice, change)
    return state.is_bot and not was_bot


def _choose(event: CountedEvent, chosen: ChoiceSequence, rules: CountingRules) -> Iterable[tuple[Choice, int]]:
    if event.action not in CHOOSING:
        return
    for product_id in event.product_ids:
        yield from insert(chosen, event.time, product_id, rules.pairs)


def _judge(event: CountedEvent, state: VisitorState, rules: CountingRules) -> None:
    state.event_count += 1
    state.last_time = max(state.last_time, event.time)
    observe(
        state.conduct,
        event.time,
        is_view=event.action == Action.DETAIL_PAGE_VIEW,
        is_purchase=event.action in _BUYING,
    )
    state.reason = state.reason or broken_rule(state.conduct, state.chosen.times, rules.bots)
