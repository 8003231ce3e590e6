"""`zhiyin search`: attributes, facets, orders, relaxation and variants."""

import pytest

from tests.cli.conftest import json_lines
from zhiyin.common.v1 import catalog_settings_pb2 as settings_pb
from zhiyin.common.v1 import product_pb2
from zhiyin.common.v1 import result_set_pb2 as rs
from zhiyin.common.v1.filter_pb2 import AttributeCondition

FILTERABLE = settings_pb.ATTRIBUTE_USE_FILTERABLE


@pytest.fixture
def shelf(gateway):
    gateway.fake.products["p1"] = product_pb2.Product(id="p1", title="Milk")
    kinds = {"size": "NUMBER", "colour": "TEXT", "vegan": "BOOLEAN"}
    attributes = [
        settings_pb.AttributeDeclaration(
            name=name, type=settings_pb.AttributeType.Value(f"ATTRIBUTE_TYPE_{kind}"), uses=[FILTERABLE]
        )
        for name, kind in kinds.items()
    ]
    gateway.settings.versions.append(settings_pb.CatalogSettings(attributes=attributes, version=1))
    return gateway.fake


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("size=42", {"name": "size", "range": {"min": 42, "max": 42}}),
        ("size = 42 cm", {"name": "size", "range": {"min": 42, "max": 42, "unit": "cm"}}),
        ("size=1..2 kg", {"name": "size", "range": {"min": 1, "max": 2, "unit": "kg"}}),
        ("size=..0.5kg", {"name": "size", "range": {"max": 0.5, "unit": "kg"}}),
        ("size=-1.5..", {"name": "size", "range": {"min": -1.5}}),
        ("colour=red|light blue", {"name": "colour", "texts": {"values": ["red", "light blue"]}}),
        ("colour=42", {"name": "colour", "texts": {"values": ["42"]}}),
        ("vegan=Yes", {"name": "vegan", "flag": True}),
        ("vegan=false", {"name": "vegan", "flag": False}),
    ],
)
def test_a_condition_is_of_the_type_that_the_attribute_is_declared_as(shelf, zhiyin, written, expected):
    assert zhiyin("search", "milk", "--attribute", written).exit_code == 0
    assert [*shelf.last_search.filter.attributes] == [AttributeCondition(**expected)]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("size", "write it as name=value"),
        ("size=", "write it as name=value"),
        ("heel=3", "--attribute heel: is not declared; filters can name size, colour, vegan"),
        ("size=red", "(it is declared as number)"),
        ("size=..", "at least one end"),
        ("size=2..1", "ends before it begins"),
        ("vegan=maybe", "neither yes nor no (it is declared as boolean)"),
    ],
)
def test_a_condition_that_cannot_hold_is_refused_before_the_search(shelf, zhiyin, written, told):
    result = zhiyin("search", "milk", "--attribute", written)
    assert (result.exit_code, shelf.calls) == (2, [])
    assert told in result.stderr


def test_a_catalogue_without_declared_attributes_says_so(gateway, zhiyin):
    assert "declares none that filters can name" in zhiyin("search", "milk", "--attribute", "size=1").stderr


def test_facets_are_asked_for_by_field_range_and_path(shelf, zhiyin):
    options = ("brand", "price=0..10,10..", "size=1..2 kg", "category=Grocery > Dairy", "attributes.brand")
    zhiyin("search", "milk", *(word for option in options for word in ("--facet", option)))
    assert [*shelf.last_search.facets] == [
        rs.FacetSpec(field="brand"),
        rs.FacetSpec(field="price", ranges=[{"min": 0, "max": 10}, {"min": 10}]),
        rs.FacetSpec(field="attributes.size", ranges=[{"min": 1, "max": 2, "unit": "kg"}]),
        rs.FacetSpec(field="category", parent_category="Grocery > Dairy"),
        rs.FacetSpec(field="attributes.brand"),
    ]


@pytest.mark.parametrize("option", ["price=cheap", "=1..2"])
def test_a_facet_that_is_none_is_refused(shelf, zhiyin, option):
    result = zhiyin("search", "milk", "--facet", option)
    assert (result.exit_code, shelf.calls) == (2, [])


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("price", rs.SORT_ORDER_PRICE_ASCENDING),
        ("price-desc", rs.SORT_ORDER_PRICE_DESCENDING),
        ("newest", rs.SORT_ORDER_NEWEST),
        ("sales", rs.SORT_ORDER_BEST_SELLING),
        ("rating", rs.SORT_ORDER_BEST_RATED),
    ],
)
def test_an_order_is_asked_for_by_its_name(shelf, zhiyin, name, order):
    zhiyin("search", "milk", "--sort", name, "--in-stock")
    assert shelf.last_search.order == order
    assert [*shelf.last_search.filter.availabilities] == [product_pb2.AVAILABILITY_IN_STOCK]


def test_nothing_is_relaxed_and_variants_are_collapsed_unless_asked(shelf, zhiyin):
    zhiyin("search", "milk")
    asked = shelf.last_search
    assert (asked.relaxation, asked.variants) == (rs.RELAXATION_MODE_STRICT, rs.VARIANT_MODE_COLLAPSED)
    zhiyin("search", "milk", "--relax", "--separate-variants")
    asked = shelf.last_search
    assert (asked.relaxation, asked.variants) == (rs.RELAXATION_MODE_RELAX_FILTER, rs.VARIANT_MODE_SEPARATE)


def test_the_result_set_is_shown_with_facets_variants_and_what_was_dropped(shelf, zhiyin):
    shelf.result_set = rs.ResultSet(
        size=137,
        relaxed_fields=["filter.price", "filter.attributes"],
        facets=[
            {"field": "brand", "values": [{"value": "Store", "count": 1_100}], "distinct_count": 4, "missing_count": 2},
            {
                "field": "price",
                "currency_code": "EUR",
                "observed": {"min": 0.5, "max": 20},
                "ranges": [{"range": {"min": 0, "max": 10}, "count": 9}],
            },
        ],
    )
    result = zhiyin("search", "milk")
    for text in ("+3 variants", "137 results", "Store", "1,100", "3 more values", "(no value)", "price 0.5..20 (EUR)"):
        assert text in result.stdout
    assert ["0..10", "9"] in [line.replace("│", " ").split() for line in result.stdout.splitlines()]
    assert "dropped: price, attributes" in result.stderr
    (page,) = json_lines(zhiyin("search", "milk", "--json").stdout)[0]["pages"]
    assert page["result_set"]["size"] == 137


@pytest.mark.parametrize(
    ("size", "truncated", "told"),
    [(1, False, "1 result ·"), (500, True, "500 or more results"), (0, False, "0 results")],
)
def test_the_size_of_a_result_set_says_whether_there_may_be_more(shelf, zhiyin, size, truncated, told):
    shelf.result_set = rs.ResultSet(size=size, truncated=truncated)
    assert told in zhiyin("search", "milk").stdout
