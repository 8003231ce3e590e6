"""Rows as products: the columns of the README in each form that they can have, and the field of each bad value."""

import datetime as dt
from decimal import Decimal

import pytest
from google.protobuf.json_format import ParseDict

from cli.products import product_of, unknown_columns
from cli.rows import Row
from zhiyin.common.v1.product_pb2 import Product


def product(**values):
    made = product_of(Row(1, {"id": "p1", **values}))
    assert isinstance(made, Product), made
    return made


def problems(**values):
    made = product_of(Row(9, {"id": "p1", **values}))
    assert isinstance(made, list), made
    assert all(problem.line == 9 for problem in made)
    return {problem.field: problem.reason for problem in made}


def expected(proto_json):
    return ParseDict({"id": "p1", **proto_json}, Product())


@pytest.mark.parametrize(
    ("values", "proto_json"),
    [
        ({"id": 42}, {"id": "42"}),
        ({"title": " 牛奶 "}, {"title": "牛奶"}),
        ({"categories": "A > B | C > D"}, {"categories": ["A > B", "C > D"]}),
        ({"categories": ["A > B", "C"]}, {"categories": ["A > B", "C"]}),
        ({"languageCode": "zh-CN", "primaryProductId": "p0"}, {"languageCode": "zh-CN", "primaryProductId": "p0"}),
        ({"image": "https://a/1"}, {"images": [{"uri": "https://a/1"}]}),
        ({"images": "https://a/1 | https://a/2"}, {"images": [{"uri": "https://a/1"}, {"uri": "https://a/2"}]}),
        ({"images": [{"uri": "https://a/1", "width": 3}]}, {"images": [{"uri": "https://a/1", "width": 3}]}),
        ({"rating_average": "4.5", "rating_count": "12"}, {"rating": {"average": 4.5, "count": 12}}),
        ({"rating": {"average": Decimal("4.5"), "count": 12}}, {"rating": {"average": 4.5, "count": 12}}),
        ({"sales_count": "0"}, {"salesCount": 0}),
        ({"sales_count": 12.0}, {"salesCount": 12}),
        ({"sales_count": "12.0"}, {"salesCount": 12}),
        ({"quantity": "1.00"}, {"offers": [{"quantity": 1}]}),
        ({"sales_count": float("nan")}, {}),
        ({"create_time": "2026-05-01"}, {"createTime": "2026-05-01T00:00:00Z"}),
        ({"create_time": "2026-05-01T12:00:00+08:00"}, {"createTime": "2026-05-01T04:00:00Z"}),
        ({"update_time": dt.date(2026, 5, 1)}, {"updateTime": "2026-05-01T00:00:00Z"}),
        (
            {"price": "12.90", "currency": "usd", "original_price": Decimal(15)},
            {
                "offers": [
                    {
                        "price": {"currencyCode": "USD", "units": 12, "nanos": 900_000_000},
                        "originalPrice": {"currencyCode": "USD", "units": 15},
                    }
                ]
            },
        ),
        ({"price": 0.1, "currency": "CNY"}, {"offers": [{"price": {"currencyCode": "CNY", "nanos": 100_000_000}}]}),
        (
            {"availability": "In stock", "quantity": 3, "region": "north"},
            {"offers": [{"availability": "AVAILABILITY_IN_STOCK", "quantity": 3, "region": "north"}]},
        ),
        (
            {"offers": [{"region": "x", "price": {"currencyCode": "USD", "units": "5"}}, {"region": "y"}]},
            {"offers": [{"region": "x", "price": {"currencyCode": "USD", "units": 5}}, {"region": "y"}]},
        ),
        (
            {"attributes.colour": "red", "attributes.weight": 1.5, "attributes.vegan": True},
            {"attributes": {"colour": {"texts": ["red"]}, "weight": {"numbers": [1.5]}, "vegan": {"flag": True}}},
        ),
        (
            {"attributes": {"size": ["S", "M"], "width": {"numbers": [Decimal("2.5")], "unit": "cm"}}},
            {"attributes": {"size": {"texts": ["S", "M"]}, "width": {"numbers": [2.5], "unit": "cm"}}},
        ),
        ({"attributes": [("colour", "red")]}, {"attributes": {"colour": {"texts": ["red"]}}}),
        ({"etag": "abc"}, {"etag": "abc"}),
    ],
)
def test_each_form_of_a_column_becomes_the_field(values, proto_json):
    assert product(**values) == expected(proto_json)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"title": 1.5}, {"title": "INVALID"}),
        ({"title": True}, {"title": "INVALID"}),
        ({"title": "\ud800"}, {"title": "INVALID"}),
        ({"categories": {"a": 1}}, {"categories": "INVALID"}),
        ({"sales_count": "many"}, {"sales_count": "INVALID"}),
        ({"sales_count": "1e3"}, {"sales_count": "INVALID"}),
        ({"sales_count": "1.5"}, {"sales_count": "INVALID"}),
        ({"sales_count": "1,0"}, {"sales_count": "INVALID"}),
        ({"sales_count": 1.5}, {"sales_count": "INVALID"}),
        ({"sales_count": 2**63}, {"sales_count": "INVALID"}),
        ({"rating_average": Decimal("1e999999")}, {"rating_average": "INVALID"}),
        ({"rating": {"mean": 4}}, {"rating": "INVALID"}),
        ({"rating": {"count": "many"}}, {"rating.count": "INVALID"}),
        ({"create_time": "yesterday"}, {"create_time": "INVALID"}),
        ({"create_time": 1_700_000_000}, {"create_time": "INVALID"}),
        ({"price": "12.90"}, {"price": "REQUIRED"}),
        ({"price": "1,290", "currency": "USD"}, {"price": "INVALID"}),
        ({"price": "0.0000000001", "currency": "USD"}, {"price": "INVALID"}),
        ({"price": "1", "currency": "dollar"}, {"currency": "INVALID", "price": "REQUIRED"}),
        ({"availability": "perhaps"}, {"availability": "UNKNOWN"}),
        ({"price": "1", "currency": "USD", "offers": []}, {"price": "CONFLICT"}),
        ({"offers": [{}, {"price": {"units": "x"}}]}, {"offers[1].price.units": "INVALID"}),
        ({"offers": {}}, {"offers": "INVALID"}),
        ({"attributes": {"a": [1, "b"]}}, {"attributes.a": "INVALID"}),
        ({"attributes": 5}, {"attributes": "INVALID"}),
        ({"colour": "red"}, {"colour": "UNKNOWN"}),
        ({"sales_count": "x", "availability": "y"}, {"sales_count": "INVALID", "availability": "UNKNOWN"}),
    ],
)
def test_a_value_that_does_not_fit_is_reported_with_its_field(values, found):
    assert problems(**values) == found


def test_a_row_without_an_id_is_reported():
    assert [problem.field for problem in product_of(Row(1, {"title": "x"}))] == ["id"]


def test_no_description_of_a_problem_quotes_the_value():
    secret = "5eCreT"
    rows = [{name: secret} for name in ("sales_count", "create_time", "availability", "price", "currency", "offers")]
    rows += [{"offers": [{"quantity": secret}]}, {"rating": {"average": secret}}, {"rating": {secret: 1}}]
    for row in rows:
        for problem in product_of(Row(1, {"id": "p", **row})):
            assert secret not in f"{problem.field} {problem.description}"


def test_unknown_columns_are_told_from_known_ones_in_both_spellings():
    assert unknown_columns(("id", "languageCode", "language_code", "price", "attributes.x", "colour")) == ["colour"]
