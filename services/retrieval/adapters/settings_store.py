"""Settings of catalogues in Postgres."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from services.common.postgres import Connection, Database
from services.retrieval.adapters.queues import exclude_writers
from services.retrieval.attributes import NONE_DECLARED, Declarations
from services.retrieval.catalog_settings import SettingsTransaction, SettingsVersion
from services.retrieval.convert_settings import declarations_of

_COLUMNS = """
    version, content, create_time,
    (SELECT max(version) FROM catalog_settings WHERE catalog = $1) AS latest,
    (SELECT settings_version FROM index_versions WHERE catalog = $1 AND active) AS in_force
"""
_LATEST = f"SELECT {_COLUMNS} FROM catalog_settings WHERE catalog = $1 ORDER BY version DESC LIMIT 1"  # noqa: S608 - constant
_ONE = f"SELECT {_COLUMNS} FROM catalog_settings WHERE catalog = $1 AND version = $2"  # noqa: S608 - constant
_PAGE = f"""
    SELECT {_COLUMNS} FROM (
        SELECT *, sum(octet_length(content)) OVER (ORDER BY version DESC) - octet_length(content) AS bytes_before
        FROM (
            SELECT * FROM catalog_settings WHERE catalog = $1 AND version < $2 ORDER BY version DESC LIMIT $3
        ) AS page
    ) AS measured WHERE bytes_before < $4 ORDER BY version DESC
"""  # noqa: S608 - constant
_CONTENT = "SELECT content FROM catalog_settings WHERE catalog = $1 ORDER BY version DESC LIMIT 1"
_ADD = "INSERT INTO catalog_settings (catalog, version, content) VALUES ($1, $2, $3)"
# Every product is indexed again under the new ones, beginning with the first; only then searches go by them.
_AIM = """
    UPDATE index_versions SET target_settings_version = $2, built_to = ''
    WHERE catalog = $1 AND state IN ('building', 'ready', 'active')
"""
_PAGE_BYTES: Final = 1_000_000
"""Of settings on one page, beyond the first ones: well within what a message may hold. A shorter page is legal."""


class PostgresSettings:
    """A SettingsStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self, catalog: str) -> AsyncIterator[SettingsTransaction]:
        """A transaction on one catalogue's settings."""
        async with self._database.transaction() as connection:
            await exclude_writers(connection, catalog)
            yield _Transaction(connection, catalog)

    async def find(self, catalog: str, number: int) -> SettingsVersion | None:
        """One version; 0 = the latest."""
        async with self._database.connection() as connection:
            row = await _row(connection, catalog, number)
        return None if row is None else SettingsVersion(*row)

    async def page(self, catalog: str, before: int, limit: int) -> Sequence[SettingsVersion]:
        """Versions below `before`, latest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_PAGE, catalog, before, limit, _PAGE_BYTES)
        return [SettingsVersion(*row) for row in rows]


class _Transaction:
    """A SettingsTransaction."""

    def __init__(self, connection: Connection, catalog: str) -> None:
        self._connection = connection
        self._catalog = catalog

    async def latest(self) -> SettingsVersion:
        row = await _row(self._connection, self._catalog, 0)
        return SettingsVersion(0, b"", None, 0, None) if row is None else SettingsVersion(*row)

    async def add(self, number: int, content: bytes) -> SettingsVersion:
        await self._connection.execute(_ADD, self._catalog, number, content)
        await self._connection.execute(_AIM, self._catalog, number)
        return await self.latest()


async def latest_declarations(connection: Connection, catalog: str) -> Declarations:
    """The attributes that the latest settings of a catalogue declare."""
    content = await connection.fetchval(_CONTENT, catalog)
    return NONE_DECLARED if content is None else declarations_of(content)


async def _row(connection: Connection, catalog: str, number: int) -> asyncpg.Record | None:
    if number == 0:
        return await connection.fetchrow(_LATEST, catalog)
    return await connection.fetchrow(_ONE, catalog, number)
