"""The order of candidates: relevance x business weight, with every factor kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.common.errors import invalid
from services.ranker.business import business_weights
from services.ranker.candidates import Candidates, FloatArray, check
from services.ranker.factors import Factor, FactorRole, total
from services.ranker.policy_book import PolicyBook
from services.ranker.relevance import Relevance, relevance
from services.ranker.search_policy import SearchPolicy
from services.ranker.statistics import Counted, Statistics, with_counts
from services.ranker.vectors import with_similarities


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Candidates in their order, best first."""

    policy_name: str
    policy_version: str
    scorer: str
    product_ids: tuple[str, ...]
    scores: FloatArray
    """Shape (n,): exactly the sum of the TERMs times the product of the MULTIPLIERs, in float64, in their order."""
    factors: tuple[Factor, ...]
    """In the order in which they enter."""
    personal_share: float
    """Weight of the visitor's term among all, 0 to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class RankingRequest:
    """What to order, and by which policy."""

    policy: str
    candidates: Candidates
    query: FloatArray | None
    """Shape (dims,); None = the candidates bring their scores."""
    vectors: Mapping[int, FloatArray]
    """Shape (dims,) by row of the candidate."""
    limit: int
    """Places to fill; 0 = all."""
    catalog: str = ""
    """Whose statistics count; empty = `default`."""


class Ranker:
    """Orders candidates by the policies of a book."""

    def __init__(self, policies: PolicyBook, statistics: Statistics, clock: Callable[[], float]) -> None:
        self._policies = policies
        self._statistics = statistics
        self._clock = clock

    def rank(self, request: RankingRequest) -> Ranking:
        """The best `limit` candidates.

        Raises:
            InvalidArgument: names the fields that are out of range or missing, or the policy is no search's.
            NotFound: there is no such policy.
        """
        if request.limit < 0:
            raise invalid("limit", "must not be negative", "OUT_OF_RANGE")
        policy, version = self._policies.search(request.policy)
        candidates = with_similarities(request.candidates, request.query, request.vectors)
        check(candidates)
        counted = self._statistics.counted(request.catalog, candidates.product_ids)
        candidates = with_counts(candidates, counted)
        legs = relevance(policy.relevance, candidates)
        factors = formula(policy, candidates, counted, legs, self._clock())
        return _ordered(policy, version, candidates.product_ids, factors, legs.personal_share, request.limit)


def formula(
    policy: SearchPolicy, candidates: Candidates, counted: Counted, legs: Relevance, now: float
) -> tuple[Factor, ...]:
    """Every factor of the article's formula, ranking = relevance x business weight, at `now` in Unix seconds."""
    business = business_weights(policy.business, candidates, now)
    return (
        Factor("cosine", FactorRole.INPUT, candidates.cosine),
        Factor("centred_cosine", FactorRole.INPUT, candidates.centred_cosine),
        Factor("dot_product", FactorRole.INPUT, candidates.dot_product),
        Factor("lexical_score", FactorRole.INPUT, candidates.lexical),
        Factor("visitor_cosine", FactorRole.INPUT, candidates.visitor),
        Factor("similarity_relevance", FactorRole.INPUT, legs.similarity),
        Factor("lexical_relevance", FactorRole.INPUT, legs.lexical),
        Factor("visitor_relevance", FactorRole.INPUT, legs.visitor),
        Factor("counted_purchases", FactorRole.INPUT, counted.purchases),
        Factor("sales_count", FactorRole.INPUT, candidates.sales_count),
        Factor("rating_average", FactorRole.INPUT, candidates.rating_average),
        Factor("rating_count", FactorRole.INPUT, candidates.rating_count),
        Factor("age_days", FactorRole.INPUT, business.age_days),
        Factor("similarity_term", FactorRole.TERM, legs.similarity_term),
        Factor("lexical_term", FactorRole.TERM, legs.lexical_term),
        Factor("visitor_term", FactorRole.TERM, legs.visitor_term),
        Factor("sales_weight", FactorRole.MULTIPLIER, business.sales),
        Factor("rating_weight", FactorRole.MULTIPLIER, business.rating),
        Factor("review_count_weight", FactorRole.MULTIPLIER, business.review_count),
        Factor("availability_weight", FactorRole.MULTIPLIER, business.availability),
        Factor("freshness_weight", FactorRole.MULTIPLIER, business.freshness),
    )


def _ordered(
    policy: SearchPolicy,
    version: str,
    product_ids: Sequence[str],
    factors: Sequence[Factor],
    personal_share: float,
    limit: int,
) -> Ranking:
    scores = total(factors)
    by_score = scores.tolist()
    order = sorted(range(len(product_ids)), key=lambda row: (-by_score[row], product_ids[row]))[: limit or None]
    return Ranking(
        policy_name=policy.name,
        policy_version=version,
        scorer=policy.scorer,
        product_ids=tuple(product_ids[row] for row in order),
        scores=scores[order],
        factors=tuple(Factor(factor.name, factor.role, factor.values[order]) for factor in factors),
        personal_share=personal_share,
    )
