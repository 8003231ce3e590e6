"""Turns at the statistics in Postgres: whoever holds the row lock of their cursor."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.common.postgres import Connection, Database
from services.feedback import statistics_rules
from services.feedback.adapters.statistics_states import keep_states, states_of
from services.feedback.adapters.statistics_tables import add_deltas
from services.feedback.counting import CountedEvent, CountedImpression, CountingRules, Deltas, Visitor, VisitorState
from services.feedback.feed import FeedPosition
from services.feedback.statistics_turn import BatchLimits

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PAGE: Final = 200
"""Rows of a visitor at a time: with 500 products each they still fit."""
_CURSOR: Final = "SELECT tx, seq FROM cursors WHERE name = 'statistics' FOR UPDATE"
_IMPRESSION_CURSOR: Final = "SELECT tx, seq FROM cursors WHERE name = 'statistics_impressions' FOR UPDATE"
# Below the oldest transaction that still runs nothing can appear any more, so that nothing is passed over.
_AFTER: Final = """
    FROM {table}
    WHERE tx IS NOT NULL AND (tx, seq) > ({after}) AND tx < pg_snapshot_xmin(pg_current_snapshot())
"""
_NEXT: Final = """
    SELECT * FROM (
        SELECT *, sum(cardinality(product_ids)) OVER (
            ORDER BY tx, seq ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW
        ) AS products_before
        FROM (SELECT {columns} {after} ORDER BY tx, seq LIMIT $3) AS waiting
    ) AS batch
    WHERE products_before IS NULL OR products_before < $4
    ORDER BY tx, seq
"""
_EVENT_COLUMNS: Final = "catalog, visitor_hash, type, least(event_time, arrival_time) AS time, product_ids, quantities"
_IMPRESSION_COLUMNS: Final = "catalog, visitor_hash, least(show_time, arrival_time) AS time, product_ids"
_EVENTS: Final = _NEXT.format(
    columns=f"{_EVENT_COLUMNS}, tx, seq", after=_AFTER.format(table="events", after="$1::xid8, $2::bigint")
)
_IMPRESSIONS: Final = _NEXT.format(
    columns=f"{_IMPRESSION_COLUMNS}, tx, seq", after=_AFTER.format(table="impressions", after="$1::xid8, $2::bigint")
)
# Asked first, without a lock: a lock is written to disk, and most looks find nothing.
_WAITS: Final = " OR ".join(
    f"""EXISTS (
        SELECT FROM cursors CROSS JOIN LATERAL (
            SELECT 1 {_AFTER.format(table=table, after="cursors.tx, cursors.seq")} ORDER BY tx, seq LIMIT 1
        ) AS waiting WHERE cursors.name = '{cursor}'
    )"""
    for table, cursor in (("events", "statistics"), ("impressions", "statistics_impressions"))
)
_ADVANCE: Final = "UPDATE cursors SET tx = $2, seq = $3 WHERE name = $1"
_OF_VISITOR: Final = """
    SELECT {columns} FROM {table}
    WHERE catalog = $1 AND visitor_hash = $2 AND (tx, seq) <= ($3::xid8, $4::bigint) ORDER BY tx, seq
"""
_VISITOR_EVENTS: Final = _OF_VISITOR.format(columns=_EVENT_COLUMNS, table="events")
_VISITOR_IMPRESSIONS: Final = _OF_VISITOR.format(columns=_IMPRESSION_COLUMNS, table="impressions")
_RULES: Final = "SELECT rules FROM statistics_rules"
_FIRST_RULES: Final = "INSERT INTO statistics_rules (rules) VALUES ($1)"


class PostgresTurn:
    """A Turn on a connection that is inside a transaction and holds the cursors' locks."""

    def __init__(self, connection: Connection, events: FeedPosition, impressions: FeedPosition) -> None:
        self._connection = connection
        self._events = events
        self._impressions = impressions

    async def rules(self, wanted: CountingRules) -> CountingRules:
        kept = await self._connection.fetchval(_RULES)
        if kept is None:
            await self._connection.execute(_FIRST_RULES, statistics_rules.written(wanted))
            return wanted
        return statistics_rules.read(kept, wanted)

    async def next_events(self, limits: BatchLimits) -> Sequence[CountedEvent]:
        rows = await self._next("statistics", _EVENTS, self._events, limits)
        return [_event(row) for row in rows]

    async def next_impressions(self, limits: BatchLimits) -> Sequence[CountedImpression]:
        rows = await self._next("statistics_impressions", _IMPRESSIONS, self._impressions, limits)
        return [_impression(row) for row in rows]

    async def counted_events(self, visitor: Visitor) -> AsyncIterator[Sequence[CountedEvent]]:
        async for rows in self._pages(_VISITOR_EVENTS, *visitor, *self._events):
            yield [_event(row) for row in rows]

    async def counted_impressions(self, visitor: Visitor) -> AsyncIterator[Sequence[CountedImpression]]:
        async for rows in self._pages(_VISITOR_IMPRESSIONS, *visitor, *self._impressions):
            yield [_impression(row) for row in rows]

    async def states(self, visitors: Collection[Visitor]) -> dict[Visitor, VisitorState]:
        return await states_of(self._connection, visitors)

    async def keep(self, states: Mapping[Visitor, VisitorState]) -> None:
        await keep_states(self._connection, states)

    async def add(self, deltas: Deltas, rules: CountingRules) -> None:
        await add_deltas(self._connection, deltas, rules.pairs.half_life)

    async def _next(self, cursor: str, statement: str, after: FeedPosition, limits: BatchLimits) -> Sequence[Any]:
        rows: Sequence[Any] = await self._connection.fetch(statement, *after, limits.rows, limits.products)
        if rows:
            await self._connection.execute(_ADVANCE, cursor, rows[-1]["tx"], rows[-1]["seq"])
        return rows

    async def _pages(self, statement: str, *values: Any) -> AsyncIterator[Sequence[Any]]:
        cursor = await self._connection.cursor(statement, *values)
        while rows := await cursor.fetch(_PAGE):
            yield rows


class PostgresTurns:
    """The Turns of the statistics."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def try_next(self) -> AsyncIterator[PostgresTurn | None]:
        async with self._database.connection() as connection:
            if not await connection.fetchval(f"SELECT {_WAITS}"):
                yield None
                return
            async with connection.transaction():
                events = await connection.fetchrow(f"{_CURSOR} SKIP LOCKED")
                yield None if events is None else await _turn(connection, events)

    @asynccontextmanager
    async def next(self) -> AsyncIterator[PostgresTurn]:
        async with self._database.transaction() as connection:
            yield await open_turn(connection)


async def open_turn(connection: Connection) -> PostgresTurn:
    """Waits for a turn inside the transaction of `connection`, and holds it until that ends."""
    return await _turn(connection, await connection.fetchrow(_CURSOR))


async def _turn(connection: Connection, events: Any) -> PostgresTurn:
    impressions: Any = await connection.fetchrow(_IMPRESSION_CURSOR)
    return PostgresTurn(connection, FeedPosition(*events), FeedPosition(*impressions))


def _event(row: Any) -> CountedEvent:
    visitor = (row["catalog"], row["visitor_hash"])
    return CountedEvent(visitor, row["type"], _microseconds(row["time"]), row["product_ids"], row["quantities"])


def _impression(row: Any) -> CountedImpression:
    catalog, digest = row["catalog"], row["visitor_hash"]
    visitor = None if digest is None else (catalog, digest)
    return CountedImpression(visitor, catalog, _microseconds(row["time"]), row["product_ids"])


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND
