"""What real households bought, as events."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from cli.demo_catalogue import demo_products
from cli.demo_households import (
    HOUSEHOLDS,
    Basket,
    baskets,
    busiest_household,
    events_of,
    purchases_of_most_bought,
    unknown_category,
    visitor_of,
)
from cli.running import CommandFailed
from services.feedback.config_events import EventSettings
from zhiyin.common.v1 import user_event_pb2 as pb

NOW = datetime(2026, 11, 25, 17, tzinfo=UTC)
MORNING = datetime(2017, 12, 1, 9)  # noqa: DTZ001 - the data has no zone


@pytest.fixture(scope="module")
def made():
    return baskets([product.id for product in demo_products()])


def test_baskets_are_those_of_the_first_households_in_the_order_of_time(made):
    assert len({basket.household for basket in made}) == HOUSEHOLDS
    assert [basket.time for basket in made] == sorted(basket.time for basket in made)
    assert len({basket.basket_id for basket in made}) == len(made)
    assert all(units > 0 for basket in made for units in basket.units.values())


def test_every_event_is_one_that_the_service_keeps(made):
    retention = timedelta(days=EventSettings.model_fields["event_retention_days"].default)
    events = list(events_of(made, NOW))
    assert len({event.event_id for event in events}) == len(made)
    for event in events:
        assert event.type == pb.USER_EVENT_TYPE_PURCHASE_COMPLETE
        assert NOW - retention < event.event_time.ToDatetime(UTC) < NOW
        assert 0 < len(event.products) <= 500


def test_events_end_a_few_minutes_ago_and_keep_their_distances():
    bought = [
        Basket(1, 7, MORNING, {"a": 2}),
        Basket(2, 8, MORNING + timedelta(days=3), {"a": 1, "b": 1}),
    ]
    first, second = events_of(bought, NOW)
    assert second.event_time.ToJsonString() == "2026-11-25T16:55:00Z"
    assert first.event_time.ToJsonString() == "2026-11-22T16:55:00Z"
    assert (first.visitor_id, first.products[0].quantity) == ("household-7", 2)


def test_the_shown_household_came_most_often_lately():
    days = Counter({1: 3, 2: 5, 3: 5})
    bought = [
        Basket(10 * household + day, household, MORNING + timedelta(days=day), {"milk": 1})
        for household, count in days.items()
        for day in range(count)
    ]
    long_ago = [Basket(100 + i, 1, MORNING - timedelta(days=300), {"milk": 1}) for i in range(9)]
    assert busiest_household(long_ago + bought) == 2
    assert visitor_of(2) == "household-2"


def test_it_looks_for_what_others_buy_most_and_it_never_did():
    categories = {"m1": "Milk", "m2": "Milk", "b1": "Bones", "c1": "Corn"}
    bought = [
        Basket(1, 7, MORNING, {"m1": 1}),
        Basket(2, 8, MORNING, {"m2": 1, "b1": 1, "c1": 1}),
        Basket(3, 9, MORNING, {"m2": 1, "c1": 1}),
    ]
    assert unknown_category(bought, 7, categories) == "Corn"
    with pytest.raises(CommandFailed):
        unknown_category(bought, 8, categories)


def test_the_product_that_is_in_most_baskets_is_counted_once_for_each():
    bought = [Basket(i, 1, MORNING, {"a": 9} if i < 2 else {"a": 1, "b": 9}) for i in range(5)]
    assert purchases_of_most_bought(bought) == ("a", 5)
