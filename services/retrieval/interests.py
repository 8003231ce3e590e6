"""What a visitor is interested in: behaviours as vectors, those that differ kept apart.

One mean of a person's behaviours lies between the things that it wants, where often nothing is. So behaviours are
clustered in one pass, heaviest first (the leader algorithm: Hartigan, "Clustering Algorithms", 1975, ch. 3): each joins
the interest that it is closest to, where their cosine is at least a threshold, else begins one of its own; when there
are as many as there may be, the closest takes it all the same. An interest's direction is the weighted sum of its
behaviours, pushed away from unwanted ones that lie close to it (Rocchio, in "The SMART Retrieval System", 1971).

A product's score for the visitor, over interests k with direction i_k and share s_k of the weight, is

    max_k  (s_k / max_j s_j) ^ 1/2  cos(i_k, product).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.retrieval.geometry import Column, Vector

_NOTHING: Final = 1e-6
"""Below this length a sum of unit vectors has no direction: they cancel each other out."""


@dataclass(frozen=True, slots=True)
class InterestRules:
    """How behaviours become interests."""

    most: int = 4
    """Interests at most."""
    threshold: float = 0.5
    """Cosine from which on a behaviour joins an interest."""
    dislike: float = 0.5
    """What an unwanted behaviour of a certain weight takes away, where a wanted one adds 1."""
    products: int = 10
    """Wanted behaviours that are taken, the newest ones: what lies further back blurs the interests."""


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A behaviour as a vector."""

    place: int
    """Its place among the behaviours, newest first."""
    direction: Vector
    """Unit vector without the model's mean; shape (dims,)."""
    weight: float
    """Above 0: wanted; below 0: not wanted."""


@dataclass(frozen=True, slots=True, eq=False)
class Interest:
    """One thing that a visitor wants."""

    direction: Vector
    """Unit vector without the model's mean; shape (dims,)."""
    share: float
    """Of the weight of all that is wanted; those of all interests sum to 1."""
    places: tuple[int, ...]
    """Places of its behaviours, heaviest first."""


class _Cluster:
    def __init__(self, signal: Signal) -> None:
        self.total = signal.direction.astype(np.float64) * signal.weight
        self.members = [signal]

    def cosine(self, direction: Vector) -> float:
        length = float(np.linalg.norm(self.total))
        return float(self.total @ direction) / length if length > _NOTHING else -1.0

    def add(self, signal: Signal) -> None:
        self.total += signal.direction.astype(np.float64) * signal.weight
        self.members.append(signal)

    @property
    def weight(self) -> float:
        return sum(member.weight for member in self.members)


def interests_of(signals: Sequence[Signal], rules: InterestRules) -> list[Interest]:
    """Interests, the largest share first, ties by the newest behaviour. Empty where nothing is wanted."""
    newest = sorted((signal for signal in signals if signal.weight > 0), key=lambda signal: signal.place)
    heaviest = sorted(newest[: rules.products], key=lambda signal: (-signal.weight, signal.place))
    clusters = _clusters(heaviest, rules)
    unwanted = [signal for signal in signals if signal.weight < 0]
    directed = [(cluster, _direction(cluster, unwanted, rules)) for cluster in clusters]
    there = [(cluster, direction) for cluster, direction in directed if direction is not None]
    whole = sum(cluster.weight for cluster, _ in there)
    interests = [
        Interest(direction, cluster.weight / whole, _heaviest_first(cluster.members)) for cluster, direction in there
    ]
    return sorted(interests, key=lambda interest: (-interest.share, min(interest.places)))


def visitor_scores(
    cosines: Column, shares: Sequence[float]
) -> tuple[Column, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Score for the visitor and the interest that gives it.

    Args:
        cosines: centred cosines, shape (products, interests); NaN = the product has no vector.
        shares: of the interests, largest first.

    Returns:
        Scores, NaN where no cosine is known, and places of interests, both of shape (products,).
    """
    weights = np.sqrt(np.asarray(shares, np.float64) / max(shares))
    # A share must not make a negative cosine better.
    weighted = np.where(cosines > 0, cosines * weights, cosines)
    filled = np.where(np.isnan(weighted), -np.inf, weighted)
    best = filled.argmax(axis=1)
    scores = filled[np.arange(len(filled)), best]
    return np.where(np.isinf(scores), np.nan, scores), best


def _clusters(wanted: Iterable[Signal], rules: InterestRules) -> list[_Cluster]:
    clusters: list[_Cluster] = []
    for signal in wanted:
        cosines = [cluster.cosine(signal.direction) for cluster in clusters]
        closest = int(np.argmax(cosines)) if cosines else -1
        if cosines and (cosines[closest] >= rules.threshold or len(clusters) >= rules.most):
            clusters[closest].add(signal)
        else:
            clusters.append(_Cluster(signal))
    return clusters


def _direction(cluster: _Cluster, unwanted: Iterable[Signal], rules: InterestRules) -> Vector | None:
    total = cluster.total.copy()
    for signal in unwanted:
        if cluster.cosine(signal.direction) >= rules.threshold:
            total += signal.direction.astype(np.float64) * signal.weight * rules.dislike
    length = float(np.linalg.norm(total))
    return (total / length).astype(np.float32) if length > _NOTHING else None


def _heaviest_first(members: Sequence[Signal]) -> tuple[int, ...]:
    return tuple(signal.place for signal in sorted(members, key=lambda signal: (-signal.weight, signal.place)))
