"""From what each direction found to one list of candidates, with every direction's cosine."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from services.retrieval.geometry import Column, Vector
from services.retrieval.interests import Interest, visitor_scores
from services.retrieval.product_index import Card, Hit
from services.retrieval.seeds import Seed
from services.retrieval.variants import Result, VariantMode, results_of


class Recommended(NamedTuple):
    """A candidate. NaN = not known."""

    product_id: str
    card: Card
    visitor: float
    """Score for the visitor (interests.py)."""
    interest: int | None
    """Place of the interest that gives it."""
    interest_cosine: float
    seed: int | None
    """Place of the behaviour that it goes back to: the closest one of the interest, or the heaviest."""
    page_cosine: float
    page_product_id: str
    """Product of the page that it is closest to."""
    is_by_content: bool
    other_variants: int


class Scores(NamedTuple):
    """Columns by candidate, NaN = not known; places are of interests and of the page's products."""

    visitor: Column
    interest: Sequence[int]
    interest_cosine: Column
    page: Column
    page_place: Sequence[int]


@dataclass(frozen=True, slots=True)
class Directions:
    """Where candidates are looked for: the interests first, then products of the page."""

    interests: Sequence[Interest]
    page: Sequence[Seed]
    """Each has a vector."""
    members: Mapping[int, Vector] = field(default_factory=dict)
    """Directions of the behaviours of interests that have several, by the behaviour's place."""

    @property
    def vectors(self) -> list[Vector]:
        """Unit vectors without the model's mean; each of shape (dims,)."""
        page = [seed.vector.direction for seed in self.page if seed.vector is not None]
        return [*(interest.direction for interest in self.interests), *page]

    def sizes(self, limit: int, least: int) -> list[int]:
        """Candidates of each direction: by their shares, half of them for the page where there are both."""
        page = [1.0 / len(self.page) for _ in self.page]
        both = 0.5 if self.interests and page else 1.0
        shares = [*(interest.share for interest in self.interests), *page]
        return [min(limit, max(least, round(limit * share * both))) for share in shares]

    def scores(self, cosines: Column) -> Scores:
        """What cosines, of shape (candidates, directions), say of each candidate."""
        count, own = len(cosines), len(self.interests)
        visitor, interest = np.full(count, np.nan), np.zeros(count, np.int64)
        page, place = np.full(count, np.nan), np.zeros(count, np.int64)
        if own and count:
            visitor, interest = visitor_scores(cosines[:, :own], [each.share for each in self.interests])
        if self.page and count:
            known = np.where(np.isnan(cosines[:, own:]), -np.inf, cosines[:, own:])
            place = known.argmax(axis=1)
            page = known[np.arange(count), place]
            page = np.where(np.isinf(page), np.nan, page)
        cosine = cosines[np.arange(count), interest] if own and count else np.full(count, np.nan)
        return Scores(visitor, interest.tolist(), cosine, page, place.tolist())


@dataclass(frozen=True, slots=True)
class Found:
    """What the index found."""

    hits: Mapping[str, Hit]
    """All candidates, by point."""
    cosines: Sequence[Mapping[str, float]]
    """By point, for each direction."""
    by_content: AbstractSet[str]
    """Points that a direction's window showed."""
    named: Sequence[str]
    """Ids of products that other sources brought, in their order."""
    members: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    """Cosines of the first candidates with behaviours, by the behaviour's place and by point."""

    def first(self, count: int) -> list[str]:
        """The points that a window showed closest, ties by id."""
        best = {point: max(scores.get(point, -1.0) for scores in self.cosines) for point in self.by_content}
        return sorted(best, key=lambda point: (-best[point], point))[:count]


def merged(
    found: Found, directions: Directions, limit: int, mode: VariantMode, card: Callable[[Hit], Card]
) -> list[Recommended]:
    """Candidates by content first, best first, `limit` of them; then the others in their order; ties by product id."""
    points = list(found.hits)
    cosines = np.array([[scores.get(point, np.nan) for scores in found.cosines] for point in points], np.float64)
    scores = directions.scores(cosines.reshape(len(points), len(found.cosines)))
    best = np.fmax(scores.visitor, scores.page).tolist()
    row = {point: place for place, point in enumerate(points)}
    order = {product_id: place for place, product_id in enumerate(found.named)}
    content = sorted(
        (hit for point, hit in found.hits.items() if point in found.by_content),
        key=lambda hit: (-best[row[hit.point]], hit.product_id),
    )
    others = [hit for point, hit in found.hits.items() if point not in found.by_content]
    results = results_of([*content, *sorted(others, key=lambda hit: order[hit.product_id])], mode)
    kept: list[Result] = []
    for result in results:
        # Named products are the caller's own, however many.
        if result.hit.point not in found.by_content or result.hit.product_id in order or limit > 0:
            kept.append(result)
            limit -= result.hit.point in found.by_content
    return [_recommended(result, row[result.hit.point], scores, directions, found, card) for result in kept]


def _recommended(
    result: Result, row: int, scores: Scores, directions: Directions, found: Found, card: Callable[[Hit], Card]
) -> Recommended:
    visitor, page = float(scores.visitor[row]), float(scores.page[row])
    interest = None if np.isnan(visitor) else scores.interest[row]
    return Recommended(
        result.hit.product_id,
        card(result.hit),
        visitor,
        interest,
        float(scores.interest_cosine[row]),
        None if interest is None else _seed(directions.interests[interest], result.hit.point, found),
        page,
        "" if np.isnan(page) else directions.page[scores.page_place[row]].product_id,
        result.hit.point in found.by_content,
        result.other_variants,
    )


def _seed(interest: Interest, point: str, found: Found) -> int:
    """Place of the behaviour that a candidate is closest to, the heaviest one where that is not known."""
    cosines = {place: found.members[place][point] for place in interest.places if point in found.members.get(place, {})}
    return max(cosines, key=lambda place: cosines[place]) if cosines else interest.places[0]
