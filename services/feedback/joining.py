"""Joining: what was shown with what came of it, in whatever order the two became known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Outcome(NamedTuple):
    """An event that followed."""

    type: int
    time: float
    """Unix seconds; of an event from the future, its arrival."""


class FollowingEvent(NamedTuple):
    """An event that carries the token of an impression."""

    type: int
    time: float
    product_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class ShownPage:
    """An impression as it was kept, its products as arrays of one length."""

    impression_id: bytes
    catalog: str
    surface: int
    show_time: float
    policy: str
    model: str
    feature_schema: int
    query: str
    product_ids: Sequence[str]
    positions: Sequence[int]
    scores: Sequence[float]
    propensities: Sequence[float]
    features: Sequence[bytes]
    """Empty = none were used."""


@dataclass(frozen=True, slots=True)
class Example:
    """An impression with what came of each product."""

    page: ShownPage
    outcomes: Sequence[Sequence[Outcome]]
    """One per product, the first event of each type, oldest first."""


def joined(page: ShownPage, events: Iterable[FollowingEvent], late_seconds: float) -> Example:
    """An example out of the events that carry the page's token, as far as they lie within the time after it."""
    first: dict[tuple[str, int], float] = {}
    for event in events:
        # No lower bound: a shopper's clock may lag behind the one that noted when the page was shown.
        if event.time <= page.show_time + late_seconds:
            for product_id in event.product_ids:
                key = (product_id, event.type)
                first[key] = min(event.time, first.get(key, event.time))
    return Example(page, [_outcomes(product_id, first) for product_id in page.product_ids])


def _outcomes(product_id: str, first: dict[tuple[str, int], float]) -> list[Outcome]:
    found = (Outcome(kind, time) for (other, kind), time in first.items() if other == product_id)
    return sorted(found, key=lambda outcome: (outcome.time, outcome.type))
