"""Partitions of a table, by month of arrival."""

import re
from collections.abc import Sequence
from typing import Final, Protocol

import asyncpg

from services.common.errors import Unavailable
from services.common.postgres import Connection, Database
from services.feedback.partitions import Month

_SUFFIX: Final = re.compile("_([0-9]{4})_([0-9]{2})")
# One at a time makes or drops partitions, whichever replica it belongs to; freed with the transaction.
_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended('zhiyin.feedback.partitions', 0))"
# Whoever waits for a lock makes all behind it wait: rather give up and try again later.
_BRIEFLY: Final = "SET LOCAL lock_timeout = '1s'"
_PRESENT: Final = """
    SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = $1::regclass ORDER BY relname
"""


class PostgresPartitions:
    """The partitions of one table, `<table>_<year>_<month>`; a PartitionStore."""

    def __init__(self, database: Database, table: str) -> None:
        """`table` is a name in the code, never one that somebody sent."""
        self._database = database
        self._table = table

    async def present(self) -> Sequence[Month]:
        """As PartitionStore."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_PRESENT, self._table)
        matches = (_SUFFIX.fullmatch(row["relname"].removeprefix(self._table)) for row in rows)
        return [Month(int(match[1]), int(match[2])) for match in matches if match]

    async def make(self, months: Sequence[Month]) -> None:
        """As PartitionStore."""
        there = set(await self.present())
        for month in months:
            if month not in there:
                await self._in_turn(_make, month)

    async def drop(self, month: Month) -> None:
        """As PartitionStore."""
        await self._in_turn(_drop, month)

    async def _in_turn(self, change: "_Change", month: Month) -> None:
        try:
            async with self._database.transaction() as connection:
                await connection.execute(_TURN)
                await connection.execute(_BRIEFLY)
                await change(connection, self._table, month)
        except asyncpg.LockNotAvailableError as exc:
            raise Unavailable("the table is in use", reason="TABLE_IN_USE", retry_after=1.0) from exc


async def _make(connection: Connection, table: str, month: Month) -> None:
    # Attached rather than created in place: that would lock out everybody who reads or writes the table.
    name = _name(table, month)
    if await connection.fetchval("SELECT to_regclass($1)", name) is None:
        await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL EXCLUDING INDEXES)")
        bounds = f"FROM ('{month.begin.isoformat()}') TO ('{month.end.isoformat()}')"
        await connection.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {bounds}")


async def _drop(connection: Connection, table: str, month: Month) -> None:
    await connection.execute(f"DROP TABLE IF EXISTS {_name(table, month)}")


def _name(table: str, month: Month) -> str:
    return f"{table}_{month.year:04}_{month.number:02}"


class _Change(Protocol):
    async def __call__(self, connection: Connection, table: str, month: Month) -> None: ...
