"""`zhiyin show` and `zhiyin delete`, and how a refusal reads."""

from services.common.errors import Internal
from tests.cli.conftest import json_lines
from zhiyin.common.v1.product_pb2 import Availability, Product


def milk():
    product = Product(id="p1", title="Milk [bold]", brand="Store", categories=["Dairy > Milk"], sales_count=1200)
    product.attributes["weight"].numbers.append(1.5)
    product.attributes["weight"].unit = "kg"
    offer = product.offers.add(availability=Availability.AVAILABILITY_IN_STOCK)
    offer.price.currency_code, offer.price.units, offer.price.nanos = "USD", 2, 500_000_000
    return product


def test_a_product_is_shown_field_by_field_and_as_it_is(gateway, zhiyin):
    gateway.fake.products["p1"] = milk()
    result = zhiyin("show", "p1")
    assert result.exit_code == 0
    for text in ("Milk [bold]", "Dairy > Milk", "1,200", "1.5 kg", "2.50 USD, in stock"):
        assert text in result.stdout


def test_a_product_is_one_object_for_programs(gateway, zhiyin):
    gateway.fake.products["p1"] = milk()
    (product,) = json_lines(zhiyin("show", "p1", "--json").stdout)
    assert (product["id"], product["sales_count"]) == ("p1", "1200")


def test_control_sequences_of_a_title_do_not_reach_the_terminal(gateway, zhiyin):
    gateway.fake.products["p1"] = Product(id="p1", title="red \x1b[31malert\x07")
    assert "\x1b" not in zhiyin("show", "p1").stdout


def test_an_unknown_product_is_one_clear_line(zhiyin):
    result = zhiyin("show", "p9")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.strip() == "NOT_FOUND (PRODUCT_NOT_FOUND): there is no such product"


def test_a_gateway_that_is_not_there_says_how_to_start_it(zhiyin):
    result = zhiyin("show", "p1", "--gateway", "127.0.0.1:9")
    assert result.exit_code == 1
    assert "no gateway answers at 127.0.0.1:9: start one with `zhiyin up`" in result.stderr
    assert "Traceback" not in result.output


def test_a_fault_of_the_server_names_its_request(gateway, zhiyin):
    gateway.fake.failures = [Internal("boom")]
    result = zhiyin("show", "p1")
    assert result.exit_code == 1
    assert "INTERNAL: internal error, request id" in result.stderr


def test_deleting_can_be_repeated_and_tells_what_was_there(gateway, zhiyin):
    gateway.fake.products["p1"] = milk()
    result = zhiyin("delete", "p1", "p2", "p1")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["p1: deleted", "p2: not found"]


def test_many_deletions_are_sent_in_calls_that_the_gateway_takes(gateway, zhiyin):
    result = zhiyin("delete", "--json", *(f"p{i}" for i in range(1001)))
    assert len(json_lines(result.stdout)[0]["results"]) == 1001
    assert gateway.fake.calls == ["DeleteProducts"] * 3
