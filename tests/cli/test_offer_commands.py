"""`zhiyin offers`: one offer from options, many from a file."""

import json

import pytest

from tests.cli.conftest import json_lines
from zhiyin.common.v1 import product_pb2, write_pb2


@pytest.fixture
def shelf(gateway):
    for i in range(3):
        product = product_pb2.Product(id=f"p{i}", title="Milk")
        offer = product.offers.add(availability=product_pb2.AVAILABILITY_IN_STOCK, quantity=7)
        offer.price.currency_code, offer.price.units = "EUR", 10
        gateway.fake.products[product.id] = product
    return gateway.fake


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return path


def test_only_what_is_named_is_changed(shelf, zhiyin):
    result = zhiyin("offers", "set", "p1", "--price", "12.90 EUR", "--wait")
    assert (result.exit_code, result.stdout) == (0, "p1: updated\n")
    (offer,) = shelf.products["p1"].offers
    assert (offer.price.currency_code, offer.price.units, offer.price.nanos) == ("EUR", 12, 900_000_000)
    assert (offer.availability, offer.quantity) == (product_pb2.AVAILABILITY_IN_STOCK, 7)
    assert shelf.wait_until == [write_pb2.WAIT_UNTIL_SEARCHABLE]


def test_an_offer_of_a_region_is_made_from_all_options(shelf, zhiyin):
    result = zhiyin(
        "offers", "set", "p1", "--region", "us", "--price", "USD 9", "--original-price", "11.5 usd",
        "--availability", "preorder", "--quantity", 0, "--json",
    )  # fmt: skip
    assert json_lines(result.stdout) == [{"product_id": "p1", "region": "us", "outcome": "created", "problems": []}]
    offer = shelf.products["p1"].offers[1]
    assert (offer.region, offer.availability, offer.HasField("quantity"), offer.quantity) == (
        "us", product_pb2.AVAILABILITY_PREORDER, True, 0,
    )  # fmt: skip
    assert (offer.original_price.currency_code, offer.original_price.units) == ("USD", 11)


def test_an_offer_can_be_removed(shelf, zhiyin):
    zhiyin("offers", "set", "p1", "--remove")
    assert shelf.last_update.updates[0].action == write_pb2.OFFER_ACTION_REMOVE


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "say what to change"),
        (("--price", "1 EUR", "--remove"), "say what to change"),
        (("--price", "12.90"), "--price: not a currency code of three letters (ISO 4217); write it as `12.90 EUR`"),
        (("--original-price", "cheap"), "--original-price: not an amount"),
        (("--availability", "maybe"), "--availability: none of in_stock"),
        (("--quantity", "-1"), "--quantity"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_the_call(shelf, zhiyin, options, told):
    result = zhiyin("offers", "set", "p1", *options)
    assert (result.exit_code, shelf.calls) == (2, [])
    assert told in result.stderr


def test_an_offer_that_is_refused_says_why(shelf, zhiyin):
    shelf.refused = {"p1"}
    result = zhiyin("offers", "set", "p1", "--quantity", 1)
    assert (result.exit_code, result.stdout) == (1, "p1: rejected (update_time: is older than the stored one)\n")
    assert zhiyin("offers", "set", "p9", "--quantity", 1).exit_code == 1


def test_a_table_changes_the_fields_that_it_has_columns_for(shelf, zhiyin, tmp_path):
    path = written(tmp_path, "o.csv", "product_id,price,currency,quantity\np0,1.50,EUR,3\np1,2 EUR,,\n")
    result = zhiyin("offers", "import", path)
    assert result.exit_code == 0
    assert "2 rows" in result.stdout
    assert "2 updated" in result.stdout
    assert shelf.offer_masks == [["price", "quantity"]]
    first, second = (shelf.products[name].offers[0] for name in ("p0", "p1"))
    assert (first.price.units, first.price.nanos, first.quantity) == (1, 500_000_000, 3)
    # An empty cell empties its field; availability has no column.
    assert (second.HasField("quantity"), second.availability) == (False, product_pb2.AVAILABILITY_IN_STOCK)


def test_lines_of_json_change_what_each_of_them_names(shelf, zhiyin, tmp_path):
    lines = [
        {"product_id": "p0", "quantity": 1, "update_time": "2026-11-25T10:00:00Z"},
        {"product_id": "p1", "quantity": 2},
        {"product_id": "p2", "availability": "out of stock", "region": "us"},
    ]
    path = written(tmp_path, "o.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    result = zhiyin("offers", "import", path, "--json")
    assert result.exit_code == 0
    assert shelf.offer_masks == [["quantity"], ["availability"]]
    summary = json_lines(result.stdout)[-1]["summary"]
    assert {name: summary[name] for name in ("rows", "created", "updated", "unchanged", "removed", "rejected")} == {
        "rows": 3, "created": 1, "updated": 2, "unchanged": 0, "removed": 0, "rejected": 0,
    }  # fmt: skip


def test_bad_rows_are_named_in_the_order_of_the_file_and_the_rest_goes_in(shelf, zhiyin, tmp_path):
    shelf.refused = {"p2"}
    path = written(
        tmp_path,
        "o.csv",
        "product_id,price,region\np9,1 EUR,\np0,cheap,\np2,2 EUR,\n,3 EUR,\np1,4 EUR,\np1,5,\n",
    )
    result = zhiyin("offers", "import", path, "--json")
    assert result.exit_code == 1
    *problems, last = json_lines(result.stdout)
    assert [
        tuple(line["problem"][name] for name in ("line", "product_id", "field", "reason")) for line in problems
    ] == [
        (2, "p9", "product_id", "NOT_FOUND"),
        (3, "p0", "price", "INVALID"),
        (4, "p2", "update_time", "STALE"),
        (5, "", "product_id", "REQUIRED"),
        (7, "p1", "price", "CURRENCY_MISSING"),
    ]
    assert (last["summary"]["updated"], last["summary"]["rejected"]) == (1, 5)


def test_of_two_rows_of_one_offer_the_later_one_wins(shelf, zhiyin, tmp_path):
    path = written(tmp_path, "o.csv", "product_id,quantity\np0,1\np1,2\np0,3\n")
    assert zhiyin("offers", "import", path).exit_code == 0
    assert shelf.products["p0"].offers[0].quantity == 3
    assert shelf.calls == ["UpdateOffers"] * 2


def test_a_long_file_goes_in_batches_of_a_thousand(shelf, zhiyin, tmp_path):
    rows = "".join(f"q{i},1\n" for i in range(2_001))
    result = zhiyin("offers", "import", written(tmp_path, "o.csv", f"product_id,quantity\n{rows}"))
    assert shelf.calls == ["UpdateOffers"] * 3
    assert "2,001 rejected" in result.stdout


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("product_id,prize\np0,1\n", "unknown columns: prize"),
        ("product_id,region\np0,us\n", "at least one that is changed"),
        ("id,link,mpn,price\n1,x,2,3 EUR\n", "offers come as csv, jsonl, parquet"),
    ],
)
def test_a_file_of_something_else_is_refused_before_anything_is_sent(shelf, zhiyin, tmp_path, content, told):
    result = zhiyin("offers", "import", written(tmp_path, "o.csv", content))
    assert (result.exit_code, shelf.calls) == (2, [])
    assert told in result.stderr


def test_a_currency_for_prices_without_one_must_be_one(zhiyin, tmp_path):
    result = zhiyin("offers", "import", written(tmp_path, "o.csv", "product_id,price\np0,1\n"), "--currency", "euro")
    assert (result.exit_code, "--currency" in result.stderr) == (2, True)
