"""Training examples in Postgres: the order in which they are listed, and what they are made of."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from services.common.errors import invalid
from services.common.postgres import Connection, Database
from services.feedback.feed import FeedPosition
from services.feedback.joining import FollowingEvent, ShownPage
from services.feedback.training import Key, ListedExample, ListedPage

_CURSOR: Final = "SELECT tx, seq FROM cursors WHERE name = $1 FOR UPDATE"
_ADVANCE: Final = "UPDATE cursors SET tx = $2, seq = $3 WHERE name = $1"
# Below the oldest transaction that still runs nothing can appear any more, so that nothing is passed over.
_IMPRESSIONS: Final = """
    SELECT catalog, impression_id, arrival_time <= now() - $4::interval AS is_due, tx, seq FROM impressions
    WHERE tx IS NOT NULL AND (tx, seq) > ($1::xid8, $2::bigint) AND tx < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY tx, seq LIMIT $3
"""
_EVENTS: Final = """
    SELECT catalog, attribution_id, visitor_hash, least(event_time, arrival_time) AS time, tx, seq FROM events
    WHERE (tx, seq) > ($1::xid8, $2::bigint) AND tx < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY tx, seq LIMIT $3
"""
_LIST: Final = """
    INSERT INTO training_feed (catalog, impression_id) SELECT * FROM unnest($1::text[], $2::uuid[])
    ON CONFLICT (catalog, impression_id) DO NOTHING
"""
# One that was erased stays so; one that is not listed yet will be, with all that came of it.
_LIST_AGAIN: Final = """
    UPDATE training_feed AS kept
    SET change_time = now(), tx = pg_current_xact_id(), seq = nextval('training_seq')
    FROM (
        SELECT DISTINCT shown.catalog, shown.impression_id
        FROM unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[]) AS event (catalog, token, visitor, time)
        CROSS JOIN LATERAL (
            SELECT catalog, impression_id FROM impressions
            WHERE impressions.catalog = event.catalog AND attribution_id = event.token
            AND (visitor_hash IS NULL OR visitor_hash = event.visitor) AND event.time <= show_time + $5::interval
            LIMIT 1000
        ) AS shown
    ) AS changed
    WHERE (kept.catalog, kept.impression_id) = (changed.catalog, changed.impression_id) AND NOT kept.is_erased
"""
# Horizon and page are of one snapshot: all that ended before it was seen, so that a page that is not full reaches it.
_LISTED: Final = """
    WITH horizon AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS tx)
    SELECT horizon.tx AS horizon, page.*
    FROM horizon LEFT JOIN LATERAL (
        SELECT catalog, impression_id, is_erased, tx, seq FROM training_feed
        WHERE (tx, seq) > ($1::xid8, $2::bigint) AND tx < horizon.tx
        ORDER BY tx, seq LIMIT $3
    ) AS page ON true
    ORDER BY page.tx, page.seq
"""
_PAGES: Final = """
    SELECT shown.* FROM unnest($1::text[], $2::uuid[]) AS wanted (catalog, impression_id)
    CROSS JOIN LATERAL (
        SELECT catalog, impression_id, surface, extract(epoch FROM show_time)::float8 AS show_time, policy, model,
            feature_schema, query, product_ids, positions, scores, propensities, features
        FROM impressions
        WHERE impressions.catalog = wanted.catalog AND impressions.impression_id = wanted.impression_id
        AND NOT EXISTS (
            SELECT FROM visitor_states AS states
            WHERE states.catalog = impressions.catalog AND states.visitor_hash = impressions.visitor_hash AND is_bot
        )
        LIMIT 1
    ) AS shown
"""
_FOLLOWING: Final = """
    SELECT wanted.catalog, wanted.impression_id, events.* FROM unnest($1::text[], $2::uuid[])
        AS wanted (catalog, impression_id)
    CROSS JOIN LATERAL (
        SELECT attribution_id, visitor_hash FROM impressions
        WHERE impressions.catalog = wanted.catalog AND impressions.impression_id = wanted.impression_id LIMIT 1
    ) AS shown
    CROSS JOIN LATERAL (
        SELECT type, extract(epoch FROM least(event_time, arrival_time))::float8 AS time, product_ids FROM events
        WHERE events.catalog = wanted.catalog AND attribution_id = shown.attribution_id
        AND (shown.visitor_hash IS NULL OR events.visitor_hash = shown.visitor_hash)
        ORDER BY event_time LIMIT 1000
    ) AS events
"""


class PostgresTrainingTurn:
    """A TrainingTurn on a connection that is inside a transaction and holds the cursors' locks."""

    def __init__(self, connection: Connection, events: FeedPosition, impressions: FeedPosition) -> None:
        self._connection = connection
        self._events = events
        self._impressions = impressions

    async def list_changed(self, limit: int, late_seconds: float) -> int:
        """As TrainingTurn."""
        rows = await self._connection.fetch(_EVENTS, *self._events, limit)
        if found := [tuple(row)[:4] for row in rows if row["attribution_id"] is not None]:
            await self._connection.execute(_LIST_AGAIN, *zip(*found, strict=True), timedelta(seconds=late_seconds))
        await self._advance("training", rows)
        return len(rows)

    async def list_due(self, limit: int, window_seconds: float) -> int:
        """As TrainingTurn."""
        rows = await self._connection.fetch(_IMPRESSIONS, *self._impressions, limit, timedelta(seconds=window_seconds))
        # In the order of the feed: behind one that is not due yet the next ones wait, some moments only.
        count = next((place for place, row in enumerate(rows) if not row["is_due"]), len(rows))
        if due := rows[:count]:
            keys = sorted((row["catalog"], row["impression_id"]) for row in due)
            await self._connection.execute(_LIST, *zip(*keys, strict=True))
        await self._advance("training_impressions", due)
        return count

    async def _advance(self, cursor: str, rows: Sequence[Any]) -> None:
        if rows:
            await self._connection.execute(_ADVANCE, cursor, rows[-1]["tx"], rows[-1]["seq"])


class PostgresTraining:
    """TrainingTurns, and an ExampleTable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def try_next(self) -> AsyncIterator[PostgresTrainingTurn | None]:
        """As TrainingTurns."""
        async with self._database.transaction() as connection:
            events = await connection.fetchrow(f"{_CURSOR} SKIP LOCKED", "training")
            if events is None:
                yield None
                return
            impressions: Any = await connection.fetchrow(_CURSOR, "training_impressions")
            yield PostgresTrainingTurn(connection, FeedPosition(*events), FeedPosition(*impressions))

    async def listed(self, after: FeedPosition, limit: int) -> ListedPage:
        """As ExampleTable."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_LISTED, *after, limit)
        if after.tx > rows[0]["horizon"]:
            # The horizon only rises, so that this place was read from a database that was there before a restore.
            raise invalid("after_offset", "lies ahead of the feed; read it from the beginning", "AHEAD_OF_FEED")
        found = [row for row in rows if row["impression_id"] is not None]
        entries = [ListedExample((row["catalog"], row["impression_id"].bytes), row["is_erased"]) for row in found]
        if len(entries) == limit:
            return ListedPage(entries, FeedPosition(rows[-1]["tx"], rows[-1]["seq"]), is_more=True)
        return ListedPage(entries, max(after, FeedPosition(rows[0]["horizon"], 0)), is_more=False)

    async def pages(self, keys: Collection[Key]) -> Mapping[Key, ShownPage]:
        """As ExampleTable."""
        return {_key(row): _page(row) for row in await self._rows(_PAGES, keys)}

    async def following(self, keys: Collection[Key]) -> Mapping[Key, Sequence[FollowingEvent]]:
        """As ExampleTable."""
        found: dict[Key, list[FollowingEvent]] = defaultdict(list)
        for row in await self._rows(_FOLLOWING, keys):
            found[_key(row)].append(FollowingEvent(row["type"], row["time"], row["product_ids"]))
        return found

    async def _rows(self, statement: str, keys: Collection[Key]) -> Sequence[Any]:
        if not keys:
            return []
        catalogs, ids = [key[0] for key in keys], [UUID(bytes=key[1]) for key in keys]
        async with self._database.connection() as connection:
            rows: Sequence[Any] = await connection.fetch(statement, catalogs, ids)
        return rows


def _key(row: Any) -> Key:
    return row["catalog"], row["impression_id"].bytes


def _page(row: Any) -> ShownPage:
    return ShownPage(
        impression_id=row["impression_id"].bytes,
        catalog=row["catalog"],
        surface=row["surface"],
        show_time=row["show_time"],
        policy=row["policy"],
        model=row["model"] or "",
        feature_schema=row["feature_schema"],
        query=row["query"] or "",
        product_ids=row["product_ids"],
        positions=row["positions"],
        scores=row["scores"],
        propensities=row["propensities"],
        features=row["features"] or (),
    )
