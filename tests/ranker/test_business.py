import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ranker.adapters.policy_files import read_policies
from services.ranker.business import business_weights
from services.ranker.policy import BusinessPolicy
from tests.ranker.columns import candidates

NOW = 1_700_000_000.0
DAY = 86_400.0
POLICY = BusinessPolicy.model_validate(
    {
        "sales": {"typical_count": 99, "gain": 1.5, "exponent": 0.25},
        "rating": {"prior_average": 4, "prior_count": 10, "exponent": 1},
        "review_count": {"typical_count": 9, "gain": 2, "exponent": 0.1},
        "availability": {"in_stock": 1, "out_of_stock": 0.3, "preorder": 0.9, "backorder": 0.8},
        "freshness": {"gain": 0.2, "half_life_days": 30},
    }
)


def weights(name, **columns):
    count = len(next(iter(columns.values())))
    return getattr(business_weights(POLICY, candidates(count, **columns), NOW), name)


def test_what_is_not_known_weighs_one():
    unknown = business_weights(POLICY, candidates(1), NOW)
    for name in ("sales", "rating", "review_count", "availability", "freshness"):
        assert getattr(unknown, name).tolist() == [1.0]


def test_sales_weigh_one_when_typical_and_saturate():
    # By hand: log 100 is half of log 10,000, so u = 0, 1/2, 2/3; (1 + 1.5 u) / 1.75.
    expected = [(1 / 1.75) ** 0.25, 1.0, (2 / 1.75) ** 0.25]
    assert weights("sales", sales_count=[0, 99, 9_999]) == pytest.approx(expected, rel=1e-12)
    assert weights("sales", sales_count=[2**63 - 1])[0] < (2.5 / 1.75) ** 0.25


def test_the_rating_is_shrunk_towards_the_prior_by_few_ratings():
    # By hand: 10 fives on top of a prior of 10 fours are 4.5, so 5.5 / 5; one five is 4 + 1/11.
    few_and_many = weights("rating", rating_average=[5, 5, 5, 0], rating_count=[10, 1, 10**9, 10**9])
    assert few_and_many == pytest.approx([1.1, (5 + 1 / 11) / 5, 1.2, 0.2], rel=1e-6)


def test_no_ratings_are_no_rating_and_few_reviews():
    assert weights("rating", rating_average=[math.nan], rating_count=[0]).tolist() == [1.0]
    assert weights("review_count", rating_count=[0, 9]) == pytest.approx([0.5**0.1, 1.0])


def test_every_availability_has_its_weight_and_one_from_the_future_weighs_one():
    assert weights("availability", availability=[0, 1, 2, 3, 4, 99, -7]).tolist() == [1, 1, 0.3, 0.9, 0.8, 1, 1]


def test_freshness_halves_with_every_half_life_and_a_product_of_tomorrow_is_new():
    ages = [0, 30, 60, -1, 36_500]
    fresh = weights("freshness", create_time=[NOW - age * DAY for age in ages])
    assert fresh == pytest.approx([1.2, 1.1, 1.05, 1.2, 1.0])


@given(
    sales=st.integers(0, 2**63 - 1),
    average=st.floats(0, 5),
    count=st.integers(0, 2**63 - 1),
    created=st.floats(-62_135_596_800, 253_402_300_799),
)
def test_the_default_business_moves_a_score_by_bounded_factors(sales, average, count, created):
    policy = read_policies(None)["default"].business
    columns = {"sales_count": [sales], "rating_average": [average], "rating_count": [count], "create_time": [created]}
    result = business_weights(policy, candidates(1, **columns), NOW)
    factors = np.array([result.sales, result.rating, result.review_count, result.freshness])
    assert factors.min() > 0.5
    assert factors.max() < 1.1
