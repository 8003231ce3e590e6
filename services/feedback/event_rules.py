"""What makes an event valid. A thousand come at once: the ordinary one is recognised before any rule is spelt out."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from services.common.errors import MAX_VIOLATIONS, Violation
from services.feedback.events import EventType, Money, SentEvent

MAX_RATING: Final = 5.0
_MAX_ID: Final = 128
_MAX_ATTRIBUTION_ID: Final = 64
_PRODUCT_ID: Final = re.compile("[A-Za-z0-9._:/-]{1,128}")
_CURRENCY: Final = re.compile("[A-Z]{3}")
_NANOS: Final = 1_000_000_000
_DAY: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class EventLimits:
    """How much an event may hold, and how far its time may lie from the clock."""

    max_events: int
    max_batch_bytes: int
    max_products: int
    max_quantity: int
    max_query_characters: int
    max_comment_characters: int
    future_seconds: float
    retention_days: int


class _Shape(NamedTuple):
    """What a type of event has."""

    fewest: int = 1
    """Products."""
    several: bool = False
    query: bool = False
    rating: bool = False
    comment: bool = False
    revenue: bool = False


_ONE_PRODUCT: Final = _Shape()
_SHAPES: Final[Mapping[int, _Shape]] = {
    EventType.SEARCH: _Shape(fewest=0, query=True),
    EventType.DETAIL_PAGE_VIEW: _ONE_PRODUCT,
    EventType.CLICK: _ONE_PRODUCT,
    EventType.ADD_TO_CART: _Shape(several=True),
    EventType.REMOVE_FROM_CART: _Shape(several=True),
    EventType.PURCHASE_COMPLETE: _Shape(several=True, revenue=True),
    EventType.RATE: _Shape(rating=True),
    EventType.COMMENT: _Shape(comment=True),
    EventType.SHARE: _ONE_PRODUCT,
    EventType.DISMISS: _ONE_PRODUCT,
}


class EventRules:
    """Checks events."""

    def __init__(self, limits: EventLimits) -> None:
        self._limits = limits
        self._future = int(limits.future_seconds * 1_000_000)
        self._past = limits.retention_days * _DAY

    def violations(self, event: SentEvent, now: int) -> Sequence[Violation]:
        """What is wrong with an event that arrives at `now` Unix microseconds; paths begin at the event."""
        if self._is_ordinary(event, now):
            return ()
        return list(islice(self._violations(event, now), MAX_VIOLATIONS))

    def _is_ordinary(self, event: SentEvent, now: int) -> bool:
        # One product without a price or text: clicks and views, nearly all of the traffic. Every rule below holds here.
        return (
            _SHAPES.get(event.type) is _ONE_PRODUCT
            and len(event.product_ids) == 1
            and event.prices[0] is None
            and 0 <= event.quantities[0] <= self._limits.max_quantity
            and _PRODUCT_ID.fullmatch(event.product_ids[0]) is not None
            and not (event.query or event.comment)
            and event.rating is None
            and event.revenue is None
            and _is_event_id(event.event_id)
            and 0 < len(event.visitor_id) <= _MAX_ID
            and len(event.user_id) <= _MAX_ID
            and len(event.session_id) <= _MAX_ID
            and (not event.attribution_id or _is_attribution_id(event.attribution_id))
            and (event.event_time is None or -self._past <= event.event_time - now <= self._future)
        )

    def _violations(self, event: SentEvent, now: int) -> Iterator[Violation]:
        yield from _id_violations(event)
        yield from self._time_violations(event.event_time, now)
        shape = _SHAPES.get(event.type)
        if shape is None:
            yield Violation("type", "must be a type of event that is known here", "NOT_ALLOWED")
            return
        yield from self._text_violations(event, shape)
        yield from _rating_violations(event.rating, shape)
        yield from self._product_violations(event, shape)
        yield from _money_violations(event, shape)

    def _time_violations(self, time: int | None, now: int) -> Iterator[Violation]:
        if time is None:
            return
        if time > now + self._future:
            description = f"must not be more than {self._limits.future_seconds:g} s ahead of the service's clock"
            yield Violation("event_time", description, "IN_THE_FUTURE")
        elif time < now - self._past:
            description = f"must lie within the last {self._limits.retention_days} days"
            yield Violation("event_time", description, "TOO_OLD")

    def _text_violations(self, event: SentEvent, shape: _Shape) -> Iterator[Violation]:
        limits = self._limits
        yield from _text_violations("query", event.query, limits.max_query_characters, is_wanted=shape.query)
        yield from _text_violations("comment", event.comment, limits.max_comment_characters, is_wanted=shape.comment)

    def _product_violations(self, event: SentEvent, shape: _Shape) -> Iterator[Violation]:
        count, most = len(event.product_ids), self._limits.max_products if shape.several else shape.fewest
        if count and not most:
            yield Violation("products", "are not part of this type of event", "NOT_ALLOWED")
        elif not count and shape.fewest:
            yield Violation("products", "must be given", "REQUIRED")
        elif count > most:
            yield Violation("products", f"must be {most:,} at most in this type of event", "TOO_MANY")
        else:
            yield from self._each_product(event)

    def _each_product(self, event: SentEvent) -> Iterator[Violation]:
        seen = set[str]()
        for position, (product_id, quantity) in enumerate(zip(event.product_ids, event.quantities, strict=True)):
            field = f"products[{position}]"
            if not _PRODUCT_ID.fullmatch(product_id):
                description = "must be 1 to 128 characters of A-Z a-z 0-9 . _ : - /"
                yield Violation(f"{field}.product_id", description, "MALFORMED" if product_id else "REQUIRED")
            elif product_id in seen:
                yield Violation(f"{field}.product_id", "must not repeat within one event", "DUPLICATE")
            seen.add(product_id)
            if not 0 <= quantity <= self._limits.max_quantity:
                description = f"must be 1 to {self._limits.max_quantity:,}, or 0 for 1"
                yield Violation(f"{field}.quantity", description, "OUT_OF_RANGE")


def _is_event_id(event_id: str) -> bool:
    return 0 < len(event_id) <= _MAX_ID and event_id.isascii() and event_id.isprintable()


def _is_attribution_id(attribution_id: str) -> bool:
    return len(attribution_id) <= _MAX_ATTRIBUTION_ID and attribution_id.isascii() and attribution_id.isprintable()


def _id_violations(event: SentEvent) -> Iterator[Violation]:
    if not _is_event_id(event.event_id):
        reason = "MALFORMED" if event.event_id else "REQUIRED"
        yield Violation("event_id", f"must be 1 to {_MAX_ID} printable ASCII characters", reason)
    if not event.visitor_id:
        yield Violation("visitor_id", "must be given", "REQUIRED")
    for field, text in (
        ("visitor_id", event.visitor_id),
        ("user_id", event.user_id),
        ("session_id", event.session_id),
    ):
        if len(text) > _MAX_ID:
            yield Violation(field, f"must have at most {_MAX_ID} characters", "TOO_LONG")
    if event.attribution_id and not _is_attribution_id(event.attribution_id):
        description = f"must have at most {_MAX_ATTRIBUTION_ID} characters of printable ASCII"
        yield Violation("attribution_id", description, "MALFORMED")


def _text_violations(field: str, text: str, longest: int, *, is_wanted: bool) -> Iterator[Violation]:
    if not is_wanted:
        if text:
            yield Violation(field, "is not part of this type of event", "NOT_ALLOWED")
    elif not text or text.isspace():
        yield Violation(field, "must be given", "REQUIRED")
    elif len(text) > longest:
        yield Violation(field, f"must have at most {longest:,} characters", "TOO_LONG")
    elif "\0" in text:
        # Postgres keeps no text with one.
        yield Violation(field, "must not hold the character NUL", "MALFORMED")


def _rating_violations(rating: float | None, shape: _Shape) -> Iterator[Violation]:
    if not shape.rating:
        if rating is not None:
            yield Violation("rating", "is not part of this type of event", "NOT_ALLOWED")
    elif rating is None:
        yield Violation("rating", "must be given", "REQUIRED")
    elif not 0.0 <= rating <= MAX_RATING:
        yield Violation("rating", f"must be 0 to {MAX_RATING:g}", "OUT_OF_RANGE")


def _money_violations(event: SentEvent, shape: _Shape) -> Iterator[Violation]:
    if event.revenue is not None and not shape.revenue:
        yield Violation("revenue", "is not part of this type of event", "NOT_ALLOWED")
    amounts = [("revenue", event.revenue)] if event.revenue is not None and shape.revenue else []
    amounts += [(f"products[{position}].price", price) for position, price in enumerate(event.prices) if price]
    for field, amount in amounts:
        yield from _amount_violations(field, amount, amounts[0])


def _amount_violations(field: str, amount: Money, first: tuple[str, Money]) -> Iterator[Violation]:
    if not _CURRENCY.fullmatch(amount.currency):
        yield Violation(f"{field}.currency_code", "must be three capital letters (ISO 4217)", "MALFORMED")
    elif amount.currency != first[1].currency:
        yield Violation(f"{field}.currency_code", f"must be the one of {first[0]}", "CURRENCY_MISMATCH")
    if amount.units < 0 or not 0 <= amount.nanos < _NANOS:
        yield Violation(field, "must not be negative, with nanos from 0 to 999,999,999", "OUT_OF_RANGE")
