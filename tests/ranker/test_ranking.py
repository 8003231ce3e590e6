import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.ranker.adapters.policy_files import read_policies
from services.ranker.factors import FactorRole
from services.ranker.policy_book import PolicyBook
from services.ranker.ranking import Ranker, RankingRequest
from services.ranker.vectors import with_similarities
from tests.ranker.columns import candidates
from tests.ranker.counts import FakeStatistics

NOW = 1_700_000_000.0
NAN = float("nan")


@pytest.fixture(scope="module")
def ranker():
    return Ranker(PolicyBook(read_policies(None)), FakeStatistics(), lambda: NOW)


def request(given, policy="", limit=0):
    return RankingRequest(policy, given, None, {}, limit)


def recomputed(ranking, row):
    total, product = 0.0, 1.0
    for factor in ranking.factors:
        value = float(factor.values[row])
        if factor.role is FactorRole.TERM:
            total += value
        elif factor.role is FactorRole.MULTIPLIER:
            product *= value
    return total * product


def absent_or(strategy):
    return st.one_of(st.just(NAN), strategy)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_score_follows_from_its_factors_to_the_last_bit(ranker, data):
    count = data.draw(st.integers(1, 12))

    def column(strategy):
        return data.draw(st.lists(strategy, min_size=count, max_size=count))

    given_candidates = candidates(
        count,
        lexical=column(st.floats(0, 1e9)),
        centred_cosine=column(absent_or(st.floats(-1, 1))),
        cosine=column(absent_or(st.floats(-1, 1))),
        visitor=column(absent_or(st.floats(-1, 1))),
        sales_count=column(absent_or(st.integers(0, 2**63 - 1).map(float))),
        rating_average=column(absent_or(st.floats(0, 5))),
        rating_count=column(absent_or(st.integers(0, 2**63 - 1).map(float))),
        create_time=column(absent_or(st.floats(-6e10, 2e11))),
        availability=column(st.integers(-1, 6)),
    )
    for policy in ("default", "article"):
        ranking = ranker.rank(request(given_candidates, policy))
        assert ranking.scores.tolist() == [recomputed(ranking, row) for row in range(count)]
        assert np.isfinite(ranking.scores).all()
        assert sorted(ranking.product_ids) == sorted(given_candidates.product_ids)
        order = list(zip((-ranking.scores).tolist(), ranking.product_ids, strict=True))
        assert order == sorted(order)


def test_ties_are_ordered_by_product_id_however_they_come(ranker):
    product_ids = [f"p{number}" for number in range(20)]
    random.Random(1).shuffle(product_ids)
    ranking = ranker.rank(request(candidates(20, product_ids=product_ids, lexical=[1.0] * 20)))
    assert list(ranking.product_ids) == sorted(product_ids)


def test_the_order_of_candidates_in_the_request_changes_nothing(ranker):
    # Sums over the set depend on the order of their terms in the last bits only.
    lexical, cosine = [3.0, 1.0, 8.0, 5.0], [0.2, 0.9, 0.4, 0.1]
    there = ranker.rank(request(candidates(4, lexical=lexical, centred_cosine=cosine, product_ids="abcd")))
    back = ranker.rank(request(candidates(4, lexical=lexical[::-1], centred_cosine=cosine[::-1], product_ids="dcba")))
    assert there.product_ids == back.product_ids
    assert there.scores == pytest.approx(back.scores)


def test_the_limit_keeps_the_best(ranker):
    given_candidates = candidates(4, lexical=[1, 4, 3, 2])
    everything = ranker.rank(request(given_candidates))
    best = ranker.rank(request(given_candidates, limit=2))
    assert best.product_ids == ("p1", "p2") == everything.product_ids[:2]
    assert best.scores.tolist() == everything.scores[:2].tolist()
    assert len(ranker.rank(request(given_candidates, limit=9)).product_ids) == 4


def test_business_decides_between_equals_and_not_against_a_far_better_answer(ranker):
    sold = ranker.rank(request(candidates(3, lexical=[9.0, 9.0, 0.5], sales_count=[3, 5_000, 10**7])))
    assert sold.product_ids == ("p1", "p0", "p2")


def test_a_product_that_cannot_be_bought_goes_behind_its_equal(ranker):
    ranking = ranker.rank(request(candidates(2, lexical=[9.0, 8.9], availability=[2, 1])))
    assert ranking.product_ids == ("p1", "p0")


def test_the_dot_product_of_vectors_is_filled_in_beside_the_cosine():
    filled = with_similarities(
        candidates(3, cosine=[NAN, 0.25, NAN]),
        np.array([3.0, 4.0]),
        {0: np.array([4.0, 3.0]), 1: np.array([1.0, 0.0]), 2: np.array([0.0, 0.0])},
    )
    assert filled.cosine == pytest.approx([24 / 25, 0.25, 0.0])
    assert filled.dot_product == pytest.approx([24.0, 3.0, 0.0])


def test_a_vector_of_another_length_than_the_querys_is_named():
    with pytest.raises(InvalidArgument) as refused:
        with_similarities(candidates(2), np.ones(3), {0: np.ones(3), 1: np.ones(2)})
    assert [v.field for v in refused.value.violations] == ["candidates[1].vector.dims"]


def test_what_was_counted_here_is_added_to_the_imported_sales():
    counts = FakeStatistics({"p1": (5_000, 9_000, 90_000)})
    counting = Ranker(PolicyBook(read_policies(None)), counts, lambda: NOW)
    ranking = counting.rank(request(candidates(2, lexical=[9.0, 9.0], sales_count=[3, 3])))
    assert ranking.product_ids == ("p1", "p0")
    values = {factor.name: factor.values.tolist() for factor in ranking.factors}
    assert values["sales_count"] == [5_003, 3]
    assert values["counted_purchases"] == [5_000, 0]


def test_a_visitor_moves_what_it_likes_up_and_the_reply_says_how_much(ranker):
    lexical = [9.0, 8.9, 1.0]
    plain = ranker.rank(request(candidates(3, lexical=lexical)))
    personal = ranker.rank(request(candidates(3, lexical=lexical, visitor=[0.1, 0.6, 0.1])))
    assert (plain.product_ids[0], personal.product_ids[0]) == ("p0", "p1")
    assert plain.personal_share == 0.0
    # The weight of 0.1 beside 0.35 and 0.65.
    assert personal.personal_share == pytest.approx(0.1 / 1.1)
    assert ranker.rank(request(candidates(2, cosine=[0.1, 0.2], visitor=[0.1, 0.6]), "article")).personal_share == 0.0


def test_a_policy_of_recommendations_is_refused(ranker):
    with pytest.raises(InvalidArgument) as refused:
        ranker.rank(request(candidates(1, lexical=[1.0]), "recommend"))
    assert [(v.field, v.reason) for v in refused.value.violations] == [("policy", "WRONG_KIND")]
