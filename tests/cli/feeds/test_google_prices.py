"""Prices, sale prices and repeated attributes of Google Merchant feeds."""

import datetime as dt

import pytest

from tests.cli.feeds.reading import expected, money, products_of, rows_of, written

NAMES = ("id", "title", "link", "price", "sale_price", "sale_price_effective_date")


def feed(tmp_path, *cells, names=NAMES):
    return written(tmp_path, "feed.tsv", "\t".join(names) + "\n" + "\t".join(cells) + "\n")


def offer_and_warnings(path, **options):
    (row,), _ = rows_of(path, **options)
    (product,) = products_of(path, **options).values()
    return product.offers[0], [(warning.field, warning.reason) for warning in row.warnings]


def offer(price, original=None):
    values = {"price": price} | ({"originalPrice": original} if original else {})
    return expected(offers=[values]).offers[0]


@pytest.mark.parametrize(
    ("price", "sale", "wanted", "warnings"),
    [
        ("15.00 EUR", "12.00 EUR", offer(money(12, "EUR"), money(15, "EUR")), []),
        ("15.00 EUR", "0.00 EUR", offer(money(15, "EUR")), []),
        ("15.00 EUR", "0", offer(money(15, "EUR")), []),
        ("15.00 EUR", "20.00 EUR", offer(money(15, "EUR")), [("original_price", "NOT_REDUCED")]),
        ("15.00 EUR", "20", offer(money(15, "EUR")), [("original_price", "NOT_REDUCED")]),
        ("", "12.00 EUR", offer(money(12, "EUR")), []),
        ("0.00 EUR", "", offer(money(0, "EUR")), []),
    ],
)
def test_a_sale_price_counts_only_where_it_is_a_reduction(tmp_path, price, sale, wanted, warnings):
    assert offer_and_warnings(feed(tmp_path, "a", "A", "", price, sale, "")) == (wanted, warnings)


@pytest.mark.parametrize(
    ("now", "units"),
    [
        ("2026-04-30T23:59:59+00:00", 15),
        ("2026-05-01T00:00+00:00", 12),
        ("2026-05-31T23:59:59.999999+00:00", 12),
        ("2026-06-01T00:00+00:00", 15),
    ],
)
@pytest.mark.parametrize("period", ["2026-05-01/2026-05-31", "20260501/20260531"])
def test_the_last_day_of_a_sale_belongs_to_it(tmp_path, now, units, period):
    path = feed(tmp_path, "a", "A", "", "15 EUR", "12 EUR", period)
    assert products_of(path, now=dt.datetime.fromisoformat(now))["a"].offers[0].price.units == units


def test_a_last_moment_without_a_day_after_it_is_a_problem_of_its_row(tmp_path):
    (row,), _ = rows_of(feed(tmp_path, "a", "A", "", "15 EUR", "12 EUR", "2026-05-01/9999-12-31"))
    assert [(error.field, error.reason) for error in row.errors] == [("price", "INVALID_FORMAT")]


def test_columns_that_occur_twice_fill_one_list(tmp_path):
    names = ("id", "title", "link", "additional_image_link", "Additional Image Link", "product_type", "product_type")
    path = feed(tmp_path, "a", "A", "", "https://x/1", "https://x/2", "B > C", "D", names=names)
    product = products_of(path)["a"]
    assert [image.uri for image in product.images] == ["https://x/1", "https://x/2"]
    assert list(product.categories) == ["B > C", "D"]


def test_columns_that_are_not_used_may_occur_twice(tmp_path):
    names = ("id", "title", "link", "mpn", "shipping(country:price)", "shipping(country:price)", "x", "x")
    rows, file = rows_of(feed(tmp_path, "a", "A", "", "", "DE:1", "FR:2", "1", "2", names=names))
    assert rows[0].values == {"id": "a", "title": "A"}
    assert list(file.remarks.unused) == ["shipping(country:price)", "x"]


def test_several_values_where_one_is_held_are_told(tmp_path):
    names = ("id", "title", "link", "mpn", "price", "price")
    path = feed(tmp_path, "a", "A", "", "", "1 EUR", "2 EUR", names=names)
    assert offer_and_warnings(path) == (offer(money(1, "EUR")), [("price", "SEVERAL_VALUES")])
    same = feed(tmp_path, "a", "A", "", "", "1 EUR", "1 EUR", names=names)
    assert offer_and_warnings(same) == (offer(money(1, "EUR")), [])
