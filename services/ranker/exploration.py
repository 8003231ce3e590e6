"""Chance, and how likely it made what is shown.

An explored place e is drawn with probability p: then its product changes places with one of the k products of the
window behind it, each with probability 1/k. Windows do not overlap and leave out reserved places, so that every
draw is independent and the probability of each product in each place is exact:

    place e              its own product 1 - p,     each of the window p / k
    place in the window  its own product 1 - p / k, the product of e p / k
    every other place    its own product 1

Off-policy evaluation (Horvitz & Thompson 1952; Bottou et al., JMLR 2013) needs just that number.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from services.ranker.arranging import Arrangement
from services.ranker.recommend_policy import ExplorationPolicy
from services.ranker.recommendation import PlaceKind


@dataclass(frozen=True, slots=True)
class Draw:
    """All candidates in the order to show; lists of one length."""

    rows: Sequence[int]
    propensities: Sequence[float]
    kinds: Sequence[PlaceKind]
    brought_up: frozenset[int]
    """Rows that chance brought to an earlier place."""


def draw(policy: ExplorationPolicy, arrangement: Arrangement, source: random.Random) -> Draw:
    """One draw: the same random numbers give the same order."""
    rows = list(arrangement.rows)
    propensities = [1.0] * len(rows)
    kinds = [PlaceKind.RESERVED if place in arrangement.reserved else PlaceKind.SCORE for place in range(len(rows))]
    brought_up: set[int] = set()
    for place, window in explored_places(policy, arrangement):
        swap = policy.probability / len(window)
        propensities[place] = 1.0 - policy.probability
        for other in window:
            propensities[other] = 1.0 - swap
        if source.random() < policy.probability:
            other = window[source.randrange(len(window))]
            rows[place], rows[other] = rows[other], rows[place]
            propensities[place] = propensities[other] = swap
            kinds[place] = kinds[other] = PlaceKind.EXPLORED
            brought_up.add(rows[place])
    return Draw(rows, propensities, kinds, frozenset(brought_up))


def explored_places(policy: ExplorationPolicy, arrangement: Arrangement) -> list[tuple[int, list[int]]]:
    """Places, from 0, where chance has a say, each with the places that it is drawn from.

    A place that is reserved, or behind which there is nothing to draw from, is left as it is.
    """
    count = len(arrangement.rows)
    if policy.probability == 0:
        return []
    found = []
    for place in list(range(policy.first - 1, count, policy.every))[: policy.most]:
        behind = range(place + 1, min(count, place + 1 + policy.window))
        window = [other for other in behind if other not in arrangement.reserved]
        if place not in arrangement.reserved and window:
            found.append((place, window))
    return found
