"""The same events by bare statements: rows made beforehand, no check, no hash, nothing between them and the tables."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import asyncpg

from zhiyin.common.v1 import user_event_pb2
from zhiyin.feedback.v1 import feedback_service_pb2 as pb

_COLUMNS: Final = (
    "catalog", "visitor_hash", "user_hash", "session_hash", "key_version", "event_id", "type", "event_time",
    "arrival_time", "product_ids", "quantities", "prices", "revenue", "currency",
)  # fmt: skip
_LEDGER_COLUMNS: Final = ("visitor_hash", "event_id", "digest", "arrival_time")
_INSERT_LEDGER: Final = "INSERT INTO event_ledger VALUES ($1, $2, $3, $4)"
_INSERT: Final = f"""
    INSERT INTO events ({", ".join(_COLUMNS)}) VALUES ({", ".join(f"${n + 1}" for n in range(len(_COLUMNS)))})
"""  # noqa: S608 - the constants above


class BareRows(NamedTuple):
    """What is written of one batch."""

    ledger: Sequence[tuple[Any, ...]]
    events: Sequence[tuple[Any, ...]]


class BareEvents:
    """asyncpg on the tables of the service."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    def rows_of(self, request: pb.RecordEventsRequest) -> BareRows:
        """Rows with what the events hold, and as many bytes where the service puts hashes."""
        now = datetime.now(UTC)
        events = [_row(recorded.event, now) for recorded in request.events]
        # COPY knows no ON CONFLICT: in the order of the keys, as the service enters them.
        ledger = sorted((row[1], row[5], bytes(16), now) for row in events)
        return BareRows(ledger, events)

    async def copy(self, rows: BareRows) -> None:
        """One transaction with two COPY."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.copy_records_to_table("event_ledger", records=rows.ledger, columns=_LEDGER_COLUMNS)
            await connection.copy_records_to_table("events", records=rows.events, columns=_COLUMNS)

    async def insert(self, rows: BareRows) -> None:
        """One transaction with an INSERT for each row."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.executemany(_INSERT_LEDGER, rows.ledger)
            await connection.executemany(_INSERT, rows.events)


def _row(event: user_event_pb2.UserEvent, now: datetime) -> tuple[Any, ...]:
    amounts = [Decimal("9.99") if product.HasField("price") else None for product in event.products]
    has_price = any(amounts)
    return (
        "default",
        event.visitor_id.encode().ljust(32, b"\0"),
        event.user_id.encode().ljust(32, b"\0") if event.user_id else None,
        event.session_id.encode().ljust(32, b"\0"),
        1,
        event.event_id,
        event.type,
        event.event_time.ToDatetime(UTC),
        now,
        [product.product_id for product in event.products],
        [product.quantity for product in event.products],
        amounts if has_price else None,
        Decimal(30) if event.HasField("revenue") else None,
        "USD" if has_price else None,
    )
