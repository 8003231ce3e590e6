"""The order before chance has a say: by score, made diverse, with places reserved for new products.

Greedy, as maximal marginal relevance is (Carbonell & Goldstein, SIGIR 1998): each place goes to the best of what is
left, where "best" is the score less what sameness with the places before costs. The cost is bounded by the policy's
floor, so that a far better product is never passed over.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.ranker.candidates import FloatArray
from services.ranker.recommend_policy import DiversityPolicy, ReservedPolicy

NO_INTEREST = -1


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """What there is to arrange; n candidates."""

    product_ids: Sequence[str]
    scores: FloatArray
    """Shape (n,), 0 or more."""
    content: FloatArray
    """Shape (n,): what decides among new products."""
    categories: Sequence[str]
    """Empty = none."""
    interests: NDArray[np.int64]
    """Shape (n,); `NO_INTEREST` = none."""
    is_new: NDArray[np.bool_]
    """Shape (n,)."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """All candidates in an order without chance."""

    rows: Sequence[int]
    reserved: frozenset[int]
    """Places, from 0, that a new product holds because they are reserved."""


def arrange(diversity: DiversityPolicy, reserved: ReservedPolicy, pool: Pool) -> Arrangement:
    """Every candidate in its place: equal ones by score, then by product id."""
    by_score = sorted(range(len(pool.scores)), key=_key(pool.scores, pool.product_ids))
    kept = reserved_places(reserved, len(by_score)) if pool.is_new.any() else []
    newcomers = _newcomers(pool) if kept else deque()
    choice = _Choice(diversity, pool, by_score)
    rows: list[int] = []
    held: set[int] = set()
    for place in range(min(len(by_score), max(diversity.places, kept[-1] + 1 if kept else 0))):
        row = _next_newcomer(newcomers, choice) if place in kept else None
        if row is None:
            row = choice.best(diverse=place < diversity.places)
        else:
            held.add(place)
        choice.take(row)
        rows.append(row)
    rows.extend(row for row in by_score if not choice.is_taken(row))
    return Arrangement(rows, frozenset(held))


def reserved_places(policy: ReservedPolicy, count: int) -> list[int]:
    """The reserved ones of `count` places, from 0."""
    return list(range(policy.first - 1, count, policy.every))[: policy.most]


def _key(scores: FloatArray, product_ids: Sequence[str]) -> Callable[[int], tuple[float, str]]:
    values = scores.tolist()
    return lambda row: (-values[row], product_ids[row])


def _newcomers(pool: Pool) -> deque[int]:
    content, scores = pool.content.tolist(), pool.scores.tolist()
    rows = np.flatnonzero(pool.is_new).tolist()
    return deque(sorted(rows, key=lambda row: (-content[row], -scores[row], pool.product_ids[row])))


def _next_newcomer(newcomers: deque[int], choice: "_Choice") -> int | None:
    while newcomers:
        row = newcomers.popleft()
        if not choice.is_taken(row):
            return row
    return None


class _Choice:
    """What is left to choose from, and what the last places held."""

    def __init__(self, policy: DiversityPolicy, pool: Pool, by_score: Sequence[int]) -> None:
        self._policy = policy
        self._by_score = np.array(by_score, dtype=np.int64)
        self._scores = pool.scores[self._by_score]
        self._where = {row: index for index, row in enumerate(by_score)}
        self._categories = _Sameness(policy.category, policy.window, [pool.categories[row] for row in by_score], "")
        interests = pool.interests[self._by_score].tolist()
        self._interests = _Sameness(policy.interest, policy.window, interests, NO_INTEREST)
        self._taken: set[int] = set()
        self._first = 0

    def is_taken(self, row: int) -> bool:
        return row in self._taken

    def best(self, *, diverse: bool) -> int:
        """The best that is left; in order of score, the first of equals."""
        scores = self._scores
        if diverse:
            scores = scores * np.maximum(self._categories.factors() * self._interests.factors(), self._policy.floor)
        return int(self._by_score[int(scores.argmax())])

    def take(self, row: int) -> None:
        index = self._where[row]
        # Scores are 0 or more, and what multiplies them is above 0: this is never the best again.
        self._scores[index] = -1.0
        self._taken.add(row)
        self._categories.note(index)
        self._interests.note(index)


class _Sameness:
    """What sameness in one respect leaves of each candidate's score, given the last places."""

    def __init__(self, decay: float, window: int, labels: Sequence[str | int], none: str | int) -> None:
        codes: dict[str | int, int] = {none: 0}
        self._codes = np.array([codes.setdefault(label, len(codes)) for label in labels], dtype=np.int64)
        self._decay = decay
        self._recent: deque[int] = deque()
        self._window = window
        self._counts: Counter[int] = Counter()
        self._by_code = np.ones(len(codes))

    def factors(self) -> FloatArray:
        """Shape (n,)."""
        return self._by_code[self._codes]

    def note(self, index: int) -> None:
        """The next place is this candidate's."""
        self._recent.append(self._change(int(self._codes[index]), 1))
        if len(self._recent) > self._window:
            self._change(self._recent.popleft(), -1)

    def _change(self, code: int, by: int) -> int:
        # Code 0 is that of candidates without the label: they are not like one another.
        if code:
            self._counts[code] += by
            self._by_code[code] = self._decay ** self._counts[code]
        return code
