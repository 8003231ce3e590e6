"""The feed of events: every event once, in the order in which it became known for good.

Values of a sequence become visible out of order, and so do those of transactions that overlap. The feed therefore ends
before the oldest transaction that still runs: nothing can appear any more before a place that was read up to.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from services.common.errors import invalid

_OFFSET: Final = re.compile(r"([0-9]{1,20})\.([0-9]{1,19})")
_LAST_TX: Final = 2**64 - 1
_LAST_SEQ: Final = 2**63 - 1


class FeedPosition(NamedTuple):
    """A place in a feed; the order of places is that of the tuples."""

    tx: int
    """Transaction that wrote the row."""
    seq: int
    """Order of writing within it."""


START: Final = FeedPosition(0, 0)
"""Before everything."""


class FedEvent(NamedTuple):
    """An event as it was kept; names and order are those of the table's columns."""

    catalog: str
    visitor_hash: bytes
    user_hash: bytes | None
    session_hash: bytes | None
    key_version: int
    event_id: str
    type: int
    """Number of a zhiyin.common.v1.UserEventType."""
    event_time: datetime
    arrival_time: datetime
    attribution_id: str | None
    product_ids: Sequence[str]
    quantities: Sequence[int]
    prices: Sequence[Decimal | None] | None
    """Of one unit, in `currency`; None = no product has one."""
    revenue: Decimal | None
    currency: str | None
    rating: float | None
    query: str | None
    comment: str | None
    tx: int
    seq: int

    @property
    def position(self) -> FeedPosition:
        """Where the event stands; reading on from it continues with the next one."""
        return FeedPosition(self.tx, self.seq)


class EventFeed(Protocol):
    """The events of all catalogues in the order of the feed."""

    async def after(self, position: FeedPosition, limit: int) -> Sequence[FedEvent]:
        """The next `limit` events after a place; fewer = these are all for now.

        Raises:
            Unavailable: the store is away.
        """
        ...


def offset_of(position: FeedPosition) -> str:
    """A place as callers carry it."""
    return f"{position.tx}.{position.seq}"


def position_at(offset: str, field: str = "after_offset") -> FeedPosition:
    """The place that an offset names; empty = before everything.

    Raises:
        InvalidArgument: the text is no offset.
    """
    if not offset:
        return START
    match = _OFFSET.fullmatch(offset)
    if match is None:
        raise invalid(field, "must be the offset of an earlier reply, or empty", "MALFORMED")
    position = FeedPosition(int(match[1]), int(match[2]))
    if position.tx > _LAST_TX or position.seq > _LAST_SEQ:
        raise invalid(field, "must be the offset of an earlier reply, or empty", "MALFORMED")
    return position
