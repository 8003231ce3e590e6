"""`zhiyin search`: what it asks, what it shows, and the trace that it begins."""

import re
from decimal import Decimal

import pytest
from google.type.money_pb2 import Money

from cli.search_results import amount, formula
from services.common.errors import Unavailable
from tests.cli.conftest import json_lines
from zhiyin.common.v1.degradation_pb2 import Degradation, DegradationKind
from zhiyin.common.v1.explanation_pb2 import Explanation
from zhiyin.common.v1.filter_pb2 import ProductFilter
from zhiyin.common.v1.product_pb2 import Availability, Product


@pytest.fixture
def shelf(gateway):
    for i in range(25):
        product = Product(id=f"p{i:02}", title=f"Milk {i}", brand="Store", categories=["Dairy > Milk"])
        price = product.offers.add().price
        price.currency_code, price.units, price.nanos = "USD", 1, 990_000_000
        gateway.fake.products[product.id] = product
    return gateway.fake


def test_results_are_a_table_with_place_price_and_score(shelf, zhiyin):
    result = zhiyin("search", "milk", "--page-size", 2)
    assert result.exit_code == 0
    for text in ("Milk 0", "Milk 1", "Store", "Dairy > Milk", "1.99 USD", "1.0000", "0.5000"):
        assert text in result.stdout
    assert "2 of 25 places" in result.stdout
    assert "policy default@1a2b3c4d5e6f" in result.stdout
    assert "there are more" in result.stdout


def test_the_command_begins_the_trace_that_it_prints(shelf, zhiyin):
    result = zhiyin("search", "milk", "--json")
    (page,) = json_lines(result.stdout)[0]["pages"]
    assert re.fullmatch(r"[0-9a-f]{32}", page["trace_id"])
    version, trace_id, span_id, flags = shelf.traces[0].split("-")
    assert (version, trace_id, flags) == ("00", page["trace_id"], "01")
    assert re.fullmatch(r"[0-9a-f]{16}", span_id)


def test_each_page_is_a_trace_of_its_own_and_goes_on_where_the_last_one_ended(shelf, zhiyin):
    pages = json_lines(zhiyin("search", "milk", "--pages", 9, "--page-size", 10, "--json").stdout)[0]["pages"]
    assert [result["position"] for page in pages for result in page["results"]] == list(range(1, 26))
    assert len({page["trace_id"] for page in pages}) == 3


def test_a_page_can_be_asked_for_by_its_token(shelf, zhiyin):
    (page,) = json_lines(zhiyin("search", "milk", "--next", "20", "--json").stdout)[0]["pages"]
    assert [result["position"] for result in page["results"]] == [21, 22, 23, 24, 25]


def test_options_become_the_filter(shelf, zhiyin):
    zhiyin(
        "search", "milk", "--brand", "A", "--brand", "B", "--category", "Dairy > Milk", "--min-price", "1.50",
        "--max-price", "3", "--currency", "cny", "--available", "--region", "north", "--visitor", "v1",
    )  # fmt: skip
    asked = shelf.last_search
    expected = ProductFilter(brands=["A", "B"], categories=["Dairy > Milk"])
    expected.price.min.CopyFrom(Money(currency_code="CNY", units=1, nanos=500_000_000))
    expected.price.max.CopyFrom(Money(currency_code="CNY", units=3))
    expected.availabilities.append(Availability.AVAILABILITY_IN_STOCK)
    assert asked.filter == expected
    assert (asked.region, asked.visitor_id) == ("north", "v1")


def test_without_filter_options_there_is_no_filter(shelf, zhiyin):
    zhiyin("search", "milk")
    assert not shelf.last_search.HasField("filter")


def test_a_price_that_is_none_is_refused_before_the_call(shelf, zhiyin):
    result = zhiyin("search", "milk", "--min-price", "cheap")
    assert (result.exit_code, shelf.calls) == (2, [])
    assert "--min-price" in result.stderr


def test_an_explanation_shows_how_the_score_follows(shelf, zhiyin):
    result = zhiyin("search", "milk", "--explain", "--page-size", 1)
    assert "formula: (similarity 0.5 + lexical 0.25) × sales 1.2" in result.stdout
    assert "cosine 0.85" in result.stdout
    assert "rating" not in result.stdout


def test_what_the_reply_had_to_do_without_is_told(shelf, zhiyin):
    shelf.degradations = [
        Degradation(
            kind=DegradationKind.DEGRADATION_KIND_LEXICAL_ONLY, component="encoder", reason="ENCODER_UNAVAILABLE"
        )
    ]
    assert "found by words only (encoder: ENCODER_UNAVAILABLE)" in zhiyin("search", "milk").stderr


def test_nothing_found_is_said(shelf, zhiyin):
    result = zhiyin("search", "bread")
    assert (result.exit_code, "nothing found" in result.stdout) == (0, True)


def test_a_search_that_failed_names_its_trace(shelf, zhiyin):
    shelf.failures = [Unavailable("no candidates", reason="RETRIEVAL_UNAVAILABLE", retry_after=1)]
    result = zhiyin("search", "milk")
    assert result.exit_code == 1
    assert "UNAVAILABLE (RETRIEVAL_UNAVAILABLE): no candidates" in result.stderr
    assert f"zhiyin trace {shelf.traces[0].split('-')[1]}" in result.stderr


@pytest.mark.parametrize(
    ("value", "shown"),
    [("1.99", "1.99 USD"), ("2", "2.00 USD"), ("0.125", "0.125 USD"), ("100", "100.00 USD"), ("-0.5", "-0.50 USD")],
)
def test_an_amount_is_shown_with_two_decimal_places_or_as_many_as_it_has(value, shown):
    units, nanos = divmod(abs(Decimal(value)), 1)
    sign = -1 if value.startswith("-") else 1
    money = Money(currency_code="USD", units=sign * int(units), nanos=sign * int(nanos * 10**9))
    assert amount(money).plain == shown


def test_an_explanation_without_factors_is_still_shown():
    assert formula(Explanation(scorer="retrieval_order")).plain == "retrieval_order: (0)"
