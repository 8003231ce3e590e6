"""`zhiyin list` and `zhiyin similar`."""

import pytest

from services.common.errors import NotFound
from tests.cli.conftest import json_lines
from zhiyin.common.v1 import product_pb2
from zhiyin.common.v1.result_set_pb2 import VariantMode


@pytest.fixture
def shelf(gateway):
    for i in range(7):
        product = product_pb2.Product(id=f"p{i}", title=f"Milk {i}", primary_product_id="p0" if i else "")
        price = product.offers.add(region="us").price
        price.currency_code, price.units = "USD", i
        gateway.fake.products[product.id] = product
    return gateway.fake


def test_a_catalogue_is_shown_page_by_page(shelf, zhiyin):
    result = zhiyin("list", "--pages", 2)
    assert result.exit_code == 0
    for text in ("Milk 0", "Milk 5", "us 5.00 USD", "there are more"):
        assert text in result.stdout
    assert "Milk 6" not in result.stdout


def test_programs_get_a_line_for_each_product_and_the_token_to_go_on_with(shelf, zhiyin):
    *products, last = json_lines(zhiyin("list", "--json").stdout)
    assert [line["product"]["id"] for line in products] == ["p0", "p1", "p2"]
    rest = json_lines(zhiyin("list", "--json", "--pages", 9, "--next", last["next_page_token"]).stdout)
    assert [line["product"]["id"] for line in rest[:-1]] == ["p3", "p4", "p5", "p6"]
    assert rest[-1] == {"next_page_token": ""}


def test_ids_alone_can_be_piped(shelf, zhiyin):
    result = zhiyin("list", "--ids", "--variants-of", "p0", "--page-size", 50)
    assert result.stdout.splitlines() == ["p0", "p1", "p2"]
    asked = shelf.last_list
    assert (asked.view, asked.primary_product_id, asked.page_size) == (product_pb2.PRODUCT_VIEW_ID, "p0", 50)


def test_similar_products_are_asked_for_with_their_filter(shelf, zhiyin):
    result = zhiyin(
        "similar", "p0", "--exclude", "p3", "--brand", "A", "--region", "us", "--separate-variants", "--page-size", 5
    )
    assert result.exit_code == 0
    assert "Milk 1" in result.stdout
    asked = shelf.last_similar
    assert (asked.product_id, [*asked.excluded_product_ids], [*asked.filter.brands]) == ("p0", ["p3"], ["A"])
    assert (asked.region, asked.page_size, asked.variants) == ("us", 5, VariantMode.VARIANT_MODE_SEPARATE)
    (page,) = json_lines(zhiyin("similar", "p0", "--json").stdout)[0]["pages"]
    assert len(page["results"]) == 6


def test_a_product_that_is_not_there_has_nothing_similar(shelf, zhiyin):
    shelf.failures = [NotFound("there is no such product", reason="PRODUCT_NOT_FOUND")]
    result = zhiyin("similar", "p9")
    assert (result.exit_code, "NOT_FOUND (PRODUCT_NOT_FOUND)" in result.stderr) == (1, True)
