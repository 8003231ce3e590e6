"""What `make eval-recommend` sends to the services, and how it compares lists."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from benchmarks.eval_recommend_lists import Asked, request_of, sample
from benchmarks.eval_recommend_report import lines_of, paired
from benchmarks.eval_recommend_shop import batched, times_of
from benchmarks.recommend_data import BehaviourSet, Choice, Visitor
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

SPLIT = datetime(2017, 12, 4, tzinfo=UTC)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
IDS = ("a", "b", "c", "d")


def visitor(name, *baskets, targets=(3,)):
    begin = SPLIT - len(baskets) * DAY
    history = tuple(Choice(begin + place * DAY, basket) for place, basket in enumerate(baskets))
    return Visitor(name, history, frozenset(targets))


def behaviour(*visitors):
    return BehaviourSet("set", IDS, ("A", "B", "C", "D"), visitors, SPLIT)


def test_times_of_the_set_are_moved_so_that_its_split_is_now():
    assert times_of(visitor("v", (0,), (1,)), SPLIT, None, NOW) == [NOW - 2 * DAY, NOW - DAY]


def test_synthetic_times_rise_end_before_now_and_are_not_those_of_a_clock():
    times = times_of(visitor("v", *[(0,)] * 50), SPLIT, DAY, NOW)
    gaps = [after - before for before, after in pairwise(times)]
    assert all(gap > timedelta(0) for gap in gaps)
    assert len(set(gaps)) > 40
    assert NOW - DAY <= times[-1] < NOW
    assert NOW - 51 * DAY < times[0] < NOW - 49 * DAY


def test_a_very_long_history_fits_into_what_feedback_keeps():
    assert times_of(visitor("v", *[(0,)] * 2_000), SPLIT, DAY, NOW)[0] > NOW - timedelta(days=390)


def test_batches_hold_whole_visitors_in_their_order():
    data = behaviour(visitor("v", *[(0, 2)] * 600), visitor("w", *[(1,)] * 600))
    batches = list(batched("shop", data, DAY, NOW))
    assert [len(batch.events) for batch in batches] == [600, 600]
    assert {event.visitor_id for event in batches[0].events} == {"v"}
    assert [event.event_id for event in batches[1].events] == [str(place) for place in range(600)]
    assert [product.product_id for product in batches[0].events[0].products] == ["a", "c"]


def test_a_visitor_of_more_events_than_a_batch_holds_is_cut():
    batches = list(batched("shop", behaviour(visitor("v", *[(0,)] * 1_500)), DAY, NOW))
    assert [len(batch.events) for batch in batches] == [1_000, 500]


def test_a_request_excludes_what_the_visitor_has_seen_or_allows_what_it_bought():
    asked = Asked("shop", "recommend-exploit")
    request = request_of(asked, visitor("v", (2,), (0,)), IDS)
    assert (request.visitor_id, list(request.excluded_product_ids), request.page_size) == ("v", ["a", "c"], 10)
    request = request_of(Asked("shop", "p", excludes_seen=False), visitor("v", (2,)), IDS)
    assert request.purchased == pb.PURCHASED_PRODUCTS_ALLOWED
    assert not request.excluded_product_ids


def test_a_session_is_told_newest_first_by_a_visitor_without_a_name():
    request = request_of(Asked("shop", "p", as_session=True), visitor("v", (2,), (0, 1)), IDS)
    assert request.visitor_id == ""
    assert [action.product_id for action in request.session] == ["b", "a", "c"]


def test_only_visitors_with_something_to_predict_are_sampled_and_always_the_same():
    able = [visitor(str(n), (0,)) for n in range(50)]
    chosen = sample([*able, visitor("none", (0,), targets=()), visitor("nothing yet")], 10, seed=1)
    assert len(chosen) == 10
    assert chosen == sample(able, 10, seed=1)


def test_differences_are_paired_by_visitor():
    # Differences 0.1, 0.3, 0.2: mean 0.2, standard deviation 0.1, error 0.1 / sqrt 3.
    assert paired([0.2, 0.5, 0.9], [0.1, 0.2, 0.7]) == pytest.approx((0.2, 0.1 / 3**0.5))


def test_a_line_tells_by_how_much_the_served_lists_are_better():
    lists = {"served": [[3, 0], [3, 0]], "other": [[0, 3], [3, 0]]}
    served, other = lines_of("set", "question", [{3}, {3}], lists, "served")
    assert (served.ndcg, served.recall, served.less_than_served) == (1.0, 1.0, None)
    # The target is second once: 1 / log2 3 = 0.6309.
    assert other.ndcg == pytest.approx((0.6309 + 1) / 2, abs=1e-4)
    assert other.less_than_served == pytest.approx((1 - 0.6309) / 2, abs=1e-4)
