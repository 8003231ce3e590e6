"""What a visitor is interested in, as vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.recommend_data import Choice

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class InterestRules:
    """How weighted products become interests."""

    products: int = 10
    """Newest distinct products that count; more dilute what the visitor wants now."""
    recency: float = 0.6
    """Weight of a product by the visitor's choices after it: recency to their power."""
    threshold: float = 0.5
    """Centred cosine from which a product joins an interest."""
    interests: int = 4
    share_exponent: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Interests:
    """Interests of one visitor, in the order in which they were opened."""

    vectors: Vectors
    """Unit vectors, shape (interests, dims)."""
    weights: Vectors
    """Of each interest relative to the largest, shape (interests,), above 0 to 1."""

    def scores(self, products: Vectors) -> Vectors:
        """Weighted centred cosines, shape (interests, products); a product's score is the highest of its own."""
        return np.asarray(self.weights[:, None] * (self.vectors @ products.T), np.float32)


def recency_weights(history: Sequence[Choice], products: int, recency: float) -> dict[int, float]:
    """Weights of the newest distinct products, newest first; all products of one choice weigh the same."""
    weights: dict[int, float] = {}
    for place, choice in enumerate(reversed(history)):
        for product in reversed(choice.products):
            weights.setdefault(product, recency**place)
            if len(weights) == products:
                return weights
    return weights


def interests_of(weights: Mapping[int, float], vectors: Vectors, rules: InterestRules) -> Interests:
    """Leader clustering (Hartigan, Clustering Algorithms, 1975, chapter 3), heaviest product first, ties as given.

    A product joins the closest interest where the cosine reaches the threshold or no further interest may be opened.

    Args:
        weights: of products, above 0, at least one.
        vectors: centred unit vectors of all products, shape (products, dims).
        rules: the rules.
    """
    sums: list[Vectors] = []
    shares: list[float] = []
    for product in sorted(weights, key=lambda product: -weights[product]):
        vector, weight = vectors[product], weights[product]
        place = _closest(sums, vector, rules)
        if place == len(sums):
            sums.append(weight * vector)
            shares.append(weight)
        else:
            sums[place] = sums[place] + weight * vector
            shares[place] += weight
    relative = (np.array(shares) / max(shares)) ** rules.share_exponent
    return Interests(unit(np.stack(sums)), relative.astype(np.float32))


def _closest(sums: Sequence[Vectors], vector: Vectors, rules: InterestRules) -> int:
    """Place of the interest to join; the number of interests where a new one is to be opened."""
    if not sums:
        return 0
    cosines = unit(np.stack(sums)) @ vector
    best = int(np.argmax(cosines))
    return best if cosines[best] >= rules.threshold or len(sums) == rules.interests else len(sums)


def mean_of(weights: Mapping[int, float], vectors: Vectors) -> Interests:
    """One interest: the weighted mean, which is the baseline of clustering."""
    total = sum(weight * vectors[product] for product, weight in weights.items())
    return Interests(unit(np.asarray(total, np.float32)[None]), np.ones(1, np.float32))


def unit(vectors: Vectors) -> Vectors:
    """Rows at length 1; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
