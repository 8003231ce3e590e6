"""What a visitor did: as feedback tells it, and as the shop tells it of the present visit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

SEARCH, VIEW, CLICK, CART, UNCART, PURCHASE, RATE, COMMENT, SHARE, DISMISS = range(1, 11)
"""Numbers as in zhiyin.common.v1.UserEventType."""
SESSION_WEIGHTS: Final[Mapping[int, float]] = {
    SEARCH: 1.0,
    VIEW: 1.0,
    CLICK: 1.0,
    CART: 3.0,
    UNCART: -1.0,
    PURCHASE: 5.0,
    RATE: 2.0,
    COMMENT: 2.0,
    SHARE: 2.0,
    DISMISS: -3.0,
}
"""Weights of kinds as feedback has them by default: the session stands in for it while it is away."""
_HALF_LIFE_SECONDS: Final = 7 * 86_400.0
_LATER_DECAY: Final = 0.6
_REPEAT_HALF_LIFE_SECONDS: Final = 90 * 86_400.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One thing that a visitor did."""

    type: int
    product_id: str
    """Empty for a text."""
    text: str
    age_seconds: float
    weight: float
    """Above 0: wanted; below 0: not wanted."""
    quantity: int = 1


def of_session(type_: int, product_id: str, text: str, age_seconds: float) -> Behaviour:
    """Something done in this visit, weighted as feedback weights events: by kind, halved every seven days."""
    weight = SESSION_WEIGHTS.get(type_, 1.0) * 0.5 ** (age_seconds / _HALF_LIFE_SECONDS)
    return Behaviour(type_, product_id, text, age_seconds, weight)


def merged(profile: Sequence[Behaviour], session: Sequence[Behaviour], most: int) -> list[Behaviour]:
    """Both, newest first; of one kind with one product, or of one text, the newer.

    What the profile does not know yet counts as feedback will count it: each thing leaves .6 of the weight of those
    before it.
    """
    newest: dict[tuple[int, str, str], Behaviour] = {}
    known = {(one.product_id, one.text) for one in profile}
    later: set[tuple[str, str]] = set()
    for one in sorted(session, key=lambda action: action.age_seconds):
        weighted = replace(one, weight=one.weight * _LATER_DECAY ** len(later - {(one.product_id, one.text)}))
        newest.setdefault((one.type, one.product_id, one.text), weighted)
        later.add((one.product_id, one.text))
    share = _LATER_DECAY ** len(later - known)
    for one in profile:
        newest.setdefault((one.type, one.product_id, one.text), replace(one, weight=one.weight * share))
    return sorted(newest.values(), key=lambda one: one.age_seconds)[:most]


def wanted_products(behaviours: Sequence[Behaviour], events: int, most: int) -> list[str]:
    """Ids of the products of the last wanted events, newest first; those of a basket are of one event."""
    times: dict[float, None] = {}
    ids: dict[str, None] = {}
    for one in behaviours:
        if one.product_id and one.weight > 0 and one.product_id not in ids:
            times.setdefault(one.age_seconds)
            if len(times) > events or len(ids) >= most:
                break
            ids[one.product_id] = None
    return list(ids)


def share_left(age_seconds: float) -> float:
    """What is left of a purchase as a sign that it will be repeated: half after 90 days."""
    return float(0.5 ** (age_seconds / _REPEAT_HALF_LIFE_SECONDS))


def bought(behaviours: Iterable[Behaviour], repeated: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Products bought before with how strongly, strongest first: again and again, or once."""
    strengths = dict(repeated)
    for one in behaviours:
        if one.type == PURCHASE:
            strengths.setdefault(one.product_id, share_left(one.age_seconds))
    return sorted(strengths.items(), key=lambda each: (-each[1], each[0]))


def bought_products(behaviours: Iterable[Behaviour]) -> set[str]:
    """Ids of products that the visitor has bought."""
    return {one.product_id for one in behaviours if one.type == PURCHASE}


def dismissed_products(behaviours: Iterable[Behaviour]) -> list[str]:
    """Ids of products that the visitor does not want to see."""
    return [one.product_id for one in behaviours if one.type == DISMISS and one.product_id]
