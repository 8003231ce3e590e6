"""Values of a row as the types of a product. A value comes as text (CSV), as JSON or as a type of Parquet.

Every function takes the value and raises FieldError, with an empty field and without the value, where it does not fit.
"""

import math
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from cli.problems import FieldError
from zhiyin.common.v1.product_pb2 import Availability

_NANOS: Final = Decimal(10) ** 9
_UNITS_LIMIT: Final = 2**63 - 1
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_WHOLE: Final = re.compile(r"[+-]?[0-9]+(?:\.0+)?")
_AVAILABILITY: Final = "AVAILABILITY_"


def text(value: Any) -> str:
    """Text, or a whole number: ids are often written as numbers."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise FieldError("", "not a text")
    try:
        return str(value).strip().encode("utf-8").decode("utf-8")
    except UnicodeEncodeError:
        raise FieldError("", "holds half of a surrogate pair") from None


def texts(value: Any) -> list[str]:
    """A list of texts; in one text they are separated by `|`."""
    parts = value.split("|") if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise FieldError("", "not a list of texts")
    return [part for part in map(text, parts) if part]


def number(value: Any) -> float:
    """A finite number."""
    return float(_decimal(value))


def whole_number(value: Any) -> int:
    """A whole number of 64 bits. `12.0` is one: a column with gaps often comes as floating point."""
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) is None:
        raise FieldError("", "not a whole number")
    found = _decimal(value)
    if found != found.to_integral_value() or abs(found) > _UNITS_LIMIT:
        raise FieldError("", "not a whole number of 64 bits")
    return int(found)


def money(value: Any, currency: str) -> Money:
    """An amount in major units: `12.90`."""
    amount = _decimal(value)
    units = int(amount)
    nanos = (amount - units) * _NANOS
    if abs(units) > _UNITS_LIMIT or nanos != nanos.to_integral_value():
        raise FieldError("", "not an amount with at most nine decimal places")
    return Money(currency_code=currency, units=units, nanos=int(nanos))


def currency_code(value: Any) -> str:
    """ISO 4217, three letters."""
    code = text(value).upper()
    if _CURRENCY.fullmatch(code) is None:
        raise FieldError("", "not a currency code of three letters (ISO 4217)")
    return code


def availability(value: Any) -> "Availability.ValueType":
    """`in_stock`, `In stock`, `AVAILABILITY_IN_STOCK`, ..."""
    name = re.sub(r"[ -]", "_", text(value)).upper()
    full_name = name if name.startswith(_AVAILABILITY) else _AVAILABILITY + name
    if full_name not in Availability.keys():  # noqa: SIM118 - an enum wrapper is no mapping
        known = ", ".join(key.removeprefix(_AVAILABILITY).lower() for key in Availability.keys()[1:])
        raise FieldError("", f"none of {known}", "UNKNOWN")
    return Availability.Value(full_name)


def moment(value: Any) -> Timestamp:
    """A time of RFC 3339, `2026-05-01T12:00:00+08:00`, or a date; UTC where no zone is given."""
    try:
        found = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError:
        raise FieldError("", "not a time of RFC 3339") from None
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime.combine(found, time())
    if not isinstance(found, datetime):
        raise FieldError("", "not a time of RFC 3339")
    timestamp = Timestamp()
    try:
        timestamp.FromDatetime(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise FieldError("", "not a time of the years 1 to 9999") from None
    return timestamp


def is_absent(value: Any) -> bool:
    """NaN is how a floating point column says that there is no value."""
    return isinstance(value, float) and math.isnan(value)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise FieldError("", "not a number")
    try:
        found = Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, ValueError):
        raise FieldError("", "not a number") from None
    # A number far beyond every field would take long to compute with.
    if not found.is_finite() or found.adjusted() > 20 or found.as_tuple().exponent < -40:  # type: ignore[operator]
        raise FieldError("", "not a number in the range of any field")
    return found
