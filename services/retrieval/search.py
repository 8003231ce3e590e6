"""Candidates for a text: by meaning and by words, with every leg's score.

The legs are asked for their best, which makes the result set; then each leg for the scores of what only the other one
found, unless it was not cut: it then has returned every product that it knows.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final, Protocol

from services.common.errors import ServiceError, Unavailable, Violation
from services.retrieval.active_search import in_active_version
from services.retrieval.analysis import has_analyser, query_vector
from services.retrieval.answering import Answer, Answering, Legs, Wish
from services.retrieval.facet_rules import FacetLimits, facet_violations, undeclared_facets
from services.retrieval.facets import FacetSpec
from services.retrieval.filter_rules import FilterLimits, declared_filter, filter_violations
from services.retrieval.filters import EVERYTHING, ProductFilter
from services.retrieval.geometry import Vector, centre
from services.retrieval.index_version import IndexVersion, Model
from services.retrieval.personal import PersonalScores
from services.retrieval.product_index import LegQuery, VersionLookUp
from services.retrieval.ranking import Missing
from services.retrieval.relaxing import RelaxationMode
from services.retrieval.requests import require
from services.retrieval.seeds import Behaviour, behaviour_violations
from services.retrieval.sorting import SortOrder
from services.retrieval.text_cleaning import clean
from services.retrieval.validation import ProductLimits, too_long
from services.retrieval.variants import VariantMode

_RETRY_AFTER: Final = 1.0


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a caller asks for. Modes are numbers of their enums, not yet known to be values of them."""

    catalog: str
    text: str
    limit: int
    wanted: ProductFilter = EVERYTHING
    region: str = ""
    facets: Sequence[FacetSpec] = ()
    order: int = SortOrder.RELEVANCE
    relaxation: int = RelaxationMode.STRICT
    variants: int = VariantMode.COLLAPSED
    behaviours: Sequence[Behaviour] = ()
    """What the visitor did, newest first."""


@dataclass(frozen=True, slots=True)
class SearchRules:
    """Limits of a search."""

    query_characters: int
    default_limit: int
    max_limit: int
    product_limits: ProductLimits
    filter_limits: FilterLimits = field(default_factory=FilterLimits)
    facet_limits: FacetLimits = field(default_factory=FacetLimits)
    behaviours: int = 200
    """Behaviours of a visitor in one request."""

    def limit_of(self, asked: int) -> int:
        """Candidates at most."""
        return min(asked or self.default_limit, self.max_limit)


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


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Candidates in the order asked for."""

    answer: Answer
    version: IndexVersion
    missing: Sequence[Missing]
    cost: EncodingCost | None = None


class QueryEncoder(Protocol):
    """Turns queries into vectors."""

    async def encode_query(self, text: str, model: Model) -> EncodedQuery:
        """The vector of one text by exactly that model.

        Raises:
            ServiceError: the encoder is away, busy, too slow, or has another model loaded.
        """


class CandidateSearch:
    """Finds candidates for a text."""

    def __init__(
        self,
        encoder: QueryEncoder,
        versions: VersionLookUp,
        answering: Answering,
        personal: PersonalScores,
        rules: SearchRules,
    ) -> None:
        self._encoder = encoder
        self._versions = versions
        self._answering = answering
        self._personal = personal
        self._rules = rules

    async def search(self, query: SearchQuery) -> SearchResult:
        """Candidates for a query, ties by product id.

        Raises:
            InvalidArgument: a rule of the request is broken.
            NotFound: there is no such catalogue.
            Unavailable: the index is away; or the encoder is, and the query has no word to look for.
        """
        text = clean(query.text) if len(query.text) <= self._rules.query_characters else ""
        require(query_violations(query, text, self._rules))
        return await in_active_version(
            query.catalog, query.wanted, self._versions, lambda version: self._search(query, text, version)
        )

    async def _search(self, query: SearchQuery, text: str, version: IndexVersion) -> SearchResult:
        wish = declared_wish(query, version, self._rules)
        (legs, missing, cost), interests = await asyncio.gather(
            self._legs(text, version), self._personal.interests(version, query.behaviours, query.region)
        )
        answer = await self._answering.answer(legs, wish)
        products, not_personal = await self._personal.scored(version, answer.products, interests.known)
        lacking = [*missing, *answer.missing, *interests.missing, *not_personal]
        return SearchResult(replace(answer, products=products), version, lacking, cost)

    async def _legs(self, text: str, version: IndexVersion) -> tuple[Legs, list[Missing], EncodingCost | None]:
        encoded, missing = await self._encode(text, version)
        centred = None if encoded is None else centre(encoded.vector, version.mean)
        if encoded is not None and centred is None:
            missing = [Missing("LEXICAL_ONLY", "encoder", "VECTOR_WITHOUT_DIRECTION")]
        words = query_vector(text) if has_analyser(version.analyser_version) else None
        if words is None or not words[0]:
            if centred is None:
                raise _nothing_to_search_by(missing)
            reason = "ANALYSER_NOT_AVAILABLE" if words is None else "QUERY_WITHOUT_WORDS"
            words, missing = None, [Missing("SEMANTIC_ONLY", "retrieval", reason)]
        cost = None if encoded is None else encoded.cost
        return Legs(version, LegQuery(None if centred is None else centred.direction, words), centred), missing, cost

    async def _encode(self, text: str, version: IndexVersion) -> tuple[EncodedQuery | None, list[Missing]]:
        try:
            return await self._encoder.encode_query(text, version.model), []
        except ServiceError as error:  # whatever the encoder's trouble is, words still find something
            return None, [Missing("LEXICAL_ONLY", "encoder", error.reason)]


def query_violations(query: SearchQuery, text: str, rules: SearchRules) -> list[Violation]:
    """Every rule that a request breaks, whatever its catalogue declares; `text` is its cleaned query."""
    violations = list(too_long("query", query.text, rules.query_characters))
    if not violations and not text:
        violations.append(Violation("query", "must hold text", "REQUIRED"))
    violations += limit_violations(query.limit)
    violations += too_long("region", query.region, rules.product_limits.region_characters)
    violations += filter_violations(query.wanted, rules.filter_limits, rules.product_limits)
    violations += facet_violations(query.facets, rules.facet_limits, rules.product_limits)
    violations += mode_violations("order", query.order, SortOrder)
    violations += mode_violations("relaxation", query.relaxation, RelaxationMode)
    violations += mode_violations("variants", query.variants, VariantMode)
    violations += behaviour_violations(query.behaviours, rules.behaviours, rules.query_characters)
    return violations


def limit_violations(limit: int) -> Iterator[Violation]:
    """The rule of a limit."""
    if limit < 0:
        yield Violation("limit", "must not be negative", "OUT_OF_RANGE")


def mode_violations(name: str, number: int, modes: type[IntEnum]) -> Iterator[Violation]:
    """The rule of an enum."""
    if number not in set(modes):
        yield Violation(name, "must be a known value", "OUT_OF_RANGE")


def declared_wish(query: SearchQuery, version: IndexVersion, rules: SearchRules) -> Wish:
    """What is wanted, in the terms of the version's declarations.

    Raises:
        InvalidArgument: the filter or a facet names what is not declared, or not as what it is.
    """
    violations: list[Violation] = []
    wanted = declared_filter(query.wanted, version.declarations, violations)
    violations += undeclared_facets(query.facets, version.declarations)
    require(violations)
    return Wish(
        wanted,
        query.region,
        rules.limit_of(query.limit),
        query.facets,
        SortOrder(query.order),
        VariantMode(query.variants),
        query.relaxation == RelaxationMode.RELAX_FILTER,
    )


def _nothing_to_search_by(missing: Sequence[Missing]) -> Unavailable:
    reason = missing[0].reason if missing else "NOTHING_TO_SEARCH_BY"
    message = "the query has no indexable word and the encoder cannot be reached"
    return Unavailable(message, reason=reason, retry_after=_RETRY_AFTER)
