import random

import numpy as np
import pytest

from services.ranker.statistics import ProductCounts, StatisticsTable, with_counts
from tests.ranker.columns import candidates

NAN = float("nan")


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def table(max_products=100, clock=None):
    return StatisticsTable(max_products, clock or Clock())


def counts(product_id, purchases=1.0, actions=2.0, impressions=3.0, popularity=1.0, catalog="default"):
    return ProductCounts(catalog, product_id, purchases, actions, impressions, popularity)


def read(statistics, *product_ids, catalog=""):
    counted = statistics.counted(catalog, product_ids)
    return np.stack([counted.purchases, counted.actions, counted.impressions], axis=1).tolist()


def test_nothing_is_known_until_the_feed_has_been_read_to_its_end():
    statistics = table()
    statistics.apply([counts("a")])
    assert np.isnan(read(statistics, "a")).all()
    statistics.mark_current()
    assert read(statistics, "a", "b") == [[1, 2, 3], [0, 0, 0]]


def test_the_latest_word_on_a_product_counts():
    statistics = table()
    statistics.apply([counts("a"), counts("a", purchases=5), counts("b")])
    statistics.apply([counts("b", impressions=9)])
    statistics.mark_current()
    assert read(statistics, "b", "a") == [[1, 2, 9], [5, 2, 3]]
    assert statistics.product_count == 2


def test_catalogues_are_apart_and_no_name_means_default():
    statistics = table()
    statistics.apply([counts("a", catalog="shoes"), counts("a", purchases=7)])
    statistics.mark_current()
    assert read(statistics, "a") == read(statistics, "a", catalog="default") == [[7, 2, 3]]
    assert read(statistics, "a", catalog="shoes") == [[1, 2, 3]]
    assert read(statistics, "a", catalog="never heard of") == [[0, 0, 0]]


def test_what_was_erased_leaves_nothing():
    statistics = table()
    statistics.apply([counts("a"), counts("a", 0, 0, 0), counts("b", 0, 0, 0)])
    statistics.mark_current()
    assert statistics.product_count == 0
    assert read(statistics, "a") == [[0, 0, 0]]


def test_the_least_popular_leave_when_there_are_too_many():
    statistics = table(max_products=40)
    statistics.apply([counts(f"p{number}", popularity=number) for number in range(41)])
    statistics.mark_current()
    # 95% of 40 are left.
    assert statistics.product_count == 38
    known = [number for number in range(41) if read(statistics, f"p{number}") != [[0, 0, 0]]]
    assert known == list(range(3, 41))


def test_it_holds_what_a_dict_would_hold_whatever_comes_and_goes():
    source, statistics, expected = random.Random(5), table(max_products=10_000), {}
    for _ in range(60):
        changes = []
        for _ in range(100):
            key = (source.choice(["x", "y"]), f"p{source.randrange(1500)}")
            values = (0, 0, 0) if source.random() < 0.3 else (source.randrange(9), 1, source.randrange(9))
            changes.append(counts(key[1], *values, catalog=key[0]))
            expected[key] = list(values)
        statistics.apply(changes)
    statistics.mark_current()
    for (catalog, product_id), values in expected.items():
        assert read(statistics, product_id, catalog=catalog) == [values]
    assert statistics.product_count == sum(values != [0, 0, 0] for values in expected.values())


def test_the_age_is_the_time_since_the_end_was_read():
    clock = Clock()
    statistics = table(clock=clock)
    assert statistics.age_seconds is None
    statistics.mark_current()
    clock.now += 2.5
    assert statistics.age_seconds == 2.5
    statistics.clear()
    assert statistics.age_seconds is None


def test_counted_purchases_are_added_to_what_the_shop_imported_and_ratings_stay():
    statistics = table()
    statistics.apply([counts("p0", purchases=4), counts("p1", purchases=3), counts("p2", purchases=0)])
    statistics.mark_current()
    given = candidates(4, sales_count=[10, NAN, NAN, 7], rating_count=[1, 2, 3, 4])
    counted = with_counts(given, statistics.counted("", given.product_ids))
    assert counted.sales_count == pytest.approx([14, 3, NAN, 7], nan_ok=True)
    assert counted.rating_count.tolist() == [1, 2, 3, 4]


def test_what_is_not_known_adds_nothing():
    given = candidates(2, sales_count=[10, NAN])
    assert with_counts(given, table().counted("", given.product_ids)).sales_count == pytest.approx(
        [10, NAN], nan_ok=True
    )
