"""Candidates for a text: by meaning and by words, with every leg's score.

At most two round trips to the index. The first asks both legs for their best; the second asks each leg for the scores
of what only the other one found, and is left out where a leg returned less than it was asked for: it then has
returned every product that it knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from services.common.errors import ServiceError, Unavailable, Violation
from services.retrieval.analysis import SparseVector, query_vector
from services.retrieval.filters import EVERYTHING, ProductFilter, filter_violations
from services.retrieval.fusion import fused
from services.retrieval.geometry import CentredVector, Column, Vector, centre, similarities
from services.retrieval.index_version import IndexVersion, Model
from services.retrieval.requests import require
from services.retrieval.text_cleaning import clean
from services.retrieval.validation import ProductLimits, too_long


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a caller asks for."""

    catalog: str
    text: str
    limit: int
    wanted: ProductFilter = EVERYTHING
    region: str = ""


@dataclass(frozen=True, slots=True)
class SearchRules:
    """Limits and weights of a search."""

    query_characters: int
    default_limit: int
    max_limit: int
    lexical_weight: float
    product_limits: ProductLimits


@dataclass(frozen=True, slots=True)
class EncodingCost:
    """What one query's vector cost."""

    model: Model
    tokens: int
    queue_seconds: float
    compute_seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class EncodedQuery:
    """A query's vector as the model gives it, shape (dims,)."""

    vector: Vector
    cost: EncodingCost


class Hit(NamedTuple):
    """A product as a leg of the index returned it."""

    point: str
    """Id of its point in the index."""
    score: float
    product_id: str
    card: str
    """What a result shows, packed by the index's adapter and unpacked at the edge: opaque in between."""
    offer: str
    """The region's offer, packed likewise; empty = none there."""
    length: float
    """Length of the product's vector; NaN = it has none yet."""
    centred_length: float
    """The same once the mean is taken away."""


class LegQuery(NamedTuple):
    """What the legs look for: None for a leg that does not run."""

    direction: Vector | None
    words: SparseVector | None


class LegHits(NamedTuple):
    """What the legs found, best first; None for a leg that did not run."""

    dense: Sequence[Hit] | None
    lexical: Sequence[Hit] | None


class LegScores(NamedTuple):
    """Scores by point of what was asked for; what a leg has nothing to say of is left out."""

    dense: Mapping[str, float]
    lexical: Mapping[str, float]


class ScoredProduct(NamedTuple):
    """A candidate. NaN = not known."""

    product_id: str
    card: str
    offer: str
    cosine: float
    centred_cosine: float
    dot_product: float
    lexical: float


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that an answer had to do without."""

    kind: str
    """LEXICAL_ONLY, SEMANTIC_ONLY or SCORES_INCOMPLETE."""
    component: str
    reason: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Candidates in retrieval's own order."""

    products: Sequence[ScoredProduct]
    version: IndexVersion
    cost: EncodingCost | None
    missing: Sequence[Missing]
    round_trips: int


class QueryEncoder(Protocol):
    """Turns queries into vectors."""

    async def encode_query(self, text: str, model: Model) -> EncodedQuery:
        """The vector of one text by exactly that model.

        Raises:
            ServiceError: the encoder is away, busy, too slow, or has another model loaded.
        """


class ProductIndex(Protocol):
    """Finds products."""

    async def version(self, catalog: str) -> IndexVersion:
        """The active index version.

        Raises:
            NotFound: the catalogue has none.
            Unavailable: the index is away.
        """

    async def find(self, version: IndexVersion, legs: LegQuery, query: SearchQuery) -> LegHits:
        """The best `query.limit` products of each leg that pass the filter.

        Raises:
            Unavailable: the index is away or too slow.
        """

    async def scores(
        self, version: IndexVersion, legs: LegQuery, dense: Sequence[str], lexical: Sequence[str]
    ) -> LegScores:
        """Scores of the given points, by leg. Raises as `find`."""


class CandidateSearch:
    """Finds candidates for a text."""

    def __init__(self, encoder: QueryEncoder, index: ProductIndex, rules: SearchRules) -> None:
        self._encoder = encoder
        self._index = index
        self._rules = rules

    async def search(self, query: SearchQuery) -> SearchResult:
        """Candidates for a query, best first, ties by product id.

        Raises:
            InvalidArgument: a rule of the request is broken.
            NotFound: there is no such catalogue.
            Unavailable: the index is away; or the encoder is, and the query has no word to look for.
        """
        text = clean(query.text) if len(query.text) <= self._rules.query_characters else ""
        require(query_violations(query, text, self._rules))
        query = replace(query, limit=min(query.limit or self._rules.default_limit, self._rules.max_limit))
        version = await self._index.version(query.catalog)
        words = query_vector(text)
        encoded, missing = await self._encode(text, version)
        centred = None if encoded is None else centre(encoded.vector, version.mean)
        if encoded is not None and centred is None:
            missing = [Missing("LEXICAL_ONLY", "encoder", "VECTOR_WITHOUT_DIRECTION")]
        if not words[0]:
            _require_a_leg(centred, missing)
            missing = [Missing("SEMANTIC_ONLY", "retrieval", "QUERY_WITHOUT_WORDS")]
        legs = LegQuery(None if centred is None else centred.direction, words if words[0] else None)
        hits = await self._index.find(version, legs, query)
        union, round_trips, incomplete = await self._complete(version, legs, hits, query.limit)
        products = _scored(union, centred, version.mean)
        ranked = _ranked(products, legs, self._rules.lexical_weight)[: query.limit]
        cost = None if encoded is None else encoded.cost
        return SearchResult(ranked, version, cost, [*missing, *incomplete], round_trips)

    async def _encode(self, text: str, version: IndexVersion) -> tuple[EncodedQuery | None, list[Missing]]:
        try:
            return await self._encoder.encode_query(text, version.model), []
        except ServiceError as error:  # whatever the encoder's trouble is, words still find something
            return None, [Missing("LEXICAL_ONLY", "encoder", error.reason)]

    async def _complete(
        self, version: IndexVersion, legs: LegQuery, hits: LegHits, limit: int
    ) -> tuple["_Union", int, list[Missing]]:
        union = _Union.of(hits)
        ask_dense = union.without(union.dense) if _is_cut(hits.dense, limit) else []
        ask_lexical = union.without(union.lexical) if _is_cut(hits.lexical, limit) else []
        if not ask_dense and not ask_lexical:
            return union.closed(hits, LegScores({}, {})), 1, []
        try:
            found = await self._index.scores(version, legs, ask_dense, ask_lexical)
        except ServiceError as error:
            return union, 2, [Missing("SCORES_INCOMPLETE", "qdrant", error.reason)]
        return union.closed(hits, found), 2, []


def query_violations(query: SearchQuery, text: str, rules: SearchRules) -> list[Violation]:
    """Every rule that a request breaks; `text` is its cleaned query."""
    violations = list(too_long("query", query.text, rules.query_characters))
    if not violations and not text:
        violations.append(Violation("query", "must hold text", "REQUIRED"))
    if query.limit < 0:
        violations.append(Violation("limit", "must not be negative", "OUT_OF_RANGE"))
    violations += too_long("region", query.region, rules.product_limits.region_characters)
    violations += filter_violations(query.wanted, rules.product_limits)
    return violations


@dataclass(frozen=True, slots=True)
class _Union:
    """All products that any leg found, and the scores by leg."""

    hits: Mapping[str, Hit]
    dense: Mapping[str, float]
    lexical: Mapping[str, float]

    @classmethod
    def of(cls, legs: LegHits) -> "_Union":
        dense, lexical = legs.dense or (), legs.lexical or ()
        return cls(
            {hit.point: hit for hit in (*dense, *lexical)},
            {hit.point: hit.score for hit in dense},
            {hit.point: hit.score for hit in lexical},
        )

    def without(self, scores: Mapping[str, float]) -> list[str]:
        """Points that a leg has not scored."""
        return [point for point in self.hits if point not in scores]

    def closed(self, legs: LegHits, found: LegScores) -> "_Union":
        """With the scores of the second round trip: 0 where the lexical leg ran and found no word in common."""
        lexical = dict.fromkeys(self.hits, 0.0) if legs.lexical is not None else {}
        return _Union(self.hits, {**self.dense, **found.dense}, {**lexical, **self.lexical, **found.lexical})


def _is_cut(hits: Sequence[Hit] | None, limit: int) -> bool:
    return hits is not None and len(hits) >= limit


def _require_a_leg(centred: CentredVector | None, missing: Sequence[Missing]) -> None:
    if centred is None:
        reason = missing[0].reason if missing else "NOTHING_TO_SEARCH_BY"
        raise Unavailable(
            "the query has no indexable word and the encoder cannot be reached", reason=reason, retry_after=1.0
        )


def _scored(union: _Union, centred: CentredVector | None, mean: Vector) -> list[ScoredProduct]:
    hits = list(union.hits.values())
    count = len(hits)
    dense = _column(union.dense, hits)
    lengths = np.fromiter((hit.length for hit in hits), np.float64, count)
    centred_lengths = np.fromiter((hit.centred_length for hit in hits), np.float64, count)
    unknown = np.full(count, np.nan)
    cosine, dot = unknown, unknown
    if centred is not None:
        similarity = similarities(dense, lengths, centred_lengths, centred, mean)
        cosine, dot = similarity.cosine, similarity.dot_product
    lexical = _column(union.lexical, hits)
    columns = zip(hits, cosine.tolist(), dense.tolist(), dot.tolist(), lexical.tolist(), strict=True)
    return [ScoredProduct(hit.product_id, hit.card, hit.offer, *scores) for hit, *scores in columns]


def _column(scores: Mapping[str, float], hits: Sequence[Hit]) -> Column:
    return np.fromiter((scores.get(hit.point, np.nan) for hit in hits), np.float64, len(hits))


def _ranked(products: Sequence[ScoredProduct], legs: LegQuery, lexical_weight: float) -> list[ScoredProduct]:
    if not products:
        return []
    dense = np.array([product.centred_cosine for product in products]) if legs.direction is not None else None
    lexical = np.array([product.lexical for product in products]) if legs.words is not None else None
    # Rounded, so that the order does not hang on the last bit of a sum.
    order = np.round(fused(dense, lexical, lexical_weight), 9).tolist()
    pairs = sorted(zip(order, products, strict=True), key=lambda pair: (-pair[0], pair[1].product_id))
    return [product for _, product in pairs]
