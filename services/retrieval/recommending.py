"""Candidates for a visitor: close to its interests or to the page, and those that other sources name.

Three round trips at most: what the index knows of the behaviours' products (while texts are encoded and excluded
products are looked up); the best of each direction, together with the named products that pass the filter; and the
cosines that no direction's window showed, so that every candidate is compared with every interest.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from services.common.errors import ServiceError, Violation
from services.retrieval import categories
from services.retrieval.active_search import in_active_version
from services.retrieval.filter_rules import declared_filter
from services.retrieval.filters import ProductFilter
from services.retrieval.geometry import Vector, centre
from services.retrieval.index_version import IndexVersion
from services.retrieval.interests import Interest, Signal, interests_of
from services.retrieval.product_index import Card, Hit, VersionLookUp
from services.retrieval.ranking import Missing
from services.retrieval.recommend_rules import CategoryScope, RecommendQuery, RecommendRules, recommend_violations
from services.retrieval.recommended import Directions, Found, Recommended, merged
from services.retrieval.requests import require
from services.retrieval.search import EncodedQuery, EncodingCost, QueryEncoder
from services.retrieval.seeds import Seed, SeedIndex, signals_of
from services.retrieval.text_cleaning import clean
from services.retrieval.variants import VariantMode


@dataclass(frozen=True, slots=True)
class RecommendResult:
    """Candidates, and what they rest on."""

    products: Sequence[Recommended]
    interests: Sequence[Interest]
    seeds: Sequence[Card]
    version: IndexVersion
    cost: EncodingCost | None
    missing: Sequence[Missing]


class Nearest(NamedTuple):
    """A direction, and how many of the products closest to it are wanted."""

    direction: Vector
    size: int


class RecommendIndex(SeedIndex, VersionLookUp, Protocol):
    """An index that finds products by several directions at once."""

    async def nearest(
        self,
        version: IndexVersion,
        directions: Sequence[Nearest],
        named: Sequence[str],
        wanted: ProductFilter,
        region: str,
        without_groups: Sequence[str],
    ) -> tuple[Sequence[Sequence[Hit]], Sequence[Hit]]:
        """The products closest to each direction, best first, and those of the named ones that are there and pass.

        Raises:
            NotFound: the version is gone.
            Unavailable: the index is away or too slow.
        """

    async def cosines(
        self, version: IndexVersion, asked: Sequence[tuple[Vector, Sequence[str]]]
    ) -> list[dict[str, float]]:
        """Centred cosines of points with a direction, for each direction; raises as `nearest`."""

    async def groups(self, version: IndexVersion, ids: Sequence[str]) -> Sequence[str]:
        """The groups of those products that are there, in no order. Raises as `nearest`."""

    def card(self, hit: Hit, region: str) -> Card:
        """What a result shows of a hit."""


class _Texts(NamedTuple):
    signals: Sequence[Signal]
    cost: EncodingCost | None
    missing: Sequence[Missing]


class Recommending:
    """Finds candidates for visitors."""

    def __init__(self, index: RecommendIndex, encoder: QueryEncoder, rules: RecommendRules) -> None:
        self._index = index
        self._encoder = encoder
        self._rules = rules

    async def find(self, query: RecommendQuery) -> RecommendResult:
        """Candidates by content, best first, then those of other sources in the order of the query; ties by id.

        Raises:
            InvalidArgument: a rule of the request is broken.
            NotFound: there is no such catalogue.
            Unavailable: the index is away.
        """
        require(list(recommend_violations(query, self._rules)))
        return await in_active_version(
            query.catalog, query.wanted, self._index, lambda version: self._find(query, version)
        )

    async def _find(self, query: RecommendQuery, version: IndexVersion) -> RecommendResult:
        violations: list[Violation] = []
        wanted = declared_filter(query.wanted, version.declarations, violations)
        require(violations)
        seeds, groups, texts = await asyncio.gather(
            self._seeds(query, version), self._excluded(query, version), self._texts(query, version)
        )
        signals = [*signals_of(query.behaviours, seeds), *texts.signals]
        interests = interests_of(sorted(signals, key=lambda signal: signal.place), self._rules.interests)
        several = {place for interest in interests if len(interest.places) > 1 for place in interest.places}
        members = {signal.place: signal.direction for signal in signals if signal.place in several}
        page = [seeds[product_id] for product_id in dict.fromkeys(query.page) if product_id in seeds]
        with_vector = [seed for seed in page if seed.vector is not None]
        directions = Directions(interests, with_vector[: self._rules.page_seeds], members)
        if query.scope == CategoryScope.ACROSS:
            wanted = _outside(wanted, seeds.values())
        # A product that is left out may be the primary one of variants without being there itself.
        without = list(dict.fromkeys([*groups, *query.excluded, *query.page, *(seed.group for seed in page)]))
        products = await self._products(query, version, directions, wanted, without)
        cards = [seed.card for seed in seeds.values()]
        return RecommendResult(products, interests, cards, version, texts.cost, texts.missing)

    async def _products(
        self,
        query: RecommendQuery,
        version: IndexVersion,
        directions: Directions,
        wanted: ProductFilter,
        without_groups: Sequence[str],
    ) -> list[Recommended]:
        limit, vectors = self._rules.search.limit_of(query.limit), directions.vectors
        sizes = directions.sizes(limit, self._rules.least)
        nearest = [Nearest(vector, size) for vector, size in zip(vectors, sizes, strict=True)]
        named = list(dict.fromkeys(query.named))
        if not nearest and not named:
            return []
        windows, passed = await self._index.nearest(version, nearest, named, wanted, query.region, without_groups)
        hits = {hit.point: hit for window in [*windows, passed] for hit in window}
        cosines = [{hit.point: hit.score for hit in window} for window in windows]
        found = Found(hits, cosines, {hit.point for window in windows for hit in window}, named)
        found = await self._completed(found, directions, version)
        mode = VariantMode(query.variants)
        return merged(found, directions, limit, mode, lambda hit: self._index.card(hit, query.region))

    async def _completed(self, found: Found, directions: Directions, version: IndexVersion) -> Found:
        """With the cosines that no window showed, and those of the first candidates with single behaviours."""
        unknown = [[point for point in found.hits if point not in scores] for scores in found.cosines]
        first = found.first(self._rules.exact_reasons) if directions.members else []
        if not any(unknown) and not first:
            return found
        asked = [*zip(directions.vectors, unknown, strict=True), *((one, first) for one in directions.members.values())]
        scores = await self._index.cosines(version, asked)
        cosines = [{**known, **more} for known, more in zip(found.cosines, scores, strict=False)]
        members = dict(zip(directions.members, scores[len(cosines) :], strict=True))
        return replace(found, cosines=cosines, members=members)

    async def _seeds(self, query: RecommendQuery, version: IndexVersion) -> dict[str, Seed]:
        ids = [behaviour.product_id for behaviour in query.behaviours if behaviour.product_id]
        wanted = list(dict.fromkeys([*ids, *query.page]))
        return dict(await self._index.seeds(version, wanted, query.region)) if wanted else {}

    async def _excluded(self, query: RecommendQuery, version: IndexVersion) -> Sequence[str]:
        return await self._index.groups(version, query.excluded) if query.excluded else ()

    async def _texts(self, query: RecommendQuery, version: IndexVersion) -> _Texts:
        texts = [(place, clean(one.text), one.weight) for place, one in enumerate(query.behaviours)]
        written = [(place, text, weight) for place, text, weight in texts if text and weight > 0]
        heaviest = sorted(written, key=lambda each: (-each[2], each[0]))[: self._rules.texts]
        encoded = await asyncio.gather(*(self._encode(text, version) for _, text, _ in heaviest))
        signals: list[Signal] = []
        costs: list[EncodingCost] = []
        missing: list[Missing] = []
        for (place, _, weight), answer in zip(heaviest, encoded, strict=True):
            if isinstance(answer, Missing):
                missing = [answer]
                continue
            costs.append(answer.cost)
            centred = centre(answer.vector, version.mean)
            if centred is not None:
                signals.append(Signal(place, centred.direction, weight))
        return _Texts(signals, _sum(costs), missing)

    async def _encode(self, text: str, version: IndexVersion) -> EncodedQuery | Missing:
        try:
            return await self._encoder.encode_query(text, version.model)
        except ServiceError as error:  # stored vectors still serve
            return Missing("WITHOUT_TEXTS", "encoder", error.reason)


def _sum(costs: Sequence[EncodingCost]) -> EncodingCost | None:
    if not costs:
        return None
    return EncodingCost(
        costs[0].model,
        sum(cost.tokens for cost in costs),
        max(cost.queue_seconds for cost in costs),
        sum(cost.compute_seconds for cost in costs),
    )


def _outside(wanted: ProductFilter, seeds: Iterable[Seed]) -> ProductFilter:
    """The filter without the first level of every category that the seeds are in."""
    firsts = {path for seed in seeds for path in seed.categories if len(categories.levels(path)) == 1}
    if not firsts:
        return wanted
    return replace(wanted, none=(*wanted.none, ProductFilter(categories=tuple(sorted(firsts)))))
