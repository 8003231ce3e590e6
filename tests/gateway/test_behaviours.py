import pytest

from services.gateway.behaviours import (
    CART,
    CLICK,
    DISMISS,
    PURCHASE,
    SEARCH,
    VIEW,
    Behaviour,
    bought,
    dismissed_products,
    merged,
    of_session,
    wanted_products,
)
from services.gateway.popularity import Popular
from services.gateway.sources import BOUGHT_BEFORE, CO_OCCURRENCE, POPULAR, TRENDING, sourced

DAY = 86_400.0


def did(type_, product_id="", age=0.0, weight=1.0, text=""):
    return Behaviour(type_, product_id, text, age, weight)


def test_a_session_weighs_by_kind_and_halves_every_seven_days():
    assert of_session(CART, "a", "", 0.0).weight == 3.0
    assert of_session(PURCHASE, "a", "", 7 * DAY).weight == 2.5
    assert of_session(DISMISS, "a", "", 14 * DAY).weight == -0.75


def test_the_newer_of_the_same_counts_and_all_are_newest_first():
    profile = [did(VIEW, "a", age=50.0, weight=0.9), did(CLICK, "b", age=60.0, weight=0.5)]
    session = [did(VIEW, "a", age=10.0, weight=1.0), did(SEARCH, text="tea", age=5.0)]
    found = merged(profile, session, 10)
    assert [(one.type, one.product_id, one.text, one.age_seconds) for one in found] == [
        (SEARCH, "", "tea", 5.0),
        (VIEW, "a", "", 10.0),
        (CLICK, "b", "", 60.0),
    ]
    assert len(merged(profile, session, 2)) == 2


def test_what_the_profile_does_not_know_yet_counts_as_feedback_will_count_it():
    profile = [did(VIEW, "a", age=50.0, weight=0.9)]
    session = [did(VIEW, "new", age=10.0), did(CLICK, "newer", age=5.0), did(VIEW, "a", age=20.0, weight=1.0)]
    weights = {one.product_id: one.weight for one in merged(profile, session, 10)}
    # "a" has two other things after it, "new" one; the view of "a" in the profile is the same behaviour, older.
    assert weights == pytest.approx({"newer": 1.0, "new": 0.6, "a": 0.36})
    again = merged([did(CLICK, "old", age=90.0, weight=1.0), *profile], session, 10)
    # Two of the session's things are unknown to the profile.
    assert {one.product_id: one.weight for one in again}["old"] == pytest.approx(0.36)


def test_seeds_are_the_products_of_the_last_events_whole_baskets_together():
    basket = [did(PURCHASE, f"b{number}", age=30.0) for number in range(3)]
    behaviours = [did(VIEW, "a", 10.0), did(DISMISS, "x", 20.0, weight=-3.0), *basket, did(VIEW, "c", 40.0)]
    assert wanted_products(behaviours, 2, 50) == ["a", "b0", "b1", "b2"]
    assert wanted_products(behaviours, 9, 2) == ["a", "b0"]
    assert dismissed_products(behaviours) == ["x"]


def test_what_was_bought_once_counts_beside_what_was_bought_again_and_again():
    behaviours = [did(PURCHASE, "once", 90 * DAY), did(PURCHASE, "twice", DAY), did(VIEW, "seen", DAY)]
    assert bought(behaviours, [("twice", 1.5), ("long ago", 0.2)]) == [("twice", 1.5), ("once", 0.5), ("long ago", 0.2)]


def test_sources_take_turns_by_seed_and_the_strongest_source_comes_first():
    related = {"s": [("a", 0.9), ("b", 0.5)], "t": [("c", 0.2), ("a", 0.1)]}
    popular = Popular(trending=[("d", 7.0), ("b", 3.0)], popular=[("e", 9.0)])
    found = sourced(related, [("f", 4.0)], popular, ["c"], 5)
    assert found.product_ids == ["f", "a", "b", "d", "e"]
    assert found.scores["a"] == [(CO_OCCURRENCE, 0.9, "s"), (CO_OCCURRENCE, 0.1, "t")]
    assert found.scores["b"] == [(CO_OCCURRENCE, 0.5, "s"), (TRENDING, 3.0, "")]
    assert found.scores["f"] == [(BOUGHT_BEFORE, 4.0, "")]
    assert found.scores["e"] == [(POPULAR, 9.0, "")]
    # Beyond the most no product is added, and those that are there hear what further sources say.
    few = sourced(related, [], Popular(popular=[("b", 1.0), ("z", 1.0)]), [], 3)
    assert few.product_ids == ["a", "c", "b"]
    assert few.scores["b"] == [(CO_OCCURRENCE, 0.5, "s"), (POPULAR, 1.0, "")]
