"""Google Analytics 4's export as events; the meaning of its fields is that of Google's export schema."""

import pytest
from google.type.money_pb2 import Money

from cli.events.ga4 import Ga4
from cli.problems import FieldError
from tests.cli.events.reading import ga4_row
from zhiyin.common.v1 import user_event_pb2 as pb

crossed = Ga4("").crossed
EURO = {"currency": "EUR"}


def usd(units, nanos=0):
    return Money(currency_code="USD", units=units, nanos=nanos)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("view_item", pb.USER_EVENT_TYPE_DETAIL_PAGE_VIEW),
        ("select_item", pb.USER_EVENT_TYPE_CLICK),
        ("add_to_cart", pb.USER_EVENT_TYPE_ADD_TO_CART),
        ("remove_from_cart", pb.USER_EVENT_TYPE_REMOVE_FROM_CART),
        ("purchase", pb.USER_EVENT_TYPE_PURCHASE_COMPLETE),
    ],
)
def test_what_is_done_with_items_is_an_event_with_products(name, kind):
    (event,) = crossed(ga4_row(name)).events
    assert event.type == kind
    assert [product.product_id for product in event.products] == ["SKU_1"]
    assert (event.visitor_id, event.user_id, event.session_id) == ("1234.5678", "", "1234.5678.42")
    assert event.event_time.ToJsonString() == "2026-11-18T11:06:40.123456Z"


@pytest.mark.parametrize("name", ["search", "view_search_results"])
def test_a_search_is_one_with_its_term(name):
    (event,) = crossed(ga4_row(name, params={"search_term": "红苹果"}, items=[])).events
    assert (event.type, event.query) == (pb.USER_EVENT_TYPE_SEARCH, "红苹果")


def test_a_number_that_was_searched_for_is_a_text():
    (event,) = crossed(ga4_row("search", params={"search_term": 4711})).events
    assert event.query == "4711"


def test_a_purchase_has_what_was_paid_without_tax_and_shipping():
    ecommerce = {
        "transaction_id": "T_1", "purchase_revenue": 33.33, "purchase_revenue_in_usd": 35.0, "tax_value": 4.9,
        "shipping_value": 5.99,
    }  # fmt: skip
    items = [{"item_id": "SKU_1", "price": 9.99, "quantity": "2"}, {"item_id": "SKU_2", "price": 13.35, "quantity": 1}]
    row = ga4_row("purchase", params={"currency": "EUR"}, ecommerce=ecommerce, items=items)
    made = crossed(row)
    (event,) = made.events
    assert event.revenue == Money(currency_code="EUR", units=33, nanos=330_000_000)
    assert [(each.product_id, each.quantity) for each in event.products] == [("SKU_1", 2), ("SKU_2", 1)]
    assert event.products[0].price == Money(currency_code="EUR", units=9, nanos=990_000_000)
    assert not made.warnings


def test_without_a_currency_the_amount_in_dollars_counts_and_prices_are_left_out():
    ecommerce = {"purchase_revenue": 33.33, "purchase_revenue_in_usd": 35.0}
    made = crossed(ga4_row("purchase", ecommerce=ecommerce))
    assert made.events[0].revenue == usd(35)
    assert not made.events[0].products[0].HasField("price")
    assert [(warning.field, warning.reason) for warning in made.warnings] == [("items[0].price", "CURRENCY_MISSING")]


def test_the_files_currency_is_that_of_rows_that_name_none():
    (event,) = Ga4("USD").crossed(ga4_row("purchase", ecommerce={"purchase_revenue": 12})).events
    assert (event.revenue, event.products[0].price) == (usd(12), usd(9, 990_000_000))


def test_amounts_that_were_computed_in_floating_point_are_rounded_to_what_money_holds():
    (event,) = Ga4("USD").crossed(ga4_row("purchase", ecommerce={"purchase_revenue": 8.333333333333334})).events
    assert event.revenue == usd(8, 333_333_333)


def test_a_receipt_that_is_loaded_again_has_the_id_of_the_same_purchase():
    first = ga4_row("purchase", ecommerce={"transaction_id": "T_1"})
    again = ga4_row("purchase", ecommerce={"transaction_id": "T_1"}, event_timestamp="1795000099000000")
    other = ga4_row("purchase", ecommerce={"transaction_id": "T_2"})
    ids = [crossed(row).events[0].event_id for row in (first, again, other)]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("transaction", [None, "", "(not set)"])
def test_purchases_without_a_transaction_are_told_apart_by_their_rows(transaction):
    rows = [
        ga4_row("purchase", ecommerce={"transaction_id": transaction}, event_timestamp=f"179500000{i}000000")
        for i in range(2)
    ]
    assert len({crossed(row).events[0].event_id for row in rows}) == 2


def test_the_same_row_has_the_same_id_whatever_the_order_of_its_keys():
    row = ga4_row()
    assert crossed(row).events[0].event_id == crossed(dict(reversed(row.items()))).events[0].event_id
    assert crossed(row).events[0].event_id != crossed(ga4_row(event_bundle_sequence_id="18")).events[0].event_id


def test_a_view_of_several_items_is_an_event_for_each():
    events = crossed(ga4_row(items=[{"item_id": "SKU_1"}, {"item_id": 7}])).events
    assert [event.products[0].product_id for event in events] == ["SKU_1", "7"]
    assert len({event.event_id for event in events}) == 2


def test_an_item_that_comes_twice_is_added_up():
    items = [{"item_id": "SKU_1", "price": 2, "quantity": 2}, {"item_id": "SKU_1", "price": 3, "quantity": 1}]
    made = Ga4("USD").crossed(ga4_row("add_to_cart", items=items))
    (product,) = made.events[0].products
    assert (product.quantity, product.HasField("price")) == (3, False)
    assert [warning.reason for warning in made.warnings] == ["CONFLICT"]


def test_who_withheld_consent_is_left_out_unless_logged_in():
    assert crossed(ga4_row(user_pseudo_id=None)).skipped == "without user_pseudo_id"
    (event,) = crossed(ga4_row(user_pseudo_id=None, user_id="u-1")).events
    assert (event.visitor_id, event.user_id) == ("u-1", "u-1")


@pytest.mark.parametrize("name", ["page_view", "session_start", "refund", "begin_checkout", "view_item_list"])
def test_other_events_are_left_out_by_name(name):
    assert crossed(ga4_row(name)).skipped == name


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (ga4_row(items=[]), "items"),
        (ga4_row(items=[{"item_id": "(not set)"}]), "items[0].item_id"),
        (ga4_row("add_to_cart", items=[{"item_id": "1", "quantity": 0}]), "items[0].quantity"),
        (ga4_row("add_to_cart", items=[{"item_id": "1", "quantity": "1.5"}]), "items[0].quantity"),
        (ga4_row("search"), "event_params.search_term"),
        (ga4_row(event_timestamp="yesterday"), "event_timestamp"),
        (ga4_row(event_timestamp="9" * 18), "event_timestamp"),
        (ga4_row(user_id="ann@example.com"), "user_id"),
        (ga4_row("purchase", params={"currency": "euro"}), "event_params.currency"),
        (ga4_row("purchase", params=EURO, ecommerce={"purchase_revenue": -1}), "ecommerce.purchase_revenue"),
    ],
)
def test_a_row_that_cannot_be_an_event_names_the_field(row, field):
    with pytest.raises(FieldError) as caught:
        crossed(row)
    assert caught.value.field == field


@pytest.mark.parametrize("value", [[], {}, 1.5, True, None, "x", [[]], [{"key": []}]])
@pytest.mark.parametrize("field", ["event_name", "event_params", "items", "ecommerce", "user_pseudo_id", "user_id"])
def test_no_shape_of_a_field_breaks_the_import(field, value):
    for name in ("purchase", "search", "share", "view_item"):
        try:
            crossed(ga4_row(name) | {field: value})
        except FieldError:
            continue
