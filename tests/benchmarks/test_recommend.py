"""The plain reference of recommendation, against values computed by hand."""

import gzip
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from benchmarks.recommend_data import (
    BehaviourSet,
    Choice,
    DataError,
    Visitor,
    amazon_beauty,
    shorten_visitors,
    withhold_products,
)
from benchmarks.recommend_interests import InterestRules, interests_of, mean_of, recency_weights
from benchmarks.recommend_metrics import ndcg, quality, recall
from benchmarks.recommend_pairs import PairRules, PairTable
from benchmarks.recommend_reference import FusionRules, Reference

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def choices(*products, days=0):
    return tuple(Choice(NOW - timedelta(days=days), p if isinstance(p, tuple) else (p,)) for p in products)


def shop(*visitors, products=4):
    people = tuple(Visitor(str(i), history, targets) for i, (history, targets) in enumerate(visitors))
    ids = tuple(f"p{i}" for i in range(products))
    return BehaviourSet("shop", ids, ids, people, NOW)


def test_ndcg_discounts_by_the_logarithm_of_the_place():
    assert ndcg([7, 8, 9], {9}) == pytest.approx(0.5)  # third place: 1 / log2(4)
    # places 1 and 3 of two relevant: (1 + 1/2) / (1 + 1/log2(3)), 1/log2(3) = 0.63093
    assert ndcg([1, 2, 3], {1, 3}) == pytest.approx(1.5 / 1.63093, abs=1e-5)
    assert ndcg(list(range(20)), {10}) == 0
    assert ndcg([], {1}) == 0


def test_recall_counts_all_relevant_products():
    assert recall([1, 2, 3], {1, 3, 5, 7}) == 0.5
    assert recall(list(range(20)), {9, 10}) == 0.5


def test_nothing_relevant_has_no_quality():
    for measure in (ndcg, recall):
        with pytest.raises(ValueError, match="nothing is relevant"):
            measure([1], set())


def test_the_standard_error_is_that_of_the_mean():
    # gains 1, 1, 0, 0: variance 1/3, error sqrt(1/3 / 4)
    measured = quality([([1], {1}), ([1], {1}), ([2], {1}), ([2], {1})])
    assert (measured.ndcg, measured.recall, measured.visitors) == (0.5, 0.5, 4)
    assert measured.ndcg_error == pytest.approx(math.sqrt(1 / 12))


def test_a_product_is_paired_with_the_distinct_products_before_it():
    table = PairTable(NOW, PairRules(window=2))
    table.record(choices(0, 1, 0, 2, 3))
    assert table.pair(0, 1) == 1
    assert table.pair(1, 0) == 1
    assert table.pair(0, 2) == 1
    assert table.pair(1, 2) == pytest.approx(2**-0.5)
    assert table.pair(2, 3) == 1
    assert table.pair(0, 3) == pytest.approx(2**-0.5)
    assert table.pair(1, 3) == 0  # three products away, in a window of two
    assert table.total(0) == 2


def test_products_of_one_basket_are_paired_both_ways():
    table = PairTable(NOW)
    table.record(choices(0, (1, 2)))
    assert table.pair(1, 2) == table.pair(2, 1) == 1
    assert table.pair(0, 1) == 1
    assert table.pair(1, 0) == 0


def test_an_old_pair_has_decayed():
    table = PairTable(NOW, PairRules(half_life_days=10))
    table.record(choices(0, 1, days=20))
    assert table.pair(0, 1) == pytest.approx(0.25)
    assert table.total(1) == pytest.approx(0.25)


def test_a_score_is_the_pair_over_both_totals():
    rules = PairRules(backward=0.5, seed_exponent=0.5, product_exponent=0.5, prior=3)
    table = PairTable(NOW, rules)
    table.record(choices(0, 1))
    # totals are 1, with the prior 4: forward 1 / (2 * 2), backward half of it
    assert table.neighbours() == {0: [(1, pytest.approx(0.25))], 1: [(0, pytest.approx(0.125))]}


def test_recency_goes_by_choices_not_by_products():
    weights = recency_weights(choices(5, (0, 1), 2), products=10, recency=0.5)
    assert weights == {2: 1, 1: 0.5, 0: 0.5, 5: 0.25}
    assert list(recency_weights(choices(5, (0, 1), 2), products=2, recency=0.5)) == [2, 1]


VECTORS = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], np.float32)


def test_interests_that_differ_stay_apart():
    found = interests_of({0: 1.0, 1: 1.0, 2: 0.5}, VECTORS, InterestRules(threshold=0.75, share_exponent=0.5))
    # 0 and 1 (cosine .8) join: (1.8, .6) / sqrt(3.6); 2 has cosine .316 with them; its share is a quarter of theirs
    np.testing.assert_allclose(found.vectors, [[0.948683, 0.316228], [0, 1]], atol=1e-6)
    np.testing.assert_allclose(found.weights, [1, 0.5], atol=1e-6)
    np.testing.assert_allclose(found.scores(VECTORS[2:3]), [[0.316228], [0.5]], atol=1e-6)


def test_no_more_interests_than_allowed():
    found = interests_of({0: 1.0, 2: 0.9, 3: 0.8}, VECTORS, InterestRules(threshold=0.9, interests=2))
    # 3 has cosine -1 with 0 and 0 with 2: it joins 2
    np.testing.assert_allclose(found.vectors[1], np.array([-0.8, 0.9]) / np.hypot(0.8, 0.9), atol=1e-6)


def test_the_mean_is_weighted():
    np.testing.assert_allclose(mean_of({0: 3.0, 2: 4.0}, VECTORS).vectors, [[0.6, 0.8]], atol=1e-6)


def test_the_fusion_is_the_weighted_sum_of_raw_scores():
    people = [(choices(0), frozenset({1})), (choices(0, 2), frozenset())]
    reference = Reference(
        shop(*people),
        VECTORS,
        PairRules(seed_exponent=0.0, product_exponent=0.0),
        fusion=FusionRules(co_occurrence=0.5),
    )
    visitor = reference.data.visitors[0]
    # product 2: pair 1 -> 0.5, cosine 0; product 1: no pair, cosine 0.8; product 3: nothing, so it is no candidate
    assert reference.fused(visitor) == [1, 2]
    heavier = Reference(reference.data, VECTORS, reference.pair_rules, fusion=FusionRules(co_occurrence=0.9))
    assert heavier.fused(visitor) == [2, 1]
    assert reference.together(visitor) == [2]
    assert reference.popular(visitor) == [2, 1, 3]


def test_products_seen_are_left_out_unless_repeats_are_wanted():
    people = [(choices(0, 1, 0), frozenset({0})), (choices(2, 1), frozenset())]
    plain = Reference(shop(*people), VECTORS)
    visitor = plain.data.visitors[0]
    assert not set(plain.fused(visitor)) & visitor.seen
    assert Reference(plain.data, VECTORS, fusion=FusionRules(bought=4.0)).fused(visitor)[:2] == [0, 1]


def test_a_product_without_behaviour_inherits_from_those_like_it():
    vectors = np.array([[1, 0, 0], [0, 1, 0], [0.1, 0.8, 0.592], [0.3, 0, 0.954]], np.float32)
    people = [(choices(0), frozenset({2})), (choices(0, 1), frozenset())]
    rules = PairRules(seed_exponent=0.0, product_exponent=0.0)
    alone = Reference(shop(*people), vectors, rules, fusion=FusionRules(co_occurrence=1.0))
    visitor = alone.data.visitors[0]
    assert alone.fused(visitor) == [1, 3, 2]
    # 2 has cosine .8 with 1, whose co-occurrence is 1; 3 has cosine 0 with it and .3 with the interest: .3 + .5 * .027
    heir = Reference(alone.data, vectors, rules, fusion=FusionRules(co_occurrence=1.0, newcomer=1.0))
    assert heir.fused(visitor) == [1, 2, 3]


def test_withheld_products_are_in_no_history_but_stay_targets():
    data = shop(*((choices(0, 1, 2, 3), frozenset({product})) for product in range(4)))
    cold, withheld = withhold_products(data, 0.5, seed=1)
    assert len(withheld) == 2
    assert all(visitor.seen == frozenset(range(4)) - withheld for visitor in cold.visitors)
    assert [visitor.targets for visitor in cold.visitors] == [visitor.targets for visitor in data.visitors]
    assert withhold_products(data, 0.5, seed=1)[1] == withheld


def test_cold_visitors_keep_their_newest_product():
    data = shop(*((choices(0, (1, 2)), frozenset({3})) for _ in range(4)))
    cut, chosen = shorten_visitors(data, 0.5, seed=1)
    assert len(chosen) == 2
    assert {visitor.visitor_id for visitor in cut.visitors if visitor.seen == {2}} == chosen


def written(folder, sequence):
    with gzip.open(folder / "titles.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("product_id\ttitle\nB2\tsoap\nB1\tcr\u00e8me\n")
    with gzip.open(folder / "sequences_without_last.txt.gz", "wt", encoding="utf-8") as file:
        file.write(sequence)
    return folder


def test_the_last_product_of_a_sequence_is_the_target(tmp_path):
    data = amazon_beauty(written(tmp_path, "u0 B2 B1 B2\n"))
    assert (data.product_ids, data.titles) == (("B1", "B2"), ("cr\u00e8me", "soap"))
    (visitor,) = data.visitors
    assert [choice.products for choice in visitor.history] == [(1,), (0,)]
    assert visitor.targets == {1}
    assert visitor.history[-1].time < data.split


@pytest.mark.parametrize("sequence", ["u0 B1\n", "u0 B1 B9\n"])
def test_a_sequence_that_cannot_be_is_refused(tmp_path, sequence):
    with pytest.raises(DataError, match="sequence"):
        amazon_beauty(written(tmp_path, sequence))
