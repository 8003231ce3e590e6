"""Amounts as people write them; what can be read in two ways is refused."""

from decimal import Decimal

import pytest

from cli.feeds.prices import amount_of
from cli.problems import FieldError
from cli.rows import NumberStyle
from tests.cli.feeds.reading import expected, money, problems_of, products_of, rows_of, written


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("15.00 USD", "15", "USD"),
        ("usd 15", "15", "USD"),
        ("€ 1.234,50", "1234.5", "EUR"),
        ("1,234.50", "1234.5", ""),
        ("1 234,50 €", "1234.5", "EUR"),
        ("1\u00a0234,5", "1234.5", ""),
        ("1'299.90 CHF", "1299.9", "CHF"),
        ("12,5", "12.5", ""),
        ("0.125", "0.125", ""),
        ("0,125", "0.125", ""),
        ("1234.567", "1234.567", ""),
        ("1.234.567", "1234567", ""),
        ("1,234,567.8", "1234567.8", ""),
        ("$15.5", "15.5", ""),
        ("15.5 kr.", "15.5", ""),
        ("-3", "-3", ""),
    ],
)
def test_amounts_that_have_one_reading(text, amount, currency):
    found = amount_of(text, NumberStyle.UNSAID)
    assert (found.value, found.currency) == (Decimal(amount), currency)


@pytest.mark.parametrize("text", ["1.234", "1,234", "12.345 EUR", "999,000"])
def test_amounts_that_have_two_readings_are_refused(text):
    with pytest.raises(FieldError) as refused:
        amount_of(text, NumberStyle.UNSAID)
    assert refused.value.reason == "AMBIGUOUS_NUMBER"


@pytest.mark.parametrize(
    ("text", "style", "amount"),
    [
        ("1.234", NumberStyle.COMMA, "1234"),
        ("1,234", NumberStyle.COMMA, "1.234"),
        ("1.234", NumberStyle.POINT, "1.234"),
        ("1,234", NumberStyle.POINT, "1234"),
        ("1.234,5", NumberStyle.COMMA, "1234.5"),
    ],
)
def test_a_person_decides_about_them(text, style, amount):
    assert amount_of(text, style).value == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("", NumberStyle.UNSAID),
        ("free", NumberStyle.UNSAID),
        ("12.34.56", NumberStyle.UNSAID),
        ("1,23,456", NumberStyle.UNSAID),
        ("1.2,3.4", NumberStyle.UNSAID),
        ("12,5", NumberStyle.POINT),
        ("1,234.50", NumberStyle.COMMA),
        ("15 USD 16", NumberStyle.UNSAID),
        ("15 dollars", NumberStyle.UNSAID),
        ("9" * 100, NumberStyle.UNSAID),
    ],
)
def test_what_is_no_amount_is_refused_without_being_quoted(text, style):
    with pytest.raises(FieldError) as refused:
        amount_of(text, style)
    assert refused.value.reason == "INVALID"
    assert not text or text not in str(refused.value)


def test_two_currencies_are_refused():
    with pytest.raises(FieldError) as refused:
        amount_of("EUR 15 USD", NumberStyle.UNSAID)
    assert refused.value.reason == "CURRENCY_CONFLICT"


@pytest.mark.parametrize(
    ("text", "possible", "impossible"),
    [
        ("$15.00", ("USD", "CAD", "MXN"), ("EUR", "GBP", "JPY")),
        ("kr 100", ("SEK", "NOK", "DKK", "ISK"), ("EUR", "USD")),
        ("100 kr.", ("SEK",), ("EUR",)),
        ("¥100", ("JPY", "CNY"), ("USD",)),
        ("100", ("EUR", "USD"), ()),
    ],
)
def test_a_sign_of_several_currencies_rules_out_all_others(text, possible, impossible):
    amount = amount_of(text, NumberStyle.UNSAID)
    assert all(amount.may_be(currency) for currency in possible)
    assert not any(amount.may_be(currency) for currency in impossible)


def test_a_sign_beside_the_code_of_another_currency_is_refused():
    assert amount_of("$15 CAD", NumberStyle.UNSAID).currency == "CAD"
    with pytest.raises(FieldError) as refused:
        amount_of("$15 EUR", NumberStyle.UNSAID)
    assert refused.value.reason == "CURRENCY_CONFLICT"


@pytest.mark.parametrize(("price", "currency"), [("$15.00", "EUR"), ("kr 100", "EUR"), ("¥100", "USD")])
def test_a_currency_that_a_sign_cannot_stand_for_is_refused_wherever_it_comes_from(tmp_path, price, currency):
    path = written(tmp_path, "p.csv", f"id,title,price\na,A,{price}\n")
    assert problems_of(path, currency=currency) == [(2, "price", "CURRENCY_CONFLICT")]
    column = written(tmp_path, "q.csv", f"id,title,price,currency\na,A,{price},{currency}\n")
    assert problems_of(column) == [(2, "price", "CURRENCY_CONFLICT")]


def test_a_currency_that_a_sign_can_stand_for_is_taken(tmp_path):
    path = written(tmp_path, "p.csv", "id,title,price\na,A,$15.00\n")
    assert products_of(path, currency="CAD")["a"].offers[0].price.currency_code == "CAD"


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl"])
def test_a_price_before_a_reduction_that_is_lower_than_the_price_is_dropped_and_told(tmp_path, name):
    content = {
        "p.csv": "id,title,price,original_price,currency\na,A,10.00,5.00,EUR\nb,B,10,10,EUR\n",
        "p.jsonl": '{"id":"a","title":"A","price":10,"original_price":5.0,"currency":"EUR"}\n'
        '{"id":"b","title":"B","price":10,"original_price":"10","currency":"EUR"}\n',
    }[name]
    path = written(tmp_path, name, content)
    assert [[w.reason for w in row.warnings] for row in rows_of(path)[0]] == [["NOT_REDUCED"], []]
    assert products_of(path)["a"].offers[0] == expected(offers=[{"price": money(10, "EUR")}]).offers[0]
