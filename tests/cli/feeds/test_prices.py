"""Amounts as people write them; what can be read in two ways is refused."""

from decimal import Decimal

import pytest

from cli.feeds.prices import amount_of
from cli.problems import FieldError
from cli.rows import NumberStyle


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
