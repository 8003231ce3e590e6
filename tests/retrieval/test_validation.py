import math
from dataclasses import replace

import pytest

from services.retrieval.filter_rules import FilterLimits, filter_violations
from services.retrieval.filters import PriceRange, ProductFilter
from services.retrieval.product import AttributeValue, Image, Money, Offer, Product, Rating, Timestamp
from services.retrieval.validation import ProductLimits, product_violations

LIMITS = ProductLimits()
GOOD = Product(
    id="sku-1:red/XL",
    title="Milk",
    brand="Acme",
    categories=("Grocery > Dairy",),
    language_code="zh-Hans-CN",
    images=(Image("https://shop/i.jpg"),),
    gtin="4006381333931",
    rating=Rating(4.5, 12),
    sales_count=0,
    create_time=Timestamp(0, 0),
    attributes={"colour": AttributeValue(texts=("red",)), "organic": AttributeValue(flag=False)},
    offers=(Offer("", Money("USD", 3, 990_000_000)), Offer("eu", Money("EUR", 0, 0), Money("EUR", 1, 0), 1, 0)),
)


def broken(**fields):
    return [(v.field, v.reason) for v in product_violations(replace(GOOD, **fields), LIMITS)]


def test_a_good_product_breaks_no_rule():
    assert product_violations(GOOD, LIMITS) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"id": ""}, [("id", "REQUIRED")]),
        ({"id": "a" * 129}, [("id", "INVALID_FORMAT")]),
        ({"id": "a b"}, [("id", "INVALID_FORMAT")]),
        ({"id": "a\n"}, [("id", "INVALID_FORMAT")]),
        ({"title": ""}, [("title", "REQUIRED")]),
        ({"title": "<p>&nbsp;\x00</p>"}, [("title", "REQUIRED")]),
        ({"title": "a" * 1_001}, [("title", "TOO_LONG")]),
        ({"title": "<b>" * 5_000 + "a"}, [("title", "TOO_LONG")]),
        ({"title": "<b>" * 1_001 + "a"}, []),
        ({"description": "a" * 20_001}, [("description", "TOO_LONG")]),
        ({"description": "<td class='x'>a" * 5_000}, []),
        ({"description": "<i>" + "a" * 20_000 + "</i>"}, []),
        ({"description": "<i>" + "a" * 20_001 + "</i>"}, [("description", "TOO_LONG")]),
        ({"description": "<p>" * 33_334}, [("description", "TOO_LONG")]),
        ({"brand": "a" * 201}, [("brand", "TOO_LONG")]),
        ({"categories": ("a",) * 21}, [("categories", "TOO_MANY")]),
        ({"categories": ("a > > b",)}, [("categories[0]", "INVALID_FORMAT")]),
        ({"categories": ("",)}, [("categories[0]", "INVALID_FORMAT")]),
        ({"categories": (" > ".join("a" * 11),)}, [("categories[0]", "TOO_MANY")]),
        ({"categories": ("ok", "a" * 201)}, [("categories[1]", "TOO_LONG")]),
        ({"language_code": "en_US!"}, [("language_code", "INVALID_FORMAT")]),
        ({"images": (Image("x"),) * 51}, [("images", "TOO_MANY")]),
        ({"images": (Image(""),)}, [("images[0].uri", "REQUIRED")]),
        ({"images": (Image("x", -1),)}, [("images[0]", "OUT_OF_RANGE")]),
        ({"uri": "a" * 2_001}, [("uri", "TOO_LONG")]),
        ({"sku": "a" * 129}, [("sku", "TOO_LONG")]),
        ({"gtin": "123"}, [("gtin", "INVALID_FORMAT")]),
        ({"gtin": "400 6381 333931"}, [("gtin", "INVALID_FORMAT")]),
        ({"gtin": "4006381333932"}, [("gtin", "GTIN_CHECK_DIGIT")]),
        ({"gtin": "614141123453"}, [("gtin", "GTIN_CHECK_DIGIT")]),
        ({"primary_product_id": "sku-1:red/XL"}, [("primary_product_id", "INVALID")]),
        ({"rating": Rating(math.nan, 1)}, [("rating.average", "OUT_OF_RANGE")]),
        ({"rating": Rating(5.1, -1)}, [("rating.average", "OUT_OF_RANGE"), ("rating.count", "OUT_OF_RANGE")]),
        ({"sales_count": -1}, [("sales_count", "OUT_OF_RANGE")]),
        ({"create_time": Timestamp(253_402_300_800, 0)}, [("create_time", "OUT_OF_RANGE")]),
        ({"update_time": Timestamp(0, -1)}, [("update_time", "OUT_OF_RANGE")]),
        ({"attributes": {"a": AttributeValue()}}, [("attributes[0]", "INVALID")]),
        ({"attributes": {"a": AttributeValue(("x",), (1.0,))}}, [("attributes[0]", "INVALID")]),
        ({"attributes": {"a": AttributeValue(numbers=(math.inf,))}}, [("attributes[0].numbers", "OUT_OF_RANGE")]),
        ({"attributes": {"": AttributeValue(("x",))}}, [("attributes[0]", "TOO_LONG")]),
        ({"offers": (Offer("eu"), Offer("eu"))}, [("offers[1].region", "DUPLICATE")]),
        ({"offers": (Offer(price=Money("usd", 1, 0)),)}, [("offers[0].price.currency_code", "INVALID_FORMAT")]),
        ({"offers": (Offer(price=Money("USD", -1, 0)),)}, [("offers[0].price", "OUT_OF_RANGE")]),
        ({"offers": (Offer(price=Money("USD", 1, 10**9)),)}, [("offers[0].price", "OUT_OF_RANGE")]),
        (
            {"offers": (Offer(price=Money("USD", 1, 0), original_price=Money("EUR", 2, 0)),)},
            [("offers[0].original_price.currency_code", "INVALID")],
        ),
        ({"offers": (Offer("e\x00u"),)}, [("offers[0].region", "INVALID_FORMAT")]),
        ({"offers": (Offer(availability=99),)}, [("offers[0].availability", "OUT_OF_RANGE")]),
        ({"offers": (Offer(quantity=-1),)}, [("offers[0].quantity", "OUT_OF_RANGE")]),
        ({"offers": tuple(Offer(str(n)) for n in range(251))}, [("offers", "TOO_MANY")]),
    ],
)
def test_a_broken_rule_is_named_by_field_and_reason(fields, expected):
    assert broken(**fields) == expected


def test_the_message_about_markup_says_how_long_a_text_may_be_with_it():
    (violation,) = product_violations(replace(GOOD, description="<p>" * 33_334), LIMITS)
    assert violation.description == "must have at most 100,000 characters with its markup"


@pytest.mark.parametrize("gtin", ["96385074", "614141123452", "6291041500213", "00614141123452", "10614141543219"])
def test_gtins_of_every_length_with_their_check_digit_are_good(gtin):
    """Numbers from GS1's own guide to check digits and its General Specifications."""
    assert broken(gtin=gtin) == []


def test_all_broken_rules_are_told_at_once_and_no_value_is_repeated():
    violations = product_violations(replace(GOOD, id="secret id", title="", gtin="secret"), LIMITS)
    assert [v.field for v in violations] == ["id", "gtin", "title"]
    assert not any("secret" in v.description for v in violations)


USD = Money("USD", 1, 0)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (ProductFilter(brands=("a",) * 101), "filter.brands"),
        (ProductFilter(brands=("a" * 201,)), "filter.brands[0]"),
        (ProductFilter(categories=("a > ",)), "filter.categories[0]"),
        (ProductFilter(categories=("a",) * 101), "filter.categories"),
        (ProductFilter(availabilities=(0,)), "filter.availabilities[0]"),
        (ProductFilter(availabilities=(1,) * 6), "filter.availabilities"),
        (ProductFilter(price=PriceRange()), "filter.price"),
        (ProductFilter(price=PriceRange(Money("", 1, 0))), "filter.price.min.currency_code"),
        (ProductFilter(price=PriceRange(USD, Money("EUR", 2, 0))), "filter.price.max.currency_code"),
        (ProductFilter(price=PriceRange(Money("USD", 2, 0), USD)), "filter.price.max"),
    ],
)
def test_a_bad_filter_is_named_by_its_field(wanted, field):
    assert [v.field for v in filter_violations(wanted, FilterLimits(), LIMITS)] == [field]


def test_a_good_filter_breaks_no_rule():
    wanted = ProductFilter(("a",), ("Grocery > Dairy",), PriceRange(USD, USD), (1, 2))
    assert list(filter_violations(wanted, FilterLimits(), LIMITS)) == []
