"""Business weight: what sales, rating, reviews, availability and freshness make of a relevance.

A product of five factors. Each is bounded, and 1 where nothing is known: such a product counts as a typical one,
neither rewarded nor punished.

    sales, reviews   ((1 + gain u) / (1 + gain / 2)) ^ exponent,  u = log1p(n) / (log1p(n) + log1p(typical))
                     u is 0 for none, 1/2 at the typical count, below 1 always; exponent <= 1/4, because counts have
                     a long tail and would otherwise drown the relevance
    rating           ((1 + r) / (1 + prior)) ^ exponent,  r = prior + (average - prior) n / (n + prior count)
                     the Bayesian average: one five-star review is worth little
    availability     a number per state
    freshness        1 + gain 2 ^ -(age / half-life)
"""

from dataclasses import dataclass

import numpy as np

from services.ranker.candidates import Availability, Candidates, FloatArray
from services.ranker.policy import AvailabilityWeights, BusinessPolicy, CountWeight, FreshnessWeight, RatingWeight

SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class BusinessWeights:
    """The factors; arrays of shape (n,), each above 0."""

    sales: FloatArray
    rating: FloatArray
    review_count: FloatArray
    availability: FloatArray
    freshness: FloatArray
    age_days: FloatArray
    """What freshness came from; NaN = not known, 0 for a product of the future."""


def business_weights(policy: BusinessPolicy, candidates: Candidates, now: float) -> BusinessWeights:
    """Weights of every candidate at `now`, in Unix seconds."""
    age_days = np.maximum(now - candidates.create_time, 0.0) / SECONDS_PER_DAY
    return BusinessWeights(
        sales=_count_weight(policy.sales, candidates.sales_count),
        rating=_rating_weight(policy.rating, candidates.rating_average, candidates.rating_count),
        review_count=_count_weight(policy.review_count, candidates.rating_count),
        availability=_availability_weight(policy.availability, candidates),
        freshness=_freshness_weight(policy.freshness, age_days),
        age_days=age_days,
    )


def softened(weights: BusinessWeights, exponent: float) -> BusinessWeights:
    """The same weights, each raised to `exponent`, so that their product is."""
    return BusinessWeights(
        sales=weights.sales**exponent,
        rating=weights.rating**exponent,
        review_count=weights.review_count**exponent,
        availability=weights.availability**exponent,
        freshness=weights.freshness**exponent,
        age_days=weights.age_days,
    )


def _count_weight(policy: CountWeight, count: FloatArray) -> FloatArray:
    size = np.log1p(count)
    share = size / (size + np.log1p(policy.typical_count))
    return _or_one(((1.0 + policy.gain * share) / (1.0 + policy.gain / 2.0)) ** policy.exponent)


def _rating_weight(policy: RatingWeight, average: FloatArray, count: FloatArray) -> FloatArray:
    trust = count / (count + policy.prior_count)
    shrunk = policy.prior_average + (average - policy.prior_average) * trust
    return _or_one(((1.0 + shrunk) / (1.0 + policy.prior_average)) ** policy.exponent)


def _availability_weight(policy: AvailabilityWeights, candidates: Candidates) -> FloatArray:
    weights = np.ones(len(candidates.product_ids))
    for state, weight in (
        (Availability.IN_STOCK, policy.in_stock),
        (Availability.OUT_OF_STOCK, policy.out_of_stock),
        (Availability.PREORDER, policy.preorder),
        (Availability.BACKORDER, policy.backorder),
    ):
        weights[candidates.availability == state] = weight
    return weights


def _freshness_weight(policy: FreshnessWeight, age_days: FloatArray) -> FloatArray:
    return _or_one(1.0 + policy.gain * np.exp2(-age_days / policy.half_life_days))


def _or_one(weights: FloatArray) -> FloatArray:
    return np.where(np.isnan(weights), 1.0, weights)
