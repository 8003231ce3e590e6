"""Sequential co-occurrence, kept event by event as a database can keep it.

A new product is paired with the distinct products before it in the visitor's own order. What others chose after the
products that a visitor chose last is then what to recommend (sequential item-based nearest neighbours; Ludewig and
Jannach, Evaluation of session-based recommendation algorithms, 2018, section 3).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from benchmarks.recommend_data import Choice

_DAY_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class PairRules:
    """How pairs are counted and scored."""

    window: int = 10
    """Distinct products before a new one that it is paired with; the one at distance d weighs 1 / sqrt(d)."""
    half_life_days: float = 90.0
    backward: float = 0.4
    """Share of a pair that counts against the order in which it was chosen."""
    seed_exponent: float = 0.9
    product_exponent: float = 0.1
    """The exponents sum to 1, so that neither the scale of the weights nor a common decay changes a score."""
    prior: float = 20.0
    """Added to totals: a product that hardly anybody chose says little of what comes after it."""
    per_seed: int = 50


@dataclass(slots=True)
class PairTable:
    """Decayed pair sums and totals as of `now`."""

    now: datetime
    rules: PairRules = field(default_factory=PairRules)
    _pairs: defaultdict[int, defaultdict[int, float]] = field(default_factory=lambda: defaultdict(_zeros))
    _totals: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))

    def total(self, product: int) -> float:
        """Decayed count of one product."""
        return self._totals.get(product, 0.0)

    def pair(self, earlier: int, later: int) -> float:
        """Decayed sum of one directed pair."""
        return self._pairs[earlier][later] if earlier in self._pairs else 0.0

    def record(self, history: Iterable[Choice]) -> None:
        """Counts all choices of one visitor, oldest first.

        Products of one choice have no order: they are paired both ways.
        """
        tail: list[int] = []
        for choice in history:
            decay = self._decay(choice.time)
            companions: set[int] = set()
            for product in choice.products:
                self._totals[product] += decay
                tail = [earlier for earlier in tail if earlier != product]
                self._pair_with(tail, product, companions, decay)
                companions.add(product)
                tail = [product, *tail][: self.rules.window]

    def _pair_with(self, tail: Sequence[int], product: int, companions: set[int], decay: float) -> None:
        for distance, earlier in enumerate(tail, 1):
            weight = decay / math.sqrt(distance)
            self._pairs[earlier][product] += weight
            if earlier in companions:
                self._pairs[product][earlier] += weight

    def _decay(self, time: datetime) -> float:
        days = (self.now - time).total_seconds() / _DAY_SECONDS
        return math.exp2(-days / self.rules.half_life_days)

    def neighbours(self) -> dict[int, list[tuple[int, float]]]:
        """For every seed the products that go best with it, best first, ties by number."""
        both: defaultdict[int, defaultdict[int, float]] = defaultdict(_zeros)
        for earlier, later_sums in self._pairs.items():
            for later, weight in later_sums.items():
                both[earlier][later] += weight
                both[later][earlier] += self.rules.backward * weight
        return {seed: self._best(seed, sums) for seed, sums in both.items()}

    def _best(self, seed: int, sums: dict[int, float]) -> list[tuple[int, float]]:
        rules = self.rules
        seed_norm = (self.total(seed) + rules.prior) ** rules.seed_exponent
        scored = [
            (product, weight / (seed_norm * (self.total(product) + rules.prior) ** rules.product_exponent))
            for product, weight in sums.items()
        ]
        return sorted(scored, key=lambda item: (-item[1], item[0]))[: rules.per_seed]


def _zeros() -> defaultdict[int, float]:
    return defaultdict(float)
