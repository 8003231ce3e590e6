"""What visitors choose one after another: sequential item-to-item co-occurrence, kept incrementally.

A visitor's sequence is what was chosen, in the visitor's own order of time. Each product that begins a run in it is
paired with the nearest different products before it, the nearer the heavier:

    pair(a, b) = sum over visitors and places of distance(a before b) ** -distance_exponent, decayed by its age

The products of one event, a basket, have no order: their pairs count both ways.

(The sequential rules of Ludewig and Jannach, "Evaluation of session-based recommendation algorithms", 2018, section
3.2.) What goes together with `a` is read from both directions, damped where either is chosen often:

    score(a, b) = (pair(a, b) + backward pair(b, a)) / ((chosen(a) + prior) ** s (chosen(b) + prior) ** t)

(Deshpande and Karypis, "Item-based top-N recommendation algorithms", 2004, section 4.1, equation 6.)
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class PairRules:
    """How products are paired. Tables that were counted by other rules are counted again, not mixed."""

    window: int = 10
    """Different products before a product that it is paired with."""
    tail: int = 40
    """Choices of a visitor that are kept; above `window`."""
    distance_exponent: float = 0.5
    half_life: float = 90.0
    """Days."""

    def distance_weights(self) -> tuple[float, ...]:
        """Weight of the nearest product, of the second, ..."""
        return tuple(distance**-self.distance_exponent for distance in range(1, self.window + 1))


@dataclass(frozen=True, slots=True)
class ScoreRules:
    """How pairs become scores, each time they are read."""

    backward: float = 0.4
    prior: float = 20.0
    """Added to how often a product is chosen: what is hardly known is damped like what is chosen a little."""
    seed_exponent: float = 0.9
    """`s` of the formula."""
    popularity_exponent: float = 0.1
    """`t` of the formula."""
    scanned: int = 200
    """Heaviest pairs of a product that are read in each direction."""


class Choice(NamedTuple):
    """The beginning of a run of one product."""

    time: int
    """Unix microseconds."""
    product_id: str
    before: tuple[str, ...]
    """Different products before it, the nearest first."""
    together: int
    """How many of them, the first ones, are of the same time: a basket has no order, so its pairs count both ways."""


@dataclass(slots=True)
class Sequence:
    """The last choices of one visitor; changed in place."""

    times: list[int] = field(default_factory=list)
    """Unix microseconds, rising; equal ones in the order in which they became known."""
    product_ids: list[str] = field(default_factory=list)
    is_cut: bool = False
    """Whether earlier choices were let go."""


def insert(sequence: Sequence, time: int, product_id: str, rules: PairRules) -> Iterable[tuple[Choice, int]]:
    """Puts a choice into its place; returns the choices that this adds (1) and takes away (-1).

    A choice that became known late changes what stands before those after it. The outcome is the same as if it had been
    known in time, except where the sequence was cut and too little is left before the place: then it is let go.
    """
    place = bisect_right(sequence.times, time)
    is_late = place < len(sequence.times)
    if is_late and sequence.is_cut and len(set(sequence.product_ids[:place])) <= rules.window:
        return ()
    old = Counter(_choices(sequence, place, rules)) if is_late else Counter[Choice]()
    sequence.times.insert(place, time)
    sequence.product_ids.insert(place, product_id)
    new = _choices(sequence, place, rules)
    changes = list(_difference(old, new)) if is_late else [(choice, 1) for choice in new]
    if len(sequence.times) > rules.tail:
        del sequence.times[0], sequence.product_ids[0]
        sequence.is_cut = True
    return changes


def _difference(old: Counter[Choice], new: Iterable[Choice]) -> Iterator[tuple[Choice, int]]:
    change = Counter(new)
    change.subtract(old)
    return ((choice, count) for choice, count in change.items() if count)


def _choices(sequence: Sequence, start: int, rules: PairRules) -> list[Choice]:
    places = range(start, len(sequence.times))
    return [choice for place in places if (choice := _choice(sequence, place, rules)) is not None]


def _choice(sequence: Sequence, place: int, rules: PairRules) -> Choice | None:
    product_ids = sequence.product_ids
    product_id = product_ids[place]
    if place and product_ids[place - 1] == product_id:
        return None
    before: list[str] = []
    together = 0
    for earlier in range(place - 1, -1, -1):
        other = product_ids[earlier]
        if other != product_id and other not in before:
            before.append(other)
            together += sequence.times[earlier] == sequence.times[place]
            if len(before) == rules.window:
                break
    return Choice(sequence.times[place], product_id, tuple(before), together)
