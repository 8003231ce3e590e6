"""How close the candidates of a search are to what its visitor wants.

The vectors of the behaviours' products are fetched while the query is encoded; the candidates that a search gives are
then compared with every interest in one more round trip. A search without behaviours costs nothing more.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from services.common.errors import NotFound, ServiceError
from services.retrieval.geometry import Vector
from services.retrieval.index_version import IndexVersion
from services.retrieval.interests import Interest, InterestRules, interests_of, visitor_scores
from services.retrieval.ranking import Missing, ScoredProduct
from services.retrieval.seeds import Behaviour, SeedIndex, signals_of


class PersonalIndex(SeedIndex, Protocol):
    """An index that compares points with directions."""

    async def cosines(
        self, version: IndexVersion, asked: Sequence[tuple[Vector, Sequence[str]]]
    ) -> list[dict[str, float]]:
        """Centred cosines of points with a direction, for each direction; raises as `seeds`."""

    def point_of(self, catalog: str, product_id: str) -> str:
        """Id of a product's point."""


class Interests(NamedTuple):
    """What a visitor wants, as far as it could be told."""

    known: Sequence[Interest]
    missing: Sequence[Missing]


class PersonalScores:
    """Scores candidates for visitors."""

    def __init__(self, index: PersonalIndex, rules: InterestRules) -> None:
        self._index = index
        self._rules = rules

    async def interests(self, version: IndexVersion, behaviours: Sequence[Behaviour], region: str) -> Interests:
        """Interests by the products of the behaviours; texts are left out.

        Raises:
            NotFound: the version is gone.
        """
        ids = list(dict.fromkeys(behaviour.product_id for behaviour in behaviours if behaviour.product_id))
        if not ids:
            return Interests((), ())
        try:
            seeds = await self._index.seeds(version, ids, region)
        except NotFound:
            raise
        except ServiceError as error:
            return Interests((), [Missing("NOT_PERSONALISED", "qdrant", error.reason)])
        return Interests(interests_of(signals_of(behaviours, seeds), self._rules), ())

    async def scored(
        self, version: IndexVersion, products: Sequence[ScoredProduct], interests: Sequence[Interest]
    ) -> tuple[Sequence[ScoredProduct], Sequence[Missing]]:
        """The products with their scores for the visitor; unchanged where there are no interests."""
        if not interests or not products:
            return products, ()
        points = [self._index.point_of(version.catalog, product.product_id) for product in products]
        try:
            found = await self._index.cosines(version, [(interest.direction, points) for interest in interests])
        except ServiceError as error:
            return products, [Missing("NOT_PERSONALISED", "qdrant", error.reason)]
        cosines = np.array([[scores.get(point, np.nan) for scores in found] for point in points], np.float64)
        scores, _ = visitor_scores(cosines, [interest.share for interest in interests])
        columns = zip(products, scores.tolist(), strict=True)
        return [product._replace(visitor=score) for product, score in columns], ()
