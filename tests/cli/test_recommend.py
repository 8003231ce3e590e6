"""`zhiyin recommend`: what it asks and what it shows."""

import pytest

from cli.pages import fetch_pages
from tests.cli.conftest import json_lines
from zhiyin.common.v1 import user_event_pb2
from zhiyin.common.v1.degradation_pb2 import Degradation, DegradationKind
from zhiyin.common.v1.product_pb2 import Product
from zhiyin.gateway.v1 import gateway_service_pb2 as pb


@pytest.fixture
def shelf(gateway):
    for i in range(25):
        product = Product(id=f"p{i:02}", title=f"Milk {i}", brand="Store", categories=["Dairy > Milk"])
        price = product.offers.add().price
        price.currency_code, price.units, price.nanos = "USD", 1, 990_000_000
        gateway.fake.products[product.id] = product
    return gateway.fake


def test_each_product_is_shown_with_the_reason_and_what_the_list_rests_on(shelf, zhiyin):
    zhiyin("event", "click", "--visitor", "v1", "--product", "p00")
    result = zhiyin("recommend", "--visitor", "v1", "--page-size", 2)
    assert result.exit_code == 0
    for text in ("Milk 1", "Milk 2", "Dairy > Milk", "1.99 USD", "because you viewed p00"):
        assert text in result.stdout
    assert "2 of 24 places from 1 thing that the visitor did" in result.stdout
    assert "policy recommend@1a2b3c4d5e6f" in result.stdout
    assert "there are more" in result.stdout


def test_a_new_visitor_is_shown_what_is_popular(shelf, zhiyin):
    result = zhiyin("recommend", "--page-size", 1)
    assert "1 of 25 places from what is popular" in result.stdout
    assert shelf.last_recommend.page == pb.RECOMMENDATION_PAGE_HOME


def test_options_become_the_request(shelf, zhiyin):
    zhiyin(
        "recommend", "--visitor", "v1", "--user", "u1", "--page", "cart", "--product", "p01", "--product", "p02",
        "--session", "click=p03", "--session", "search=red = shoes", "--exclude", "p04", "--across-categories",
        "--buy-again", "--language", "zh", "--policy", "calm", "--brand", "Store", "--region", "north",
        "--separate-variants",
    )  # fmt: skip
    asked = shelf.last_recommend
    assert (asked.visitor_id, asked.user_id, asked.page) == ("v1", "u1", pb.RECOMMENDATION_PAGE_CART)
    assert list(asked.product_ids) == ["p01", "p02"]
    assert [(action.type, action.product_id, action.text) for action in asked.session] == [
        (user_event_pb2.USER_EVENT_TYPE_CLICK, "p03", ""),
        (user_event_pb2.USER_EVENT_TYPE_SEARCH, "", "red = shoes"),
    ]
    assert list(asked.excluded_product_ids) == ["p04"]
    assert asked.scope == pb.RECOMMENDATION_SCOPE_ACROSS_CATEGORIES
    assert asked.purchased == pb.PURCHASED_PRODUCTS_ALLOWED
    assert (asked.language_code, asked.policy, asked.region) == ("zh", "calm", "north")
    assert list(asked.filter.brands) == ["Store"]


@pytest.mark.parametrize("written", ["p03", "look=p03", "click="])
def test_a_session_that_is_none_is_refused_before_the_call(shelf, zhiyin, written):
    result = zhiyin("recommend", "--session", written)
    assert (result.exit_code, shelf.calls) == (2, [])
    assert "--session" in result.stderr


def test_pages_go_on_where_the_last_one_ended_and_json_holds_replies_and_traces(shelf, zhiyin):
    pages = json_lines(zhiyin("recommend", "--pages", 3, "--page-size", 10, "--json").stdout)[0]["pages"]
    assert [each["position"] for page in pages for each in page["recommendations"]] == list(range(1, 26))
    assert len({page["trace_id"] for page in pages}) == 3
    assert pages[0]["recommendations"][0]["reason"] == {
        "code": "REASON_CODE_POPULAR",
        "product_id": "",
        "text": "popular",
    }


def test_an_explanation_shows_how_the_score_follows(shelf, zhiyin):
    result = zhiyin("recommend", "--explain", "--page-size", 1)
    assert "formula: (similarity 0.5 + lexical 0.25) × sales 1.2" in result.stdout


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("WITHOUT_CO_OCCURRENCE", "without what others choose together"),
        ("STALE_POPULARITY", "what is popular is missing or old"),
        ("WITHOUT_CONTENT", "without what is alike"),
        ("WITHOUT_TEXTS", "without what the visitor wrote"),
    ],
)
def test_what_the_reply_had_to_do_without_is_told(shelf, zhiyin, kind, words):
    number = DegradationKind.Value(f"DEGRADATION_KIND_{kind}")
    shelf.degradations = [Degradation(kind=number, component="feedback", reason="FEEDBACK_UNAVAILABLE")]
    assert f"{words} (feedback: FEEDBACK_UNAVAILABLE)" in zhiyin("recommend").stderr


def test_nothing_to_recommend_is_said(zhiyin):
    result = zhiyin("recommend", "--visitor", "v1")
    assert (result.exit_code, "nothing can be recommended" in result.stdout) == (0, True)


async def test_a_request_can_be_made_again_for_the_same_page():
    asked = []

    async def call(request):
        asked.append(request.page_token)
        return pb.RecommendResponse(next_page_token="next")

    request = pb.RecommendRequest()
    await fetch_pages(call, request, 1)
    await fetch_pages(call, request, 2)
    assert asked == ["", "", "next"]
