"""What the sources beside retrieval bring to a recommendation: products with scores and what they go back to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from services.common.errors import ServiceError
from services.gateway.popularity import Popular, Popularity
from services.gateway.ranked_lists import Missing

INTEREST, CO_OCCURRENCE, PAGE, TRENDING, POPULAR, NEW, BOUGHT_BEFORE = range(1, 8)
"""Numbers as in zhiyin.common.v1.RecommendationSource."""
Related: TypeAlias = Mapping[str, Sequence[tuple[str, float]]]
"""Products and their scores by the product that they go together with, best first."""


class SourceScore(NamedTuple):
    """What one source says of one product."""

    source: int
    score: float
    seed: str = ""
    """Product of the visitor or the page that it goes back to."""


@dataclass(frozen=True, slots=True)
class Sourced:
    """What the sources bring."""

    scores: Mapping[str, Sequence[SourceScore]]
    """By product id, in the order in which they are asked for."""

    @property
    def product_ids(self) -> list[str]:
        """All products, those of the strongest sources first."""
        return list(self.scores)


class RelatedSource(Protocol):
    """Feedback: what goes together."""

    async def related(self, catalog: str, product_ids: Sequence[str]) -> Related:
        """Products and scores by product.

        Raises:
            ServiceError: feedback cannot tell in time.
        """
        ...


class Sources:
    """Asks the sources."""

    def __init__(self, related: RelatedSource, popularity: Popularity, most: int) -> None:
        """`most` is the number of products that they bring together."""
        self._related = related
        self._popularity = popularity
        self._most = most

    async def of(
        self, catalog: str, seeds: Sequence[str], bought_before: Iterable[tuple[str, float]], excluded: Iterable[str]
    ) -> tuple[Sourced, list[Missing]]:
        """What they bring, without the excluded products, and what is missing of it."""
        missing: list[Missing] = []
        related: Related = {}
        if seeds:
            try:
                related = await self._related.related(catalog, seeds)
            except ServiceError as error:
                missing.append(Missing("WITHOUT_CO_OCCURRENCE", "feedback", error.reason))
        popular, stale = await self._popularity.of(catalog)
        return sourced(related, bought_before, popular, excluded, self._most), [*missing, *stale]


def sourced(
    related: Related, bought_before: Iterable[tuple[str, float]], popular: Popular, excluded: Iterable[str], most: int
) -> Sourced:
    """Products of all sources, `most` at most.

    What was bought before comes first, then what goes together with the seeds, then what is popular. Of each seed the
    best products come before the second best of any.
    """
    left_out = set(excluded)
    scores: dict[str, list[SourceScore]] = {}

    def add(product_id: str, score: SourceScore) -> None:
        if product_id not in left_out and (product_id in scores or len(scores) < most):
            scores.setdefault(product_id, []).append(score)

    for product_id, strength in bought_before:
        add(product_id, SourceScore(BOUGHT_BEFORE, strength))
    longest = max(map(len, related.values()), default=0)
    for place in range(longest):
        for seed, products in related.items():
            if place < len(products):
                product_id, score = products[place]
                add(product_id, SourceScore(CO_OCCURRENCE, score, seed))
    for source, products in ((TRENDING, popular.trending), (POPULAR, popular.popular)):
        for product_id, score in products:
            add(product_id, SourceScore(source, score))
    return Sourced(scores)
