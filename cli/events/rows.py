"""What a row of a file of events becomes, whatever its format."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from cli.problems import FieldError
from cli.values import currency_code, money, text
from zhiyin.common.v1.user_event_pb2 import EventProduct, UserEvent

MAX_ID: Final = 128
_NANO: Final = Decimal("1e-9")
_UNIT: Final = 1


class EventFormat(StrEnum):
    """How a file of events is written."""

    JSONL = "jsonl"
    GA4 = "ga4"
    SEGMENT = "segment"


@dataclass(frozen=True, slots=True)
class Crossed:
    """What one row gives."""

    events: Sequence[UserEvent] = ()
    warnings: Sequence[FieldError] = ()
    """What the events go in without."""
    skipped: str = ""
    """Kind of a row that is no event of ours; empty where it is one."""


Crosswalk = Callable[[Mapping[str, Any]], Crossed]
"""From a JSON object to events. Raises FieldError where the row cannot be one, with the source's name of the field."""


def pseudonym(field: str, value: Any) -> str:
    """An id of a person; empty where there is none.

    Raises:
        FieldError: it is none, or it is an e-mail address, which is personal data.
    """
    found = "" if value is None else named(field, value, text)
    if "@" in found:
        raise FieldError(field, "looks like an e-mail address; an id must be a pseudonym", "PERSONAL_DATA")
    return found


def named(field: str, value: Any, read: Callable[[Any], Any]) -> Any:
    """The value read; a problem with it names the field."""
    try:
        return read(value)
    except FieldError as exc:
        inner = f"{field}.{exc.field}" if exc.field else field
        raise FieldError(inner, exc.description, exc.reason) from None


def derived_id(source: str, content: Any) -> str:
    """The id of an event whose source has none: the same content has the same id, in whatever order its keys are."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=True, default=str, separators=(",", ":"))
    return f"{source}-{hashlib.sha256(canonical.encode()).hexdigest()[:32]}"


def is_event_id(value: Any) -> bool:
    """Whether a source's own id can be that of an event."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID and value.isascii() and value.isprintable()


class Basket:
    """The products of a row, each once: what comes twice is added up."""

    def __init__(self, currency: str) -> None:
        """`currency` is that of amounts which name none; empty = not known."""
        self.warnings: list[FieldError] = []
        self._currency = currency
        self._products: dict[str, EventProduct] = {}

    @property
    def products(self) -> list[EventProduct]:
        """In the order of the row."""
        return list(self._products.values())

    def add(self, field: str, product_id: str, quantity: Any, price: Any) -> None:
        """Takes a product in.

        Raises:
            FieldError: quantity or price are none.
        """
        units = _UNIT if quantity is None else named(f"{field}.quantity", quantity, _units)
        before = self._products.get(product_id)
        if before is not None:
            before.quantity += units
            if price is not None and before.HasField("price"):
                self._keep_equal_price(field, before, price)
            return
        self._products[product_id] = made = EventProduct(product_id=product_id, quantity=units)
        if price is not None and (amount := self.amount(f"{field}.price", price)) is not None:
            made.price.CopyFrom(amount)

    def amount(self, field: str, value: Any) -> Any:
        """An amount in the basket's currency; None, with a warning, where that is not known.

        Raises:
            FieldError: it is none.
        """
        if not self._currency:
            self.warnings.append(FieldError(field, "is left out: no currency is named", "CURRENCY_MISSING"))
            return None
        return named(field, value, lambda given: money(nine_places(given), self._currency))

    def _keep_equal_price(self, field: str, before: EventProduct, price: Any) -> None:
        if self.amount(f"{field}.price", price) != before.price:
            before.ClearField("price")
            warning = FieldError(f"{field}.price", "is left out: the product is there at several prices", "CONFLICT")
            self.warnings.append(warning)


def currency_of(field: str, value: Any, otherwise: str) -> str:
    """The currency that a row names, or that of the file.

    Raises:
        FieldError: it is none.
    """
    return otherwise if is_absent(value) else str(named(field, value, currency_code))


def is_absent(value: Any) -> bool:
    """Whether a field has no value."""
    return value is None or value == ""


def nine_places(value: Any) -> Any:
    """An amount rounded to what Money holds: others compute in floating point."""
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        try:
            return Decimal(value).quantize(_NANO).normalize()
        except ArithmeticError:
            return value
    return value


def _units(value: Any) -> int:
    try:
        found = int(Decimal(value)) if isinstance(value, str | int | Decimal) else None
    except ArithmeticError:
        found = None
    if found is None or Decimal(value) != found or not 0 < found < 2**31:
        raise FieldError("", "not a whole number above 0", "OUT_OF_RANGE")
    return found
