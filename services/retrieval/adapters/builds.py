"""Builds of index versions, portion by portion, and what is left of deleted ones; in Postgres."""

from collections.abc import Sequence
from typing import Final

from services.common.postgres import Connection, Database
from services.retrieval.adapters.queues import exclude_writers
from services.retrieval.adapters.version_registry import VERSIONS, registered
from services.retrieval.index_version import IndexVersion, RegisteredVersion

_UNFINISHED = """
    WHERE versions.state = 'building'
        OR versions.state <> 'deleted'
            AND (versions.built_to IS NOT NULL OR versions.settings_version <> versions.target_settings_version)
    ORDER BY versions.active DESC, versions.catalog, versions.number
"""
_BUILT_TO = """
    SELECT built_to FROM index_versions WHERE catalog = $1 AND number = $2 AND state <> 'deleted' FOR UPDATE
"""
_WAITING = """
    SELECT count(*) FROM (
        SELECT FROM outbox
        WHERE catalog = $1 AND version = $2 AND failure IS NULL AND NOT words_indexed AND backfill LIMIT $3
    ) AS portion
"""
# A number of its own for each entry: what a process that was held up writes and settles late is not taken for this.
_PORTION = """
    WITH portion AS (SELECT id FROM products WHERE catalog = $1 AND id > $3 ORDER BY id LIMIT $4),
    put AS (
        INSERT INTO outbox (catalog, version, product_id, change, backfill)
        SELECT $1, $2, id, nextval('product_changes'), true FROM portion ORDER BY id COLLATE "C"
        ON CONFLICT (catalog, version, product_id) DO UPDATE
            SET change = excluded.change, words_indexed = false, failure = NULL, backfill = true
    )
    SELECT max(id) AS last, count(*) AS products FROM portion
"""
_MARK = "UPDATE index_versions SET built_to = $3 WHERE catalog = $1 AND number = $2"
_COMPLETE = """
    UPDATE index_versions SET state = 'ready'
    WHERE catalog = $1 AND number = $2 AND state = 'building' AND built_to IS NULL AND NOT EXISTS (
        SELECT FROM outbox WHERE outbox.catalog = $1 AND outbox.version = $2 AND failure IS NULL AND backfill
    )
    RETURNING true
"""
_REINDEXED = """
    SELECT built_to IS NULL AND NOT EXISTS (
        SELECT FROM outbox
        WHERE outbox.catalog = $1 AND outbox.version = $2 AND failure IS NULL AND NOT words_indexed AND backfill
    )
    FROM index_versions WHERE catalog = $1 AND number = $2
"""
_APPLY = """
    UPDATE index_versions SET settings_version = $3, settings = latest.content
    FROM catalog_settings AS latest
    WHERE index_versions.catalog = $1 AND number = $2 AND target_settings_version = $3
        AND latest.catalog = $1 AND latest.version = $3
    RETURNING true
"""
_DELETED = """
    WHERE versions.state = 'deleted' AND NOT versions.cleared
        AND versions.delete_time <= now() - make_interval(secs => $1)
"""
_CLEAR_QUEUE = """
    DELETE FROM {queue} USING (
        SELECT product_id FROM {queue} WHERE catalog = $1 AND version = $2 LIMIT $3
    ) AS portion WHERE {queue}.catalog = $1 AND {queue}.version = $2 AND {queue}.product_id = portion.product_id
"""
_CLEAR_VECTORS = """
    DELETE FROM product_vectors USING (
        SELECT product_id FROM product_vectors WHERE catalog = $1 AND model_revision = $2 LIMIT $3
    ) AS portion
    WHERE catalog = $1 AND model_revision = $2 AND product_vectors.product_id = portion.product_id AND NOT EXISTS (
        SELECT FROM index_versions
        WHERE index_versions.catalog = $1 AND index_versions.model_revision = $2 AND state <> 'deleted'
    )
"""
_CLEARED = "UPDATE index_versions SET cleared = true WHERE catalog = $1 AND number = $2"
_AT_ONCE: Final = 5_000
"""Rows removed by one statement: well within the time that one may take."""


class PostgresBuilds:
    """A Builds."""

    def __init__(self, database: Database, portion: int) -> None:
        self._database = database
        self._portion = portion

    async def open(self) -> Sequence[RegisteredVersion]:
        async with self._database.connection() as connection:
            return [registered(row) for row in await connection.fetch(f"{VERSIONS} {_UNFINISHED}")]

    async def advance(self, registered: RegisteredVersion) -> bool:
        if registered.built_to is None:
            return False
        key = registered.version.catalog, registered.version.number
        async with self._database.transaction() as connection:
            # Writers enqueue in several steps: with one of them at work, each could come to wait for the other.
            await exclude_writers(connection, registered.version.catalog)
            built_to = await connection.fetchval(_BUILT_TO, *key)
            if built_to is None or await connection.fetchval(_WAITING, *key, self._portion) >= self._portion:
                return False
            await self._put(connection, key, built_to)
        return True

    async def complete(self, registered: RegisteredVersion) -> bool:
        return await self._value(_COMPLETE, registered) is not None

    async def is_reindexed(self, registered: RegisteredVersion) -> bool:
        return bool(await self._value(_REINDEXED, registered))

    async def apply_settings(self, registered: RegisteredVersion) -> bool:
        return await self._value(_APPLY, registered, registered.target_settings_version) is not None

    async def _put(self, connection: Connection, key: tuple[str, int], built_to: str) -> None:
        row = await connection.fetchrow(_PORTION, *key, built_to, self._portion)
        is_last = row is None or row["products"] < self._portion
        await connection.execute(_MARK, *key, None if is_last or row is None else row["last"])

    async def _value(self, statement: str, registered: RegisteredVersion, *arguments: object) -> object:
        async with self._database.connection() as connection:
            return await connection.fetchval(
                statement, registered.version.catalog, registered.version.number, *arguments
            )


class PostgresClearance:
    """A Clearance."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def deleted(self, grace: float) -> Sequence[IndexVersion]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(f"{VERSIONS} {_DELETED}", grace)
        return [registered(row).version for row in rows]

    async def clear(self, version: IndexVersion) -> None:
        for queue in ("outbox", "offer_outbox"):
            await self._removed(_CLEAR_QUEUE.format(queue=queue), version.catalog, version.number)
        await self._removed(_CLEAR_VECTORS, version.catalog, version.model.revision)
        async with self._database.connection() as connection:
            await connection.execute(_CLEARED, version.catalog, version.number)

    async def _removed(self, statement: str, *key: object) -> None:
        while True:
            async with self._database.connection() as connection:
                done = await connection.execute(statement, *key, _AT_ONCE)
            if int(done.rpartition(" ")[2]) < _AT_ONCE:
                return
