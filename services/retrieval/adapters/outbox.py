"""The queue of products, one for each index version that follows a catalogue."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from services.common.postgres import Database
from services.retrieval import convert
from services.retrieval.indexing_ports import PendingChange
from zhiyin.common.v1 import product_pb2

# Catalogues that have entries, found by hopping over the index; each version's best entries by its index; no sort of
# the whole queue, however long it is. A catalogue's entries come before its first version.
_TAKE = """
    WITH RECURSIVE waiting (catalog) AS (
        (SELECT catalog FROM outbox ORDER BY catalog LIMIT 1)
        UNION ALL
        SELECT (SELECT catalog FROM outbox WHERE catalog > waiting.catalog ORDER BY catalog LIMIT 1)
        FROM waiting WHERE waiting.catalog IS NOT NULL
    ),
    lanes AS (
        SELECT waiting.catalog, coalesce(versions.number, 1) AS version,
            CASE versions.state WHEN 'ready' THEN 1 WHEN 'building' THEN 2 ELSE 0 END AS turn,
            coalesce(versions.model_revision <> ALL($2), true) AS vectors_too
        FROM waiting LEFT JOIN index_versions AS versions
            ON versions.catalog = waiting.catalog AND versions.state <> 'deleted'
        WHERE waiting.catalog IS NOT NULL
            AND waiting.catalog || '.' || coalesce(versions.number, 1)::text <> ALL($3)
    )
    SELECT entries.*, products.content, products.change AS product_change
    FROM (
        SELECT lanes.turn, best.*
        FROM lanes CROSS JOIN LATERAL (
            SELECT catalog, version, product_id, change, words_indexed, backfill, enqueue_time, trace_parent
            FROM outbox
            WHERE outbox.catalog = lanes.catalog AND outbox.version = lanes.version AND failure IS NULL
                AND (NOT words_indexed OR lanes.vectors_too)
            ORDER BY words_indexed, backfill, enqueue_time LIMIT $1
        ) AS best
        ORDER BY lanes.turn, best.words_indexed, best.backfill, best.enqueue_time LIMIT $1
    ) AS entries
    LEFT JOIN products ON products.catalog = entries.catalog AND products.id = entries.product_id
    ORDER BY entries.turn, entries.words_indexed, entries.backfill, entries.enqueue_time
"""
# The indexer waits for no writer, who may be waiting for the indexer: an entry that is locked is being changed, so that
# it is no longer the same; should it stay as it was, it is taken once more.
_SETTLE: Final = """
    WITH same AS (
        SELECT outbox.catalog, outbox.version, outbox.product_id
        FROM outbox JOIN unnest($1::text[], $2::integer[], $3::text[], $4::bigint[])
            AS done (catalog, version, product_id, change) USING (catalog, version, product_id, change)
        FOR UPDATE OF outbox SKIP LOCKED
    )
    DELETE FROM outbox USING same
    WHERE (outbox.catalog, outbox.version, outbox.product_id) = (same.catalog, same.version, same.product_id)
    RETURNING outbox.catalog, outbox.version, outbox.product_id
"""
_MARK: Final = """
    WITH same AS (
        SELECT outbox.catalog, outbox.version, outbox.product_id
        FROM outbox JOIN unnest($1::text[], $2::integer[], $3::text[], $4::bigint[])
            AS done (catalog, version, product_id, change) USING (catalog, version, product_id, change)
        FOR UPDATE OF outbox SKIP LOCKED
    )
    UPDATE outbox SET words_indexed = true FROM same
    WHERE (outbox.catalog, outbox.version, outbox.product_id) = (same.catalog, same.version, same.product_id)
    RETURNING outbox.catalog, outbox.version, outbox.product_id
"""
_ABSENT: Final = """
    SELECT again.catalog, again.version, again.product_id, again.change
    FROM unnest($1::text[], $2::integer[], $3::text[], $4::bigint[]) AS again (catalog, version, product_id, change)
    JOIN index_versions ON index_versions.catalog = again.catalog AND index_versions.number = again.version
        AND index_versions.state <> 'deleted'
    WHERE NOT EXISTS (
        SELECT FROM outbox
        WHERE (outbox.catalog, outbox.version, outbox.product_id) = (again.catalog, again.version, again.product_id)
    )
"""
_INDEX_AGAIN: Final = """
    INSERT INTO outbox (catalog, version, product_id, change) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
_GIVE_UP = """
    UPDATE outbox SET failure = $5 WHERE catalog = $1 AND version = $2 AND product_id = $3 AND change = $4
"""


class PostgresOutbox:
    """An Outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(
        self, limit: int, *, without_vectors: Sequence[str], without: Sequence[str]
    ) -> Sequence[PendingChange]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_TAKE, limit, without_vectors, without)
        return [_change(row) for row in rows]

    async def settle(self, done: Sequence[PendingChange], words_only: Sequence[PendingChange]) -> None:
        async with self._database.connection() as connection:
            matched = set()
            for statement, changes in ((_SETTLE, done), (_MARK, words_only)):
                if changes:
                    rows = await connection.fetch(statement, *_keys(changes))
                    matched |= {(row["catalog"], row["version"], row["product_id"]) for row in rows}
            # No such entry any more: the product has changed again, and its entry waits; or another process has written
            # and settled a later change while this one was held up, and what we wrote just now was older. Once more.
            overtaken = [c for c in (*done, *words_only) if (c.catalog, c.version, c.product_id) not in matched]
            for absent in await connection.fetch(_ABSENT, *_keys(overtaken)) if overtaken else ():
                await connection.execute(_INDEX_AGAIN, *absent)

    async def give_up(self, change: PendingChange, reason: str) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_GIVE_UP, change.catalog, change.version, change.product_id, change.change, reason)


def _keys(changes: Sequence[PendingChange]) -> tuple[list[str], list[int], list[str], list[int]]:
    return (
        [change.catalog for change in changes],
        [change.version for change in changes],
        [change.product_id for change in changes],
        [change.change for change in changes],
    )


def _change(row: asyncpg.Record) -> PendingChange:
    content = row["content"]
    return PendingChange(
        catalog=row["catalog"],
        version=row["version"],
        product_id=row["product_id"],
        change=row["change"],
        product_change=row["product_change"] or 0,
        content=content,
        product=None if content is None else convert.product(product_pb2.Product.FromString(content)),
        words_indexed=row["words_indexed"],
        trace_parent=row["trace_parent"],
    )
