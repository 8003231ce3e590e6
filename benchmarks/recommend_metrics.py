"""How well a list of recommendations names what a visitor chose next.

Full ranking: a list holds the best of ALL products that the visitor may be shown, not of a sample beside the target.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

PLACES: Final = 10


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over visitors."""

    visitors: int
    ndcg: float
    ndcg_error: float
    """Standard error of the mean; 0 for fewer than two visitors."""
    recall: float


def ndcg(ranked: Sequence[int], relevant: Collection[int], places: int = PLACES) -> float:
    """Normalised discounted cumulative gain, 0 to 1: gain 1, discount log2(place + 1) (Järvelin and Kekäläinen, 2002).

    Raises:
        ValueError: nothing is relevant.
    """
    if not relevant:
        raise ValueError("nDCG is not defined where nothing is relevant")
    found = sum(1 / math.log2(place + 2) for place, product in enumerate(ranked[:places]) if product in relevant)
    best = sum(1 / math.log2(place + 2) for place in range(min(places, len(relevant))))
    return found / best


def recall(ranked: Sequence[int], relevant: Collection[int], places: int = PLACES) -> float:
    """Share of the relevant products that are in the first places, 0 to 1.

    Raises:
        ValueError: nothing is relevant.
    """
    if not relevant:
        raise ValueError("recall is not defined where nothing is relevant")
    return sum(product in relevant for product in ranked[:places]) / len(relevant)


def quality(lists: Sequence[tuple[Sequence[int], Collection[int]]]) -> Quality:
    """Means over (ranked list, relevant products) of visitors.

    Raises:
        ValueError: there is no visitor, or one for whom nothing is relevant.
    """
    if not lists:
        raise ValueError("no visitor to measure")
    gains = [ndcg(ranked, relevant) for ranked, relevant in lists]
    error = stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0
    return Quality(len(lists), fmean(gains), error, fmean(recall(ranked, relevant) for ranked, relevant in lists))
