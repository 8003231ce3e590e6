"""Index versions in Postgres."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import numpy as np

from services.common.postgres import Connection, Database
from services.retrieval.adapters.queues import exclude_writers
from services.retrieval.adapters.rules_format import packed_rules, unpacked_rules
from services.retrieval.attributes import NONE_DECLARED, Declarations
from services.retrieval.convert_settings import declarations_of
from services.retrieval.index_version import (
    IndexCounts,
    IndexVersion,
    Model,
    RegisteredVersion,
    VersionState,
    VersionStatus,
)
from services.retrieval.version_registry import NewVersion, VersionTransaction

MOST_LISTED: Final = 1_000
"""Versions of a catalogue that are listed."""
VERSIONS: Final = """
    SELECT versions.*, target.content AS target_settings
    FROM index_versions AS versions LEFT JOIN catalog_settings AS target
        ON target.catalog = versions.catalog AND target.version = versions.target_settings_version
"""
_ADD = """
    INSERT INTO index_versions (catalog, number, state, active, model_name, model_revision, dims, mean_vector,
        analyser_version, document_rules, built_to, activate_time, settings_version, target_settings_version, settings)
    SELECT $1, $2, $3::text, $3 = 'active', $4, $5, $6, $7, $8, $9, CASE $3 WHEN 'building' THEN '' END,
        CASE $3 WHEN 'active' THEN now() END, coalesce(latest.version, 0), coalesce(latest.version, 0), latest.content
    FROM (SELECT) AS one LEFT JOIN (
        SELECT version, content FROM catalog_settings WHERE catalog = $1 ORDER BY version DESC LIMIT 1
    ) AS latest ON true
"""
# READY means complete: one that was being rebuilt goes on with it before anybody can go back to it.
_RETIRE = """
    UPDATE index_versions AS versions SET active = false, state = CASE WHEN built_to IS NOT NULL OR EXISTS (
        SELECT FROM outbox
        WHERE outbox.catalog = versions.catalog AND outbox.version = versions.number AND failure IS NULL AND backfill
    ) THEN 'building' ELSE 'ready' END
    WHERE catalog = $1 AND active AND number <> $2
"""
_ACTIVATE = """
    UPDATE index_versions SET state = 'active', active = true, activate_time = now() WHERE catalog = $1 AND number = $2
"""
_DELETE = "UPDATE index_versions SET state = 'deleted', delete_time = now() WHERE catalog = $1 AND number = $2"
# One that searches do not use cannot be switched to until it is complete again.
_REFILL = """
    UPDATE index_versions SET built_to = '', state = CASE state WHEN 'ready' THEN 'building' ELSE state END
    WHERE catalog = $1 AND number = $2
"""
_TRY_AGAIN = """
    UPDATE outbox SET failure = NULL, words_indexed = false
    WHERE catalog = $1 AND version = $2 AND failure IS NOT NULL
"""
_COUNTS = """
    SELECT versions.number,
        (SELECT count(*) FROM products WHERE catalog = $1) AS products,
        (SELECT count(*) FROM outbox WHERE catalog = $1 AND version = versions.number
            AND failure IS NULL AND NOT words_indexed AND coalesce(product_id <= built_to, true))
        + (SELECT count(*) FROM products WHERE catalog = $1 AND id > built_to)
        + (SELECT count(*) FROM offer_outbox WHERE catalog = $1 AND version = versions.number
            AND coalesce(product_id <= built_to, true) AND NOT EXISTS (
                SELECT FROM outbox WHERE (outbox.catalog, outbox.version, outbox.product_id)
                    = (offer_outbox.catalog, offer_outbox.version, offer_outbox.product_id))) AS pending,
        (SELECT count(*) FROM outbox WHERE catalog = $1 AND version = versions.number
            AND failure IS NULL AND words_indexed AND coalesce(product_id <= built_to, true)) AS words_only,
        (SELECT count(*) FROM outbox WHERE catalog = $1 AND version = versions.number
            AND failure IS NOT NULL AND coalesce(product_id <= built_to, true)) AS failed
    FROM index_versions AS versions WHERE catalog = $1 AND number = ANY($2)
"""


class PostgresVersions:
    """A VersionRegistry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self, catalog: str) -> AsyncIterator[VersionTransaction]:
        async with self._database.transaction() as connection:
            await exclude_writers(connection, catalog)
            yield _Transaction(connection, catalog)

    async def find(self, catalog: str, number: int) -> RegisteredVersion | None:
        where = "WHERE versions.catalog = $1 AND versions.number = $2"
        return next(iter(await self._fetched(where, catalog, number)), None)

    async def active(self, catalog: str) -> RegisteredVersion | None:
        return next(iter(await self._fetched("WHERE versions.catalog = $1 AND versions.active", catalog)), None)

    async def live(self) -> Sequence[RegisteredVersion]:
        return await self._fetched("WHERE versions.state <> 'deleted' ORDER BY versions.catalog, versions.number")

    async def statuses(self, catalog: str, number: int | None = None) -> Sequence[VersionStatus]:
        where = "WHERE versions.catalog = $1 AND (versions.number = $2 OR $2 IS NULL AND versions.state <> 'deleted')"
        order = f"ORDER BY versions.number DESC LIMIT {MOST_LISTED}"
        async with self._database.connection() as connection:
            rows = await connection.fetch(f"{VERSIONS} {where} {order}", catalog, number)
            counted = await connection.fetch(_COUNTS, catalog, [row["number"] for row in rows])
        counts = {
            row["number"]: IndexCounts(row["products"], row["pending"], row["words_only"], row["failed"])
            for row in counted
        }
        return [VersionStatus(registered(row), counts[row["number"]]) for row in rows]

    async def _fetched(self, where: str, *arguments: object) -> list[RegisteredVersion]:
        async with self._database.connection() as connection:
            return [registered(row) for row in await connection.fetch(f"{VERSIONS} {where}", *arguments)]


class _Transaction:
    """A VersionTransaction."""

    def __init__(self, connection: Connection, catalog: str) -> None:
        self._connection = connection
        self._catalog = catalog

    async def versions(self) -> Sequence[RegisteredVersion]:
        where = "WHERE versions.catalog = $1 ORDER BY versions.number DESC"
        return [registered(row) for row in await self._connection.fetch(f"{VERSIONS} {where}", self._catalog)]

    async def add(self, new: NewVersion) -> None:
        model = new.model
        await self._connection.execute(
            _ADD,
            self._catalog,
            new.number,
            new.state.value,
            model.name,
            model.revision,
            model.dims,
            new.mean.astype("<f4").tobytes(),
            new.analyser_version,
            packed_rules(new.rules),
        )

    async def activate(self, number: int) -> None:
        await self._connection.execute(_RETIRE, self._catalog, number)
        await self._connection.execute(_ACTIVATE, self._catalog, number)

    async def delete(self, number: int) -> None:
        await self._connection.execute(_DELETE, self._catalog, number)

    async def refill(self, number: int) -> None:
        await self._connection.execute(_REFILL, self._catalog, number)
        await self._connection.execute(_TRY_AGAIN, self._catalog, number)


def registered(row: asyncpg.Record) -> RegisteredVersion:
    """A row of VERSIONS."""
    return RegisteredVersion(
        IndexVersion(
            catalog=row["catalog"],
            number=row["number"],
            model=Model(row["model_name"], row["model_revision"], row["dims"]),
            mean=np.frombuffer(row["mean_vector"], "<f4"),
            analyser_version=row["analyser_version"],
            declarations=_declarations(row["settings"]),
            coming=_declarations(row["target_settings"]),
            rules=None if row["document_rules"] is None else unpacked_rules(row["document_rules"]),
        ),
        VersionState(row["state"]),
        row["built_to"],
        row["create_time"],
        row["activate_time"],
        row["settings_version"],
        row["target_settings_version"],
    )


def _declarations(content: bytes | None) -> Declarations:
    return NONE_DECLARED if content is None else declarations_of(content)
