import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidArgument, NotFound
from services.ranker.adapters.policy_files import read_policies
from services.ranker.factors import FactorRole
from services.ranker.features import FACTORS, SCHEMA
from services.ranker.policy_book import PolicyBook
from services.ranker.recommendation import PlaceKind, ReasonCode, Source
from services.ranker.recommending import Recommender
from tests.ranker.counts import FakeStatistics
from tests.ranker.sources import policy, request, viewed

NOW = 1_700_000_000.0
NAN = float("nan")
SHIPPED = read_policies(None)


def recommender(counts=None, own=None, entropy=lambda: 1):
    policies = SHIPPED if own is None else {**SHIPPED, "recommend": own}
    return Recommender(PolicyBook(policies), FakeStatistics(counts), lambda: NOW, entropy)


def values(result, row):
    return {factor.name: float(factor.values[row]) for factor in result.factors}


def recomputed(result, row):
    total, product = 0.0, 1.0
    for factor in result.factors:
        value = float(factor.values[row])
        if factor.role is FactorRole.TERM:
            total += value
        elif factor.role is FactorRole.MULTIPLIER:
            product *= value
    return total * product


def test_a_merge_by_hand():
    own = policy({"co_occurrence": (1.0, "euclidean", "sum", 0.5), "interest": (0.6, "raw", "max", 1.0)})
    result = recommender(own=own).recommend(
        request(
            3,
            (0, "CO_OCCURRENCE", 2.0, "new"),
            (0, "CO_OCCURRENCE", 2.0, "old"),
            (1, "CO_OCCURRENCE", 4.0, "new"),
            columns={"visitor": [0.2, 0.1, 0.9]},
            behaviours=viewed("new", "old"),
        )
    )
    # Co-occurrence: 2 + 2 / 2 = 3 and 4, of length 5: 0.6, 0.8, 0. Interest as it is. Shares 1 / 1.6 and 0.6 / 1.6.
    expected = {"p0": (0.6 + 0.6 * 0.2) / 1.6, "p1": (0.8 + 0.6 * 0.1) / 1.6, "p2": 0.6 * 0.9 / 1.6}
    assert dict(zip(result.product_ids, result.scores, strict=True)) == pytest.approx(expected)
    assert result.product_ids == ["p1", "p0", "p2"]
    assert values(result, 0)["co_occurrence_score"] == 4.0
    assert np.isnan(values(result, 2)["co_occurrence_score"])


def test_business_weighs_less_than_in_a_search():
    columns = {"availability": [1, 2], "visitor": [0.5, 0.5]}
    result = recommender().recommend(request(2, columns=columns, policy="recommend-exploit"))
    # Out of stock is 0.3, to the power of 1/2.
    assert values(result, 1)["availability_weight"] == pytest.approx(0.3**0.5)
    assert result.product_ids == ["p0", "p1"]


def test_few_actions_and_impressions_make_a_product_new_unless_the_shop_has_sold_it():
    # Fewer than 10 actions, 100 impressions.
    counts = {"p0": (0, 9, 99), "p1": (0, 10, 0), "p2": (0, 0, 100), "p3": (0, 0, 0), "p4": (0, 5, 0), "p5": (0, 5, 0)}
    columns = {"sales_count": [NAN, NAN, NAN, 500, 4, 5], "visitor": [0.1] * 6}
    result = recommender(counts, policy()).recommend(request(6, columns=columns))
    new = {product_id: values(result, row)["is_new"] for row, product_id in enumerate(result.product_ids)}
    assert new == {"p0": 1, "p1": 0, "p2": 0, "p3": 0, "p4": 1, "p5": 0}


def test_without_statistics_only_what_a_source_calls_new_is():
    result = recommender().recommend(request(2, (1, "NEW", 1.0, ""), (0, "POPULAR", 1.0, "")))
    new = {product_id: values(result, row)["is_new"] for row, product_id in enumerate(result.product_ids)}
    assert new == {"p0": 0, "p1": 1}


def test_a_reserved_place_shows_a_new_product_that_its_score_would_not():
    count = 30
    visitor = [0.9 - 0.02 * row for row in range(count)]
    counts = {f"p{row}": (10, 10, 100) for row in range(count - 1)}
    reserved = {"most": 1, "first": 5, "every": 5}
    own = policy({"interest": (1.0, "raw", "max", 1.0)}, reserved=reserved)
    result = recommender(counts, own).recommend(request(count, columns={"visitor": visitor}))
    assert result.product_ids[:6] == ["p0", "p1", "p2", "p3", "p29", "p4"]
    assert result.kinds[4] is PlaceKind.RESERVED
    assert result.reasons[4].code is ReasonCode.NEW
    assert result.propensities == [1.0] * count


def test_a_new_product_that_is_much_alike_gets_a_term_of_its_own():
    own = policy(
        {"interest": (0.6, "raw", "max", 1.0), "page": (0.6, "raw", "max", 1.0)},
        newcomers={"weight": 0.3, "power": 3.0},
        reserved={"most": 0, "first": 1, "every": 1},
    )
    counts = {"p0": (5, 50, 500)}
    columns = {"visitor": [0.8, 0.8, -0.5, NAN]}
    result = recommender(counts, own).recommend(
        request(4, (1, "PAGE", 0.2, "a"), (2, "PAGE", 0.4, "a"), columns=columns)
    )
    terms = {product_id: values(result, row)["newcomer_term"] for row, product_id in enumerate(result.product_ids)}
    assert terms == pytest.approx({"p0": 0.0, "p1": 0.3 / 1.2 * 0.8**3, "p2": 0.3 / 1.2 * 0.4**3, "p3": 0.0})


def test_exploiting_alone_reserves_and_explores_nothing():
    given_request = request(60, columns={"visitor": [0.5] * 60}, policy="recommend-exploit")
    result = recommender({}).recommend(given_request)
    assert set(result.kinds) == {PlaceKind.SCORE}
    assert set(result.propensities) == {1.0}


def test_the_same_seed_gives_the_same_draws_and_none_gives_others():
    drawn = iter(range(1, 100))
    recommends = recommender({}, entropy=lambda: next(drawn))

    def order(seed):
        return recommends.recommend(request(60, columns={"visitor": [0.5] * 60}, seed=seed)).product_ids

    assert order(7) == order(7)
    assert len({tuple(order(0)) for _ in range(30)}) > 1


def test_features_hold_every_factor_in_the_order_of_their_schema():
    result = recommender({"p0": (1, 2, 3)}).recommend(request(2, (0, "PAGE", 0.25, "a")))
    assert [factor.name for factor in result.factors] == list(FACTORS)
    assert result.feature_schema == SCHEMA
    for row, features in enumerate(result.features):
        expected = list(values(result, row).values())
        assert struct.unpack(f"<{len(FACTORS)}f", features) == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_the_features_of_schema_1_do_not_change():
    # A change here needs another schema number: models are trained on what was kept.
    assert SCHEMA == 1
    assert len(FACTORS) == 28
    assert FACTORS[:7] == tuple(f"{source.name.lower()}_score" for source in Source)
    assert FACTORS[7:15] == (
        "impressions",
        "counted_actions",
        "counted_purchases",
        "sales_count",
        "rating_average",
        "rating_count",
        "age_days",
        "is_new",
    )
    assert FACTORS[15:22] == tuple(f"{source.name.lower()}_term" for source in Source)
    assert FACTORS[22:] == (
        "newcomer_term",
        "sales_weight",
        "rating_weight",
        "review_count_weight",
        "availability_weight",
        "freshness_weight",
    )


def test_a_policy_of_a_search_is_refused_and_an_unknown_one_not_found():
    with pytest.raises(InvalidArgument) as refused:
        recommender().recommend(request(1, policy="article"))
    assert [(v.field, v.reason) for v in refused.value.violations] == [("policy", "WRONG_KIND")]
    with pytest.raises(NotFound):
        recommender().recommend(request(1, policy="nobody-wrote-this"))


@st.composite
def requests(draw):
    count = draw(st.integers(1, 40))

    def column(strategy):
        return draw(st.lists(strategy, min_size=count, max_size=count))

    entry = st.tuples(
        st.integers(0, count - 1),
        st.sampled_from([source.name for source in Source]),
        st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 1e-300])),
        st.sampled_from(["", "a", "b", "c"]),
    )
    entries = {(row, source, seed): (row, source, score, seed) for row, source, score, seed in draw(st.lists(entry))}
    return request(
        count,
        *entries.values(),
        columns={
            "visitor": column(st.one_of(st.just(NAN), st.floats(-1, 1))),
            "sales_count": column(st.one_of(st.just(NAN), st.integers(0, 2**63 - 1).map(float))),
            "availability": column(st.integers(-1, 6)),
            "product_ids": [f"p{row:02}" for row in range(count)],
        },
        categories=column(st.sampled_from(["", "x", "y"])),
        interests=np.array(column(st.integers(-1, 3)), dtype=np.int64),
        behaviours=[*viewed("a"), *viewed("b", weight=-1.0)],
        seed=draw(st.integers(1, 2**64 - 1)),
        limit=draw(st.integers(0, 50)),
        policy=draw(st.sampled_from(["", "recommend-exploit"])),
    )


@settings(max_examples=150, deadline=None)
@given(requests(), st.sets(st.integers(0, 39)), st.booleans())
def test_what_holds_for_every_list(given_request, unseen, known):
    product_ids = given_request.candidates.product_ids
    counts = {p: (1, 50, 500) for row, p in enumerate(product_ids) if row not in unseen}
    result = recommender(counts if known else None).recommend(given_request)
    count = len(product_ids)
    shown = min(count, given_request.limit or count)
    assert len(result.product_ids) == shown == len(set(result.product_ids))
    assert set(result.product_ids) <= set(product_ids)
    assert result.scores == [recomputed(result, row) for row in range(shown)]
    assert all(np.isfinite(score) and score >= 0 for score in result.scores)
    assert all(0 < propensity <= 1 for propensity in result.propensities)
    rules = SHIPPED[given_request.policy or "recommend"]
    for place, kind in enumerate(result.kinds):
        if kind is PlaceKind.RESERVED:
            assert values(result, place)["is_new"] == 1
            assert (place + 1 - rules.reserved.first) % rules.reserved.every == 0
    if not given_request.policy:
        repeated = recommender(counts if known else None).recommend(given_request)
        assert repeated.product_ids == result.product_ids
