"""Recommendations: the sources merged, arranged, explored, and each product with its reason."""

import random
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.common.errors import invalid
from services.ranker.arranging import Pool, arrange
from services.ranker.business import BusinessWeights, business_weights, softened
from services.ranker.candidates import Candidates, FloatArray
from services.ranker.exploration import Draw, draw
from services.ranker.factors import Factor, FactorRole, total
from services.ranker.features import SCHEMA, packed
from services.ranker.merging import Merged, merge, newcomer_term
from services.ranker.novelty import is_new
from services.ranker.policy_book import PolicyBook
from services.ranker.reasons import Reasons
from services.ranker.recommend_policy import RecommendPolicy
from services.ranker.recommendation import RecommendationRequest, Recommendations, Source
from services.ranker.statistics import Counted, Statistics, with_counts

_NAMES: Final = {source: source.name.lower() for source in Source}


class Recommender:
    """Recommends by the policies of a book."""

    def __init__(
        self, policies: PolicyBook, statistics: Statistics, clock: Callable[[], float], entropy: Callable[[], int]
    ) -> None:
        self._policies = policies
        self._statistics = statistics
        self._clock = clock
        self._entropy = entropy

    def recommend(self, request: RecommendationRequest) -> Recommendations:
        """The first `limit` places; the request has been checked.

        Raises:
            InvalidArgument: the limit is negative, or the policy is of another kind.
            NotFound: there is no such policy.
        """
        if request.limit < 0:
            raise invalid("limit", "must not be negative", "OUT_OF_RANGE")
        policy, version = self._policies.recommend(request.policy)
        counted = self._statistics.counted(request.catalog, request.candidates.product_ids)
        new = is_new(policy.novelty, request.candidates, counted, request.said)
        candidates = with_counts(request.candidates, counted)
        merged = merge(policy.sources, request.said, request.behaviours, candidates.visitor)
        business = softened(business_weights(policy.business, candidates, self._clock()), policy.business_exponent)
        newcomers = newcomer_term(policy.newcomers, policy.sources, merged, new)
        factors = _factors(candidates, counted, new, merged, newcomers, business)
        scores = total(factors)
        pool = Pool(candidates.product_ids, scores, merged.content, request.categories, request.interests, new)
        arrangement = arrange(policy.diversity, policy.reserved, pool)
        # Exploration is no secret, and has to be repeatable from its seed.
        drawn = draw(policy.exploration, arrangement, random.Random(request.seed or self._entropy()))  # noqa: S311
        reasons = Reasons(request, merged, policy.reasons.title_length)
        return _recommendations(policy, version, request, factors, scores, drawn, reasons)


def _factors(
    candidates: Candidates,
    counted: Counted,
    new: NDArray[np.bool_],
    merged: Merged,
    newcomers: FloatArray,
    business: BusinessWeights,
) -> tuple[Factor, ...]:
    """In the order of `features.FACTORS`."""
    return (
        *(Factor(f"{_NAMES[source]}_score", FactorRole.INPUT, merged.raw[source]) for source in Source),
        Factor("impressions", FactorRole.INPUT, counted.impressions),
        Factor("counted_actions", FactorRole.INPUT, counted.actions),
        Factor("counted_purchases", FactorRole.INPUT, counted.purchases),
        Factor("sales_count", FactorRole.INPUT, candidates.sales_count),
        Factor("rating_average", FactorRole.INPUT, candidates.rating_average),
        Factor("rating_count", FactorRole.INPUT, candidates.rating_count),
        Factor("age_days", FactorRole.INPUT, business.age_days),
        Factor("is_new", FactorRole.INPUT, new.astype(np.float64)),
        *(Factor(f"{_NAMES[source]}_term", FactorRole.TERM, merged.terms[source]) for source in Source),
        Factor("newcomer_term", FactorRole.TERM, newcomers),
        Factor("sales_weight", FactorRole.MULTIPLIER, business.sales),
        Factor("rating_weight", FactorRole.MULTIPLIER, business.rating),
        Factor("review_count_weight", FactorRole.MULTIPLIER, business.review_count),
        Factor("availability_weight", FactorRole.MULTIPLIER, business.availability),
        Factor("freshness_weight", FactorRole.MULTIPLIER, business.freshness),
    )


def _recommendations(
    policy: RecommendPolicy,
    version: str,
    request: RecommendationRequest,
    factors: tuple[Factor, ...],
    scores: FloatArray,
    drawn: Draw,
    reasons: Reasons,
) -> Recommendations:
    shown = list(drawn.rows[: request.limit or None])
    ordered = tuple(Factor(factor.name, factor.role, factor.values[shown]) for factor in factors)
    kinds = drawn.kinds[: len(shown)]
    return Recommendations(
        policy_name=policy.name,
        policy_version=version,
        scorer=policy.scorer,
        product_ids=[request.candidates.product_ids[row] for row in shown],
        scores=scores[shown].tolist(),
        propensities=drawn.propensities[: len(shown)],
        kinds=kinds,
        reasons=[
            reasons.reason(row, kind, brought_up=row in drawn.brought_up)
            for row, kind in zip(shown, kinds, strict=True)
        ],
        factors=ordered,
        features=packed(ordered),
        feature_schema=SCHEMA,
    )
