"""Events: what a shopper did, as it was sent and as it is kept.

Named tuples, not dataclasses: a batch holds a thousand, and building frozen ones takes longer than checking them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Final, NamedTuple

from services.common.errors import Violation

_NANOS: Final = 1_000_000_000


class EventType(IntEnum):
    """What was done; the numbers are those of zhiyin.common.v1.UserEventType and of the tables."""

    SEARCH = 1
    DETAIL_PAGE_VIEW = 2
    CLICK = 3
    ADD_TO_CART = 4
    REMOVE_FROM_CART = 5
    PURCHASE_COMPLETE = 6
    RATE = 7
    COMMENT = 8
    SHARE = 9
    DISMISS = 10


class Money(NamedTuple):
    """An amount in one currency (google.type.Money)."""

    currency: str
    units: int
    nanos: int

    @property
    def total_nanos(self) -> int:
        """The amount in billionths."""
        return self.units * _NANOS + self.nanos

    @property
    def amount(self) -> Decimal:
        """The amount, exact: an int64 and nine digits fit a decimal's 28."""
        return Decimal(self.total_nanos).scaleb(-9).normalize()


class SentEvent(NamedTuple):
    """An event as it was sent, not yet checked."""

    event_id: str
    type: int
    visitor_id: str
    user_id: str
    session_id: str
    event_time: int | None
    """Unix microseconds; None = when it arrived."""
    attribution_id: str
    product_ids: Sequence[str]
    quantities: Sequence[int]
    """One per product; 0 = 1."""
    prices: Sequence[Money | None]
    """One per product, of one unit."""
    revenue: Money | None
    rating: float | None
    query: str
    comment: str


@dataclass(frozen=True, slots=True)
class EventBatch:
    """The events of one call."""

    count: int
    size: int
    """Bytes as sent."""
    events: Iterable[SentEvent]
    """Read once."""


class NewEvent(NamedTuple):
    """An event that is right, as it is to be kept: no pseudonym is left. Names are those of the table's columns."""

    catalog: str
    visitor_hash: bytes
    user_hash: bytes | None
    session_hash: bytes | None
    key_version: int
    event_id: str
    type: int
    event_time: datetime
    arrival_time: datetime
    attribution_id: str | None
    product_ids: Sequence[str]
    quantities: Sequence[int]
    prices: Sequence[Decimal | None] | None
    revenue: Decimal | None
    currency: str | None
    rating: float | None
    query: str | None
    comment: str | None
    digest: bytes
    """Of what the event says, 16 bytes."""

    @property
    def key(self) -> tuple[bytes, str]:
        """What makes two events the same one; the catalogue is in the hash."""
        return self.visitor_hash, self.event_id


class EventOutcome(IntEnum):
    """What became of an event; the numbers are those of zhiyin.common.v1.EventOutcome."""

    ACCEPTED = 1
    DUPLICATE = 2
    CONFLICT = 3
    REJECTED = 4


class EventResult(NamedTuple):
    """What became of one event of a batch."""

    event_id: str
    outcome: EventOutcome
    violations: Sequence[Violation] = ()
