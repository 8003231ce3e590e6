"""Which of the two prices of a Google Merchant item holds: `price`, or `sale_price` while the sale is on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from cli.feeds.prices import amount_of
from cli.problems import FieldError
from cli.rows import NumberStyle, ReadOptions

SALE_TIME: Final = "sale_price_effective_date"
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of an item as they are written; empty where there is none."""

    price: str
    original: str = ""
    """The price before a sale that is on."""
    warnings: tuple[FieldError, ...] = ()


def prices_of(item: Mapping[str, Sequence[str]], options: ReadOptions) -> Prices:
    """The price that holds. A sale price of zero is none, and one that is not below the price is left out.

    Raises:
        FieldError: the time of the sale cannot be read.
    """
    price, sale = item.get("price", [""])[0], item.get("sale_price", [""])[0]
    if not sale or _is_zero(sale, options.numbers) or not _is_in_effect(item.get(SALE_TIME, [""])[0], options.now):
        return Prices(price)
    if _is_below(price, sale, options.numbers):
        warning = FieldError("original_price", "the sale price is above the price and was left out", "NOT_REDUCED")
        return Prices(price, warnings=(warning,))
    return Prices(sale, price)


def _is_zero(written: str, style: NumberStyle) -> bool:
    try:
        return not amount_of(written, style).value
    except FieldError:
        return False


def _is_below(written: str, other: str, style: NumberStyle) -> bool:
    """Whether two amounts can be compared, and the first one is lower."""
    try:
        first, second = amount_of(written, style), amount_of(other, style)
    except FieldError:
        return False
    return len({first.currency, second.currency} - {""}) <= 1 and first.value < second.value


def _is_in_effect(period: str, now: datetime) -> bool:
    """Whether a sale price holds; one without dates always does."""
    if not period.strip():
        return True
    try:
        start, end = (part.strip() for part in period.split("/"))
        return _start(start) <= now < _end(end)
    except (ValueError, OverflowError):
        description = "its effective dates are not two times of ISO 8601 with / between them"
        raise FieldError("price", description, "INVALID_FORMAT") from None


def _start(written: str) -> datetime:
    found = datetime.fromisoformat(written)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _end(written: str) -> datetime:
    """The first moment that is no longer in the period: the last day of a sale is part of it, and so is a last time."""
    try:
        day = date.fromisoformat(written)
    except ValueError:
        return _start(written) + timedelta(microseconds=1)
    return datetime.combine(day, time(), UTC) + _DAY
