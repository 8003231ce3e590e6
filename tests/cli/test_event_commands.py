"""`zhiyin event` and `zhiyin stats`."""

import uuid

import pytest
from google.type.money_pb2 import Money

from tests.cli.conftest import json_lines
from zhiyin.common.v1 import user_event_pb2 as pb


def only_event(gateway):
    (event,) = gateway.fake.events.values()
    return event


def test_an_event_is_recorded_with_an_id_of_its_own(gateway, zhiyin):
    result = zhiyin("event", "click", "--visitor", "v1", "--product", "p1", "--attribution", "token")
    event = only_event(gateway)
    assert (result.exit_code, result.stdout) == (0, f"{event.event_id}: accepted\n")
    assert uuid.UUID(event.event_id).version == 4
    assert (event.type, event.visitor_id, event.attribution_token) == (pb.USER_EVENT_TYPE_CLICK, "v1", "token")
    assert [(product.product_id, product.quantity) for product in event.products] == [("p1", 0)]
    assert not event.HasField("event_time")


def test_a_purchase_has_quantities_prices_and_revenue(gateway, zhiyin):
    zhiyin(
        "event", "purchase", "--visitor", "v1", "--user", "u1", "--session", "s1", "--product", "p1=2@3.50 USD",
        "--product", "p2", "--revenue", "8.25 USD", "--time", "2026-11-25T12:00:00+08:00", "--id", "order-1",
    )  # fmt: skip
    event = only_event(gateway)
    assert (event.event_id, event.user_id, event.session_id) == ("order-1", "u1", "s1")
    assert event.products[0].quantity == 2
    assert event.products[0].price == Money(currency_code="USD", units=3, nanos=500_000_000)
    assert not event.products[1].HasField("price")
    assert event.revenue == Money(currency_code="USD", units=8, nanos=250_000_000)
    assert event.event_time.ToJsonString() == "2026-11-25T04:00:00Z"


def test_texts_and_ratings_are_sent(gateway, zhiyin):
    zhiyin("event", "search", "--visitor", "v1", "--query", "红苹果", "--id", "1")
    zhiyin("event", "rate", "--visitor", "v1", "--product", "p1", "--rating", 0, "--id", "2")
    zhiyin("event", "comment", "--visitor", "v1", "--product", "p1", "--comment", "crisp", "--id", "3")
    search, rate, comment = gateway.fake.events.values()
    assert search.query == "红苹果"
    assert (rate.HasField("rating"), rate.rating) == (True, 0.0)
    assert comment.comment == "crisp"


def test_the_same_event_again_is_a_duplicate_and_another_of_its_id_a_conflict(zhiyin):
    words = ("event", "click", "--visitor", "v1", "--id", "e1", "--product")
    zhiyin(*words, "p1")
    again = zhiyin(*words, "p1")
    assert (again.exit_code, again.stdout) == (0, "e1: duplicate\n")
    other = zhiyin(*words, "p2")
    assert other.exit_code == 1
    assert other.stdout.startswith("e1: conflict (an event of this id and visitor is on disk")


def test_a_refused_event_says_why(zhiyin):
    result = zhiyin("event", "click", "--visitor", "", "--product", "p1", "--id", "e1")
    assert (result.exit_code, result.stdout) == (1, "e1: rejected (visitor_id: must be given)\n")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--product", "p1=two"), ("--product", "p1=2@cheap"), ("--revenue", "12.90"), ("--time", "yesterday")],
)
def test_a_value_that_is_none_is_refused_before_the_call(gateway, zhiyin, option, value):
    result = zhiyin("event", "purchase", "--visitor", "v1", option, value)
    assert (result.exit_code, gateway.fake.calls) == (2, [])
    assert option in result.stderr


def test_statistics_are_a_table_of_counts_rates_and_popularity(zhiyin):
    for action, count in (("view", 3), ("click", 2), ("add-to-cart", 1)):
        for _ in range(count):
            zhiyin("event", action, "--visitor", "v1", "--product", "p1")
    zhiyin("event", "purchase", "--visitor", "v1", "--product", "p1=4")
    result = zhiyin("stats", "p1", "p2")
    lines = [line.split("│")[1:-1] for line in result.stdout.splitlines() if "│" in line]
    cells = [[cell.strip() for cell in line] for line in lines]
    #                   shown views clicks cart bought units  clicks/shown
    assert cells[0][:8] == ["p1", "10", "3", "2", "1", "1", "4", "12.50%"]
    assert cells[1][:8] == ["p2", "10", "0", "0", "0", "0", "0", "12.50%"]


def test_statistics_as_json_are_the_reply(zhiyin):
    zhiyin("event", "click", "--visitor", "v1", "--product", "p1")
    (told,) = json_lines(zhiyin("stats", "p1", "p1", "--json").stdout)
    assert told["statistics"][0]["actions"] == [{"type": "USER_EVENT_TYPE_CLICK", "count": "1", "quantity": "1"}]
    assert len(told["statistics"]) == 1
