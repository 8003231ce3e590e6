import numpy as np
import pytest

from services.ranker.merging import merge
from services.ranker.recommendation import Action, Behaviour, Source
from tests.ranker.sources import policy, said, viewed

NAN = float("nan")


def merged(weights, entries, behaviours=(), count=3, visitor=None):
    unknown = np.full(count, NAN)
    return merge(policy(weights).sources, said(*entries), behaviours, unknown if visitor is None else np.array(visitor))


def test_seeds_that_agree_add_up_each_less_the_older_it_is():
    # By hand: a is the newest, b one older, c two older. p0: 2 + 0.5 x 4 = 4; p1: 0.25 x 8 = 2.
    entries = [
        (0, "CO_OCCURRENCE", 2.0, "a"),
        (0, "CO_OCCURRENCE", 4.0, "b"),
        (1, "CO_OCCURRENCE", 8.0, "c"),
    ]
    result = merged({"co_occurrence": (1.0, "peak", "sum", 0.5)}, entries, viewed("a", "b", "c"))
    assert result.raw[Source.CO_OCCURRENCE].tolist()[:2] == [4.0, 2.0]
    assert np.isnan(result.raw[Source.CO_OCCURRENCE][2])
    assert result.terms[Source.CO_OCCURRENCE].tolist() == [1.0, 0.5, 0.0]


def test_the_largest_of_a_likeness_counts():
    entries = [(0, "PAGE", 0.25, "a"), (0, "PAGE", 0.5, "b"), (1, "PAGE", -0.5, "a")]
    result = merged({"page": (1.0, "raw", "max", 1.0)}, entries)
    assert result.raw[Source.PAGE].tolist()[:2] == [0.5, -0.5]
    assert result.terms[Source.PAGE].tolist() == [0.5, 0.0, 0.0]


@pytest.mark.parametrize(
    ("normalisation", "expected"),
    [
        ("peak", [0.75, 1.0, 0.0]),
        # The length of (3, 4) is 5.
        ("euclidean", [0.6, 0.8, 0.0]),
        # log 4 / log 5.
        ("logarithm", [0.861353116146786, 1.0, 0.0]),
    ],
)
def test_scores_of_one_source_come_to_one_scale(normalisation, expected):
    entries = [(0, "POPULAR", 3.0, ""), (1, "POPULAR", 4.0, "")]
    result = merged({"popular": (2.0, normalisation, "max", 1.0)}, entries)
    assert result.terms[Source.POPULAR] == pytest.approx(expected)


def test_weights_are_shares_of_their_sum():
    entries = [(0, "POPULAR", 5.0, ""), (1, "TRENDING", 7.0, "")]
    rules = {"popular": (1.0, "peak", "max", 1.0), "trending": (3.0, "peak", "max", 1.0)}
    result = merged(rules, entries)
    assert result.terms[Source.POPULAR].tolist() == [0.25, 0.0, 0.0]
    assert result.terms[Source.TRENDING].tolist() == [0.0, 0.75, 0.0]


def test_what_the_visitor_does_not_want_recommends_nothing():
    behaviours = [
        Behaviour(Action.OTHER, "dismissed", -3.0),
        Behaviour(Action.VIEW, "dismissed", 1.0),
        Behaviour(Action.VIEW, "liked", 1.0),
    ]
    entries = [(0, "CO_OCCURRENCE", 9.0, "dismissed"), (1, "CO_OCCURRENCE", 1.0, "liked")]
    result = merged({"co_occurrence": (1.0, "peak", "sum", 0.5)}, entries, behaviours)
    # The dismissed product takes no place among those that make others older.
    assert result.terms[Source.CO_OCCURRENCE].tolist() == [0.0, 1.0, 0.0]


def test_the_products_of_one_basket_are_of_one_age():
    basket = [Behaviour(Action.PURCHASE, product_id, 1.0, 90.0) for product_id in ("a", "b")]
    behaviours = [Behaviour(Action.VIEW, "new", 1.0, 10.0), *basket, Behaviour(Action.VIEW, "old", 1.0, 500.0)]
    entries = [(0, "CO_OCCURRENCE", 8.0, seed) for seed in ("a", "b")] + [(1, "CO_OCCURRENCE", 8.0, "old")]
    result = merged({"co_occurrence": (1.0, "peak", "sum", 0.5)}, entries, behaviours)
    assert result.raw[Source.CO_OCCURRENCE].tolist()[:2] == [8.0, 2.0]


def test_a_product_of_the_page_is_as_new_as_the_newest():
    behaviours = viewed("a", "b", "shown")
    entries = [(0, "CO_OCCURRENCE", 4.0, "shown"), (1, "CO_OCCURRENCE", 4.0, "b"), (2, "PAGE", 0.1, "shown")]
    result = merged({"co_occurrence": (1.0, "peak", "sum", 0.5)}, entries, behaviours)
    assert result.raw[Source.CO_OCCURRENCE].tolist()[:2] == [4.0, 2.0]


def test_likeness_to_the_interests_is_taken_from_the_candidate_where_it_is_known():
    entries = [(0, "INTEREST", 0.9, "a"), (1, "INTEREST", 0.4, "a")]
    result = merged({"interest": (1.0, "raw", "max", 1.0)}, entries, visitor=[0.3, NAN, 0.2])
    assert result.terms[Source.INTEREST].tolist() == [0.3, 0.4, 0.2]


def test_very_small_and_very_large_scores_stay_finite():
    for scale in (5e-324, 1e-200, 1e9):
        entries = [(0, "CO_OCCURRENCE", scale, "a"), (1, "CO_OCCURRENCE", scale, "b")]
        result = merged({"co_occurrence": (1.0, "euclidean", "sum", 1.0)}, entries)
        assert result.terms[Source.CO_OCCURRENCE][:2] == pytest.approx([0.5**0.5, 0.5**0.5])


def test_what_was_bought_before_dominates_co_occurrence_however_strong_that_is():
    rules = {"co_occurrence": (8.0, "raw", "sum", 1.0), "bought_before": (4.0, "dominant", "max", 1.0)}
    entries = [(0, "CO_OCCURRENCE", 3.0, "a"), (1, "CO_OCCURRENCE", 4.0, "a"), (2, "BOUGHT_BEFORE", 2.0, "")]
    result = merged(rules, entries, viewed("a"))
    # Co-occurrence 24 and 32, of length 40: what was bought before gets 4 x 40. All over the weights' sum, 12.
    assert result.terms[Source.CO_OCCURRENCE].tolist() == [2.0, 32 / 12, 0.0]
    assert result.terms[Source.BOUGHT_BEFORE].tolist() == [0.0, 0.0, pytest.approx(160 / 12)]
    weak = merged(rules, [(0, "CO_OCCURRENCE", 0.01, "a"), (2, "BOUGHT_BEFORE", 2.0, "")], viewed("a"))
    assert weak.terms[Source.BOUGHT_BEFORE].tolist() == [0.0, 0.0, pytest.approx(4 / 12)]
