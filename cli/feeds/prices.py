"""Amounts as people write them: `15.00 USD`, `€ 1.234,50`, `1,299`.

Nothing is guessed: an amount that can be read in two ways is refused, unless the person said which sign is the decimal
one. The rules, in order: with two kinds of signs the last one is the decimal sign; a sign that occurs several times
groups thousands; a single sign is the decimal one, unless one to three digits stand before it, not beginning with 0,
and exactly three behind.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from cli.problems import FieldError
from cli.rows import NumberStyle

_SYMBOLS: Final = {"€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₫": "VND", "₺": "TRY", "₽": "RUB", "₴": "UAH"}
"""Signs that stand for one currency."""
_YEN: Final = frozenset({"CNY", "JPY"})
_SHARED_SYMBOLS: Final[Mapping[str, frozenset[str]]] = {
    "$": frozenset(
        {
            *("ARS", "AUD", "BBD", "BMD", "BND", "BSD", "BZD", "CAD", "CLP", "COP"),
            *("CUP", "DOP", "FJD", "GYD", "HKD", "JMD", "KYD", "LRD", "MXN", "NAD"),
            *("NIO", "NZD", "SBD", "SGD", "SRD", "TTD", "TWD", "USD", "UYU", "XCD"),
        }
    ),
    "¥": _YEN,
    "￥": _YEN,
    "kr": frozenset({"DKK", "ISK", "NOK", "SEK"}),
}
"""Signs that stand for several currencies (Unicode CLDR, narrow symbols), and which these are."""
_SPACES: Final = re.compile(r"[\s'’]")
_AMOUNT: Final = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*")
_PARTS: Final = re.compile(r"(?P<before>[^0-9+-]*)(?P<amount>[+-]?[0-9][0-9.,]*)(?P<after>[^0-9]*)")
_CODE: Final = re.compile(r"[A-Za-z]{3}")
_MAX_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount in major units."""

    value: Decimal
    currency: str
    """ISO 4217; empty where none is written."""
    possible: frozenset[str] = frozenset()
    """Currencies that a sign beside it may stand for; empty where there is no such sign."""

    def may_be(self, currency: str) -> bool:
        """Whether what is written beside the amount leaves that currency open."""
        return not self.possible or currency in self.possible


def amount_of(text: str, style: NumberStyle) -> Amount:
    """A written amount.

    Raises:
        FieldError: it is none, or can be read in two ways. Its field is empty.
    """
    parts = _PARTS.fullmatch(_SPACES.sub("", text)) if len(text) <= _MAX_CHARACTERS else None
    if parts is None:
        raise FieldError("", "not an amount")
    value = decimal_of(parts["amount"], style)
    beside = [part.strip(".") for part in (parts["before"], parts["after"]) if part]
    signs = [_SHARED_SYMBOLS[part.lower()] for part in beside if part.lower() in _SHARED_SYMBOLS]
    currency = _currency([part for part in beside if part.lower() not in _SHARED_SYMBOLS])
    amount = Amount(value, currency, frozenset.intersection(*signs) if signs else frozenset())
    if currency and not amount.may_be(currency):
        raise FieldError("", "has a sign that is not of its currency", "CURRENCY_CONFLICT")
    return amount


def decimal_of(text: str, style: NumberStyle) -> Decimal:
    """A written number, without spaces.

    Raises:
        FieldError: it is none, or can be read in two ways. Its field is empty.
    """
    if _AMOUNT.fullmatch(text) is None:
        raise FieldError("", "not a number")
    decimal_sign = _decimal_sign(text, style)
    whole, _, fraction = text.partition(decimal_sign) if decimal_sign else (text, "", "")
    groups = re.split("[.,]", whole)
    grouped_well = len(groups) == 1 or (
        1 <= len(groups[0].lstrip("+-")) <= 3 and all(len(group) == 3 for group in groups[1:])
    )
    if not grouped_well or (not fraction.isdecimal() and fraction) or len(set(re.findall("[.,]", whole))) > 1:
        raise FieldError("", "not a number: its thousands are not grouped by three")
    return Decimal(f"{''.join(groups)}.{fraction or '0'}")


def _decimal_sign(text: str, style: NumberStyle) -> str:
    """Empty where the number is whole."""
    if style is not NumberStyle.UNSAID:
        return "." if style is NumberStyle.POINT else ","
    signs = re.findall("[.,]", text)
    if len(set(signs)) == 2:
        return str(signs[-1])
    if len(signs) != 1:
        return ""
    before, behind = text.lstrip("+-").split(signs[0])
    if len(behind) == 3 and len(before) <= 3 and not before.startswith("0"):
        raise FieldError("", "one sign before three digits groups thousands or begins decimals", "AMBIGUOUS_NUMBER")
    return str(signs[0])


def _currency(beside: Sequence[str]) -> str:
    found = {_currency_of(part) for part in beside}
    if len(found) > 1:
        raise FieldError("", "has two currencies", "CURRENCY_CONFLICT")
    return found.pop() if found else ""


def _currency_of(part: str) -> str:
    if _CODE.fullmatch(part):
        return part.upper()
    if part in _SYMBOLS:
        return _SYMBOLS[part]
    raise FieldError("", "not an amount with an ISO 4217 code or a sign of a currency")
