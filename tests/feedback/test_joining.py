from services.feedback.joining import FollowingEvent, Outcome, ShownPage, joined

VIEW, CLICK, CART = 2, 3, 4


def page(*product_ids):
    ones = [1.0] * len(product_ids)
    places = list(range(1, len(product_ids) + 1))
    return ShownPage(b"i" * 16, "shop", 1, 1_000.0, "p", "", 0, "", product_ids, places, ones, ones, ())


def test_each_product_has_what_came_of_it_and_no_more():
    events = [FollowingEvent(CLICK, 1_010.0, ["b"]), FollowingEvent(CART, 1_020.0, ["b", "elsewhere"])]
    found = joined(page("a", "b"), events, 60.0)
    assert found.outcomes == [[], [Outcome(CLICK, 1_010.0), Outcome(CART, 1_020.0)]]


def test_of_a_type_the_first_event_counts_in_whatever_order_they_became_known():
    events = [FollowingEvent(CLICK, 1_030.0, ["a"]), FollowingEvent(CLICK, 1_010.0, ["a"])]
    assert joined(page("a"), events, 60.0).outcomes == [[Outcome(CLICK, 1_010.0)]]


def test_what_came_after_the_time_does_not_count():
    events = [FollowingEvent(CLICK, 1_060.0, ["a"]), FollowingEvent(CART, 1_060.1, ["a"])]
    assert joined(page("a"), events, 60.0).outcomes == [[Outcome(CLICK, 1_060.0)]]


def test_a_clock_that_lags_behind_changes_nothing():
    assert joined(page("a"), [FollowingEvent(CLICK, 990.0, ["a"])], 60.0).outcomes == [[Outcome(CLICK, 990.0)]]
