"""The order of candidates: relevance x business weight, with every factor kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import reduce

import numpy as np

from services.common.errors import invalid
from services.ranker.business import business_weights
from services.ranker.candidates import Candidates, FloatArray, check
from services.ranker.policy import Policy, PolicyBook
from services.ranker.relevance import relevance
from services.ranker.vectors import with_similarities


class FactorRole(Enum):
    """How a factor enters the score."""

    INPUT = "input"
    """Not by itself; shown for people."""
    TERM = "term"
    MULTIPLIER = "multiplier"


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """One number of every candidate; `values` has shape (n,), NaN = an INPUT that is not known."""

    name: str
    role: FactorRole
    values: FloatArray


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


class Ranker:
    """Orders candidates by the policies of a book."""

    def __init__(self, policies: PolicyBook, clock: Callable[[], float]) -> None:
        self._policies = policies
        self._clock = clock

    def rank(self, request: RankingRequest) -> Ranking:
        """The best `limit` candidates.

        Raises:
            InvalidArgument: names the fields that are out of range or missing.
            NotFound: there is no such policy.
        """
        if request.limit < 0:
            raise invalid("limit", "must not be negative", "OUT_OF_RANGE")
        policy, version = self._policies.named(request.policy)
        candidates = with_similarities(request.candidates, request.query, request.vectors)
        check(candidates)
        factors = formula(policy, candidates, self._clock())
        return _ordered(policy, version, candidates.product_ids, factors, request.limit)


def formula(policy: Policy, candidates: Candidates, now: float) -> tuple[Factor, ...]:
    """Every factor of the article's formula, ranking = relevance x business weight, at `now` in Unix seconds.

    Raises:
        InvalidArgument: a candidate has no score that the policy can use.
    """
    legs = relevance(policy.relevance, candidates)
    business = business_weights(policy.business, candidates, now)
    return (
        Factor("cosine", FactorRole.INPUT, candidates.cosine),
        Factor("centred_cosine", FactorRole.INPUT, candidates.centred_cosine),
        Factor("dot_product", FactorRole.INPUT, candidates.dot_product),
        Factor("lexical_score", FactorRole.INPUT, candidates.lexical),
        Factor("similarity_relevance", FactorRole.INPUT, legs.similarity),
        Factor("lexical_relevance", FactorRole.INPUT, legs.lexical),
        Factor("sales_count", FactorRole.INPUT, candidates.sales_count),
        Factor("rating_average", FactorRole.INPUT, candidates.rating_average),
        Factor("rating_count", FactorRole.INPUT, candidates.rating_count),
        Factor("age_days", FactorRole.INPUT, business.age_days),
        Factor("similarity_term", FactorRole.TERM, legs.similarity_term),
        Factor("lexical_term", FactorRole.TERM, legs.lexical_term),
        Factor("sales_weight", FactorRole.MULTIPLIER, business.sales),
        Factor("rating_weight", FactorRole.MULTIPLIER, business.rating),
        Factor("review_count_weight", FactorRole.MULTIPLIER, business.review_count),
        Factor("availability_weight", FactorRole.MULTIPLIER, business.availability),
        Factor("freshness_weight", FactorRole.MULTIPLIER, business.freshness),
    )


def _ordered(
    policy: Policy, version: str, product_ids: Sequence[str], factors: Sequence[Factor], limit: int
) -> Ranking:
    scores = _total(factors)
    by_score = scores.tolist()
    order = sorted(range(len(product_ids)), key=lambda row: (-by_score[row], product_ids[row]))[: limit or None]
    return Ranking(
        policy_name=policy.name,
        policy_version=version,
        scorer=policy.scorer,
        product_ids=tuple(product_ids[row] for row in order),
        scores=scores[order],
        factors=tuple(Factor(factor.name, factor.role, factor.values[order]) for factor in factors),
    )


def _total(factors: Sequence[Factor]) -> FloatArray:
    # Spelled out rather than summed by numpy, whose pairwise order a caller could not repeat.
    terms = [factor.values for factor in factors if factor.role is FactorRole.TERM]
    multipliers = [factor.values for factor in factors if factor.role is FactorRole.MULTIPLIER]
    return np.asarray(reduce(np.add, terms) * reduce(np.multiply, multipliers), dtype=np.float64)
