import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.feedback.bots import BotRules
from services.feedback.co_occurrence import PairRules, Sequence, insert
from services.feedback.counting import (
    Action,
    CountedEvent,
    CountedImpression,
    CountingRules,
    Deltas,
    count_batch,
    replay,
)
from tests.feedback.recount import DAY, recount

NOW = 20_000.0
SMALL = PairRules(window=3, tail=8)
RULES = CountingRules(pairs=SMALL, bots=BotRules(events_a_minute=10_000, views_a_day=10_000, regular_events=10_000))


def event(product_id="a", action=Action.DETAIL_PAGE_VIEW, time=0, visitor=b"v"):
    return CountedEvent(("shop", visitor), action, time, [product_id], [1])


def at(days):
    return int((NOW - days) * DAY)


events = st.lists(
    st.builds(
        CountedEvent,
        st.sampled_from([("shop", b"v"), ("shop", b"w"), ("other", b"v")]),
        st.integers(1, 10),
        st.integers(0, 40 * 24).map(lambda hours: at(hours / 24)),
        st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=3, unique=True),
        st.just([1, 2, 3]),
    ).map(lambda one: one._replace(quantities=one.quantities[: len(one.product_ids)])),
    max_size=60,
)


def tables(batches, rules=RULES):
    states, counts, popularity, pairs = {}, {}, {}, {}
    for batch in batches:
        deltas = Deltas(NOW, rules)
        count_batch(batch, states, rules, deltas)
        for total, added in ((counts, deltas.counts), (popularity, deltas.popularity)):
            for key, values in added.items():
                total[key] = [a + b for a, b in zip(total.get(key, [0.0] * len(values)), values, strict=True)]
        for key, value in deltas.pairs.items():
            pairs[key] = pairs.get(key, 0.0) + value
    return counts, popularity, {key: [value] for key, value in pairs.items()}


def same(left, right):
    for key in left.keys() | right.keys():
        zeros = [0.0] * len(left.get(key) or right.get(key))
        assert left.get(key, zeros) == pytest.approx(right.get(key, zeros), rel=1e-9, abs=1e-9), key


@settings(max_examples=200, deadline=None)
@given(events, st.lists(st.integers(0, 60), max_size=5))
def test_any_cut_into_batches_equals_a_naive_recount_of_everything(everything, cuts):
    borders = [0, *sorted(cuts), len(everything)]
    batches = [everything[start:end] for start, end in pairwise(borders)]
    expected = recount(everything, NOW, window=SMALL.window, tail=SMALL.tail)
    counts, popularity, pairs = tables(batches)
    same(counts, expected[0])
    same(popularity, expected[1])
    same(pairs, {key: [value] for key, value in expected[2].items()})


@settings(max_examples=100, deadline=None)
@given(events, st.integers(1, 60))
def test_taking_out_what_was_counted_leaves_nothing(everything, page):
    own = [one for one in everything if one.visitor == ("shop", b"v")]
    deltas = Deltas(NOW, RULES)
    count_batch(own, {}, RULES, deltas)
    chosen, taken = Sequence(), 0
    for start in range(0, len(own), page):
        taken += replay(own[start : start + page], chosen, RULES, deltas, -1)
    assert taken == len(own)
    for values in (*deltas.counts.values(), *deltas.popularity.values()):
        assert values == pytest.approx([0.0] * len(values), abs=1e-9)
    assert list(deltas.pairs.values()) == pytest.approx([0.0] * len(deltas.pairs), abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abcd")), max_size=8), st.randoms(use_true_random=False))
def test_the_pairs_do_not_depend_on_which_choice_became_known_first(choices, chance):
    choices = list({time: (time, product_id) for time, product_id in choices}.values())
    shuffled = choices.copy()
    chance.shuffle(shuffled)
    assert pair_sums(shuffled) == pytest.approx(pair_sums(sorted(choices)))


def pair_sums(choices):
    sequence, sums = Sequence(), {}
    for time, product_id in choices:
        for choice, sign in insert(sequence, time, product_id, SMALL):
            for distance, other in enumerate(choice.before, 1):
                key = (other, choice.product_id)
                sums[key] = sums.get(key, 0.0) + sign / distance
    return {key: value for key, value in sums.items() if abs(value) > 1e-12}


def test_a_sequence_counts_the_nearest_products_before_most():
    assert pair_sums(enumerate("abc")) == {("a", "b"): 1.0, ("b", "c"): 1.0, ("a", "c"): 0.5}


def test_a_run_of_one_product_is_chosen_once():
    assert pair_sums(enumerate("aabbb")) == {("a", "b"): 1.0}


def test_a_late_choice_stands_between_its_neighbours():
    late = pair_sums([(1, "a"), (3, "c"), (2, "b")])
    assert late == {("a", "b"): 1.0, ("b", "c"): 1.0, ("a", "c"): 0.5}


def test_what_comes_later_than_the_kept_sequence_makes_no_pairs():
    choices = [(time, f"p{time}") for time in range(10, 30)]
    assert pair_sums([*choices, (1, "late")]) == pair_sums(choices)


def test_decayed_counts_halve_with_their_half_lives():
    deltas = Deltas(NOW, RULES)
    count_batch([event(action=Action.PURCHASE_COMPLETE, time=at(30))], {}, RULES, deltas)
    count, units, day, week, month = deltas.counts["shop", "a", Action.PURCHASE_COMPLETE]
    assert (count, units) == (1, 1)
    assert (day, week, month) == pytest.approx((2.0**-30, 2.0 ** (-30 / 7), 0.5))


def test_a_purchase_moves_popularity_five_times_a_view_and_a_dismissal_not_at_all():
    popular = {}
    for action in (Action.DETAIL_PAGE_VIEW, Action.ADD_TO_CART, Action.PURCHASE_COMPLETE, Action.DISMISS):
        deltas = Deltas(NOW, RULES)
        count_batch([event(action=action, time=at(0))], {}, RULES, deltas)
        popular[action] = deltas.popularity["shop", "a"][1]
    assert list(popular.values()) == [1.0, 3.0, 5.0, 0.0]


def test_being_shown_is_counted_and_makes_nothing_popular():
    deltas = Deltas(NOW, RULES)
    deltas.add_impression(CountedImpression(None, "shop", at(0), ["a", "b"]), 1)
    assert {key: value[0] for key, value in deltas.counts.items()} == {("shop", "a", 0): 1, ("shop", "b", 0): 1}
    assert deltas.popularity == {("shop", "a"): [0, 0, 0], ("shop", "b"): [0, 0, 0]}


def test_a_visitor_who_turns_out_to_be_a_program_counts_nowhere_in_the_batch():
    rules = CountingRules(bots=BotRules(events_a_minute=5))
    events = [event(time=at(0)) for _ in range(6)] + [event("b", time=at(0), visitor=b"person")]
    random.Random(1).shuffle(events)
    states, deltas = {}, Deltas(NOW, rules)
    assert count_batch(events, states, rules, deltas) == [("shop", b"v")]
    assert set(deltas.counts) == {("shop", "b", Action.DETAIL_PAGE_VIEW)}
    assert states["shop", b"v"].event_count == 6
    assert count_batch(events[:1], states, rules, deltas) == []
