"""Behaviours: events as signals of what a visitor wants, each with its kind, age and weight."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.feedback.decay import share_left
from services.feedback.event_rules import MAX_RATING
from services.feedback.events import EventType

_DAY: Final = 86_400.0
_MIDDLE_RATING: Final = MAX_RATING / 2

DEFAULT_WEIGHTS: Final[Mapping[EventType, float]] = {
    EventType.SEARCH: 1.0,
    EventType.DETAIL_PAGE_VIEW: 1.0,
    EventType.CLICK: 1.0,
    EventType.ADD_TO_CART: 3.0,
    EventType.REMOVE_FROM_CART: -1.0,
    EventType.PURCHASE_COMPLETE: 4.0,
    EventType.RATE: 4.0,
    EventType.COMMENT: 2.0,
    EventType.SHARE: 2.0,
    EventType.DISMISS: -3.0,
}


class PastEvent(NamedTuple):
    """What is read of an event."""

    type: int
    time: float
    """Unix seconds; of an event from the future, its arrival."""
    product_ids: Sequence[str]
    quantities: Sequence[int]
    rating: float | None
    query: str | None
    comment: str | None


class Behaviour(NamedTuple):
    """A product, or a text, that a visitor turned to or away from."""

    type: int
    product_id: str
    """Empty for a text."""
    text: str
    """Empty for a product."""
    age: float
    """Seconds."""
    weight: float
    """Below 0: not wanted."""
    quantity: int
    """0 for a text."""


@dataclass(frozen=True, slots=True)
class BehaviourRules:
    """What an event weighs."""

    weights: Mapping[EventType, float]
    """Of a kind, when it has just happened; of a rating, the best one."""
    half_life_days: float
    later_decay: float
    """What each later event, of another product or text, leaves of a weight."""
    max_text_characters: int
    """Of a query or comment; the rest is left out."""


def behaviours_of(events: Sequence[PastEvent], rules: BehaviourRules, limit: int, now: float) -> list[Behaviour]:
    """The latest behaviours out of events that come newest first; each product, or text, and kind once.

    The weight is that of the kind times 0.5 ** (age / half-life) times later decay ** (events after it with something
    else): what a visitor turned to last says most, whether a minute or a month lies between. A rating weighs by its
    distance from the middle, from the whole weight for the best to its negative for the worst. What weighs nothing is
    left out.
    """
    found: dict[tuple[int, str, str], Behaviour] = {}
    things: set[tuple[str, str]] = set()
    later = 0
    for event in events:
        weight = _weight(event, rules, now) * rules.later_decay**later
        if weight:
            behaviours = list(_behaviours(event, weight, rules, now))
            for behaviour in behaviours:
                found.setdefault((behaviour.type, behaviour.product_id, behaviour.text), behaviour)
            known = len(things)
            things.update((behaviour.product_id, behaviour.text) for behaviour in behaviours)
            later += len(things) > known
        if len(found) >= limit:
            break
    return list(found.values())[:limit]


def _weight(event: PastEvent, rules: BehaviourRules, now: float) -> float:
    weight = rules.weights.get(EventType(event.type), 0.0)
    if event.rating is not None:
        weight *= (event.rating - _MIDDLE_RATING) / _MIDDLE_RATING
    return weight * share_left(_age(event, now) / _DAY, rules.half_life_days)


def _age(event: PastEvent, now: float) -> float:
    return max(0.0, now - event.time)


def _behaviours(event: PastEvent, weight: float, rules: BehaviourRules, now: float) -> Iterator[Behaviour]:
    age = _age(event, now)
    text = (event.query or event.comment or "").strip()[: rules.max_text_characters]
    if text:
        yield Behaviour(event.type, "", text, age, weight, 0)
    for product_id, quantity in zip(event.product_ids, event.quantities, strict=True):
        yield Behaviour(event.type, product_id, "", age, weight, quantity)
