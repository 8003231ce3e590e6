"""Segment's messages as events; the meaning of its fields is that of Segment's e-commerce spec."""

import pytest
from google.type.money_pb2 import Money

from cli.events.segment import Segment
from cli.problems import FieldError
from tests.cli.events.reading import segment_message
from zhiyin.common.v1 import user_event_pb2 as pb

crossed = Segment("").crossed
ORDER = {
    "order_id": "50314b8e9bcf000000000000",
    "subtotal": 22.50,
    "total": 27.50,
    "revenue": 25.00,
    "shipping": 3.00,
    "tax": 2.00,
    "discount": 2.50,
    "currency": "USD",
    "products": [
        {"product_id": "507f1f77bcf86cd799439011", "sku": "45790-32", "price": 19, "quantity": 1},
        {"product_id": "505bd76785ebb509fc183733", "sku": "46493-32", "price": 3, "quantity": 2},
    ],
}
"""The example of the spec's Order Completed."""


def order(without=(), **fields):
    properties = {name: value for name, value in (ORDER | fields).items() if name not in without}
    return segment_message("Order Completed", properties=properties)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Product Viewed", pb.USER_EVENT_TYPE_DETAIL_PAGE_VIEW),
        ("Viewed Product", pb.USER_EVENT_TYPE_DETAIL_PAGE_VIEW),
        ("Product Clicked", pb.USER_EVENT_TYPE_CLICK),
        ("Product Added", pb.USER_EVENT_TYPE_ADD_TO_CART),
        ("product removed", pb.USER_EVENT_TYPE_REMOVE_FROM_CART),
        ("Product Shared", pb.USER_EVENT_TYPE_SHARE),
    ],
)
def test_what_is_done_with_a_product_is_an_event_of_it(name, kind):
    (event,) = crossed(segment_message(name)).events
    assert (event.type, event.event_id) == (kind, "ajs-next-1")
    assert event.visitor_id == "23adfd82-aa0f-45a7-a756-24f2a7a4c895"
    assert [product.product_id for product in event.products] == ["507f1f77bcf86cd799439011"]


def test_an_order_has_its_products_and_the_revenue_without_tax_and_shipping():
    (event,) = crossed(order()).events
    assert event.type == pb.USER_EVENT_TYPE_PURCHASE_COMPLETE
    assert event.revenue == Money(currency_code="USD", units=25)
    assert [(each.product_id[-4:], each.quantity, each.price.units) for each in event.products] == [
        ("9011", 1, 19),
        ("3733", 2, 3),
    ]


def test_without_revenue_the_subtotal_counts_and_without_both_the_total_less_tax_and_shipping():
    paid = Money(currency_code="USD", units=22, nanos=500_000_000)
    assert crossed(order(without=["revenue"])).events[0].revenue == paid
    assert crossed(order(without=["revenue", "subtotal"])).events[0].revenue == paid


@pytest.mark.parametrize("missing", ["tax", "shipping"])
def test_a_total_of_which_tax_or_shipping_is_not_told_is_no_revenue(missing):
    made = crossed(order(without=["revenue", "subtotal", missing]))
    assert not made.events[0].HasField("revenue")
    assert [(warning.field, warning.reason) for warning in made.warnings] == [("properties.total", "NOT_KNOWN")]


def test_amounts_without_a_currency_are_left_out_with_warnings():
    made = crossed(order(without=["currency"]))
    assert not made.events[0].HasField("revenue")
    assert {warning.reason for warning in made.warnings} == {"CURRENCY_MISSING"}
    assert Segment("EUR").crossed(order(without=["currency"])).events[0].revenue.currency_code == "EUR"


def test_the_time_is_the_one_that_segment_corrected():
    assert crossed(segment_message()).events[0].event_time.ToJsonString() == "2026-11-25T09:00:10.500Z"


@pytest.mark.parametrize("missing", ["timestamp", "originalTimestamp"])
def test_a_time_that_segment_has_not_corrected_is_corrected_by_its_rule(missing):
    # The device's clock is an hour ahead: 09:00:15.5 - (10:00:15 - 10:00:10).
    message = segment_message(timestamp="2026-11-25T10:00:10.000Z")
    del message[missing]
    assert crossed(message).events[0].event_time.ToJsonString() == "2026-11-25T09:00:10.500Z"


def test_a_message_without_times_happened_when_it_arrives():
    message = segment_message(timestamp=None, originalTimestamp=None, sentAt=None, receivedAt=None)
    assert not crossed(message).events[0].HasField("event_time")


def test_a_search_is_one_with_its_query():
    (event,) = crossed(segment_message("Products Searched", properties={"query": "blue hotpants"})).events
    assert (event.type, event.query) == (pb.USER_EVENT_TYPE_SEARCH, "blue hotpants")


def test_a_review_is_a_rating_and_a_comment():
    properties = {"product_id": "p1", "review_id": "r1", "review_body": "I love this", "rating": "5"}
    rated, commented = crossed(segment_message("Product Reviewed", properties=properties)).events
    assert (rated.type, rated.rating, rated.event_id) == (pb.USER_EVENT_TYPE_RATE, 5.0, "ajs-next-1.rate")
    assert (commented.type, commented.comment) == (pb.USER_EVENT_TYPE_COMMENT, "I love this")
    assert commented.event_id == "ajs-next-1.comment"
    assert crossed(segment_message("Product Reviewed", properties={"product_id": "p1"})).skipped


def test_the_id_is_the_product_id_else_the_sku():
    (event,) = crossed(segment_message(properties={"sku": "G-32"})).events
    assert event.products[0].product_id == "G-32"


def test_a_message_of_a_server_that_knows_the_account_only_has_it_as_the_visitor():
    (event,) = crossed(segment_message(anonymousId=None, userId=4711)).events
    assert (event.visitor_id, event.user_id) == ("4711", "4711")
    assert crossed(segment_message(anonymousId=None)).skipped == "without anonymousId and userId"


def test_a_message_without_an_id_has_one_made_of_its_content():
    ids = [crossed(segment_message(messageId=None, anonymousId=each)).events[0].event_id for each in ("a", "a", "b")]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (segment_message(type="page"), "page"),
        (segment_message(type="identify"), "identify"),
        (segment_message("Product List Viewed"), "Product List Viewed"),
        (segment_message("Order Refunded"), "Order Refunded"),
        (segment_message(""), "without event"),
    ],
)
def test_other_messages_are_left_out_by_kind(message, kind):
    assert crossed(message).skipped == kind


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (segment_message(userId="ann@example.com"), "userId"),
        (segment_message(properties=None), "properties"),
        (segment_message(properties={}), "properties.product_id"),
        (segment_message("Product Added", properties={"sku": "1", "quantity": -1}), "properties.quantity"),
        (segment_message("Products Searched", properties={}), "properties.query"),
        (segment_message(timestamp="now"), "timestamp"),
        (order(products=[]), "properties.products"),
        (order(products=[{"price": 1}]), "properties.products[0].product_id"),
        (order(products=["p1"]), "properties.products[0]"),
        (order(revenue=-1), "properties.revenue"),
        (order(revenue="much"), "properties.revenue"),
        (order(without=["revenue", "subtotal"], tax=99), "properties.total"),
    ],
)
def test_a_message_that_cannot_be_an_event_names_the_field(message, field):
    with pytest.raises(FieldError) as caught:
        crossed(message)
    assert caught.value.field == field


@pytest.mark.parametrize("value", [[], {}, 1, True, None, "x", [[]]])
@pytest.mark.parametrize("field", ["type", "event", "properties", "anonymousId", "userId", "context", "timestamp"])
def test_no_shape_of_a_field_breaks_the_import(field, value):
    for message in (order(), segment_message("Product Reviewed"), segment_message("Products Searched")):
        try:
            crossed(message | {field: value})
        except FieldError:
            continue
