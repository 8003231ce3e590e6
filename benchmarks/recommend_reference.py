"""The recommendations that the services should give, in plain numpy, to measure the served ones beside.

Four sources: co-occurrence, interests by content, popularity, products bought before. Limits of the candidates are
those of the services.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.recommend_data import BehaviourSet, Visitor
from benchmarks.recommend_interests import (
    InterestRules,
    Interests,
    Vectors,
    interests_of,
    mean_of,
    recency_weights,
)
from benchmarks.recommend_metrics import PLACES
from benchmarks.recommend_pairs import PairRules, PairTable

_DAY_SECONDS: Final = 86_400.0
Scores = NDArray[np.float64]
"""Of every product, shape (products,); 0 where a source says nothing."""
Method = Callable[[Visitor], list[int]]


@dataclass(frozen=True, slots=True)
class FusionRules:
    """How the sources become one order."""

    co_occurrence: float = 8.0
    """Weight of the raw co-occurrence beside the raw interest score, which weighs 1. Neither is normalised within a
    reply: a strong co-occurrence then outweighs content, and a weak one does not."""
    seeds: int = 50
    seed_recency: float = 0.6
    co_candidates: int = 300
    interest_candidates: int = 50
    """Of each interest."""
    popular_candidates: int = 100
    popular_half_life_days: float = 30.0
    bought: float = 0.0
    """Weight of products bought before, times the length of the co-occurrence scores; 0 = they are left out."""
    bought_half_life_days: float = 90.0
    newcomer: float = 0.0
    """How much a product without behaviour gets from the products most like it; 0 = nothing."""
    newcomer_neighbours: int = 5
    newcomer_content: float = 0.5
    neighbour_candidates: int = 200
    """Content candidates among which neighbours are looked for, beside those by co-occurrence."""


@dataclass(slots=True)
class Reference:
    """A set learned from the histories of all its visitors, ready to recommend as of its split."""

    data: BehaviourSet
    vectors: Vectors
    """Centred unit vectors of the titles, shape (products, dims)."""
    pair_rules: PairRules = field(default_factory=PairRules)
    interest_rules: InterestRules = field(default_factory=InterestRules)
    fusion: FusionRules = field(default_factory=FusionRules)
    _neighbours: dict[int, list[tuple[int, float]]] = field(init=False, default_factory=dict)
    _popularity: Scores = field(init=False)
    _without_behaviour: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        table = PairTable(self.data.split, self.pair_rules)
        self._popularity = np.zeros(len(self.data.product_ids))
        for visitor in self.data.visitors:
            table.record(visitor.history)
            for product, score in self._decayed(visitor, self.fusion.popular_half_life_days).items():
                self._popularity[product] += score
        self._neighbours = table.neighbours()
        self._without_behaviour = self._popularity == 0

    def popular(self, visitor: Visitor) -> list[int]:
        """What is chosen most, decayed."""
        return _best(self._popularity, self._allowed(visitor))

    def together(self, visitor: Visitor) -> list[int]:
        """What others chose after what the visitor chose."""
        scores = self._co_occurrence(visitor)
        return _best(scores, self._allowed(visitor) & (scores > 0))

    def alike(self, visitor: Visitor) -> list[int]:
        """What is like the visitor's interests."""
        return self._by_content(visitor, self._interests(visitor))

    def alike_on_average(self, visitor: Visitor) -> list[int]:
        """What is like the plain mean of everything that the visitor chose."""
        return self._by_content(visitor, mean_of(dict.fromkeys(visitor.seen, 1.0), self.vectors))

    def alike_lately(self, visitor: Visitor) -> list[int]:
        """What is like the recency-weighted mean of the same products as the interests are made of."""
        return self._by_content(visitor, mean_of(self._interest_weights(visitor), self.vectors))

    def bought_before(self, visitor: Visitor) -> list[int]:
        """What the visitor chose before, by frequency and recency."""
        scores = self._bought(visitor)
        return _best(scores, scores > 0)

    def fused(self, visitor: Visitor) -> list[int]:
        """All sources in one order; popular products fill up behind those that another source scores."""
        if not visitor.history:
            return self.popular(visitor)
        allowed = self._allowed(visitor)
        per_interest = self._interests(visitor).scores(self.vectors).astype(np.float64)
        content = np.maximum(per_interest.max(axis=0), 0.0)
        together = _largest(np.where(allowed, self._co_occurrence(visitor), 0.0), self.fusion.co_candidates)
        bought = self._bought(visitor) if self.fusion.bought else np.zeros_like(content)
        scores = self.fusion.co_occurrence * together + content + self._repeats(together, bought)
        scores += self._inherited(together, content, allowed)
        return _best(scores, self._candidates(per_interest, together, bought, allowed))

    def _allowed(self, visitor: Visitor) -> NDArray[np.bool_]:
        allowed = np.ones(len(self.data.product_ids), np.bool_)
        if not self.fusion.bought:
            allowed[list(visitor.seen)] = False
        return allowed

    def _co_occurrence(self, visitor: Visitor) -> Scores:
        scores = np.zeros(len(self.data.product_ids))
        seeds = recency_weights(visitor.history, self.fusion.seeds, self.fusion.seed_recency)
        for seed, weight in seeds.items():
            for product, score in self._neighbours.get(seed, ()):
                scores[product] += weight * score
        return scores

    def _interest_weights(self, visitor: Visitor) -> dict[int, float]:
        return recency_weights(visitor.history, self.interest_rules.products, self.interest_rules.recency)

    def _interests(self, visitor: Visitor) -> Interests:
        return interests_of(self._interest_weights(visitor), self.vectors, self.interest_rules)

    def _by_content(self, visitor: Visitor, interests: Interests) -> list[int]:
        scores = interests.scores(self.vectors).max(axis=0).astype(np.float64)
        return _best(scores, self._allowed(visitor))

    def _candidates(
        self, per_interest: Scores, together: Scores, bought: Scores, allowed: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        candidates = (together > 0) | (bought > 0)
        for scores in per_interest:
            candidates |= _largest(np.where(allowed, scores, 0.0), self.fusion.interest_candidates) > 0
        popular = _largest(np.where(allowed, self._popularity, 0.0), self.fusion.popular_candidates) > 0
        return (candidates | popular) & allowed

    def _repeats(self, together: Scores, bought: Scores) -> Scores:
        length = float(np.linalg.norm(bought))
        if not length:
            return bought
        return (
            self.fusion.bought * max(self.fusion.co_occurrence * float(np.linalg.norm(together)), 1.0) * bought / length
        )

    def _inherited(self, together: Scores, content: Scores, allowed: NDArray[np.bool_]) -> Scores:
        """What products without behaviour get: the co-occurrence of those most like them among the candidates."""
        scores = np.zeros_like(content)
        if not self.fusion.newcomer:
            return scores
        near = (_largest(np.where(allowed, content, 0.0), self.fusion.neighbour_candidates) > 0) | (together > 0)
        newcomers = np.flatnonzero(near & self._without_behaviour)
        known = np.flatnonzero(near & ~self._without_behaviour)
        if not len(newcomers) or not len(known):
            return scores
        cosines = np.maximum(self.vectors[newcomers] @ self.vectors[known].T, 0.0).astype(np.float64)
        nearest = np.stack([_largest(row, self.fusion.newcomer_neighbours) for row in cosines])
        inherited = self.fusion.co_occurrence * (nearest @ together[known])
        own = self.fusion.newcomer_content * content[newcomers] ** 3
        scores[newcomers] = self.fusion.newcomer * (inherited + own)
        return scores

    def _bought(self, visitor: Visitor) -> Scores:
        scores = np.zeros(len(self.data.product_ids))
        for product, score in self._decayed(visitor, self.fusion.bought_half_life_days).items():
            scores[product] = score
        return scores

    def _decayed(self, visitor: Visitor, half_life_days: float) -> Mapping[int, float]:
        counts: defaultdict[int, float] = defaultdict(float)
        for choice in visitor.history:
            days = (self.data.split - choice.time).total_seconds() / _DAY_SECONDS
            for product in choice.products:
                counts[product] += 2.0 ** (-days / half_life_days)
        return counts


def lists_for(visitors: Iterable[Visitor], method: Method) -> list[tuple[Sequence[int], frozenset[int]]]:
    """The list of every visitor beside what is to be predicted."""
    return [(method(visitor), visitor.targets) for visitor in visitors]


def _largest(scores: Scores, count: int) -> Scores:
    """The `count` largest scores in their places, 0 elsewhere; ties by number."""
    if len(scores) <= count:
        return scores
    lowest = np.partition(scores, -count)[-count]
    kept = np.where(scores > lowest, scores, 0.0)
    ties = np.flatnonzero(scores == lowest)[: count - int(np.count_nonzero(scores > lowest))]
    kept[ties] = lowest
    return kept


def _best(scores: Scores, candidates: NDArray[np.bool_], places: int = PLACES) -> list[int]:
    """Numbers of the best candidates, best first; ties by number."""
    numbers = np.flatnonzero(candidates)
    if len(numbers) > places:
        lowest = np.partition(scores[numbers], -places)[-places]
        numbers = numbers[scores[numbers] >= lowest]
    return [int(number) for number in numbers[np.argsort(-scores[numbers], kind="stable")[:places]]]
