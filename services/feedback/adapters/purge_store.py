"""Clearing dead rows away."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.common.postgres import Database

logger = logging.getLogger(__name__)
# While an older transaction runs its snapshot may still need the rows, and VACUUM would leave them.
_DUE: Final = """
    SELECT erasure_id FROM erasures WHERE purge_time IS NULL AND tx < pg_snapshot_xmin(pg_current_snapshot())
"""
_PURGED: Final = "UPDATE erasures SET purge_time = now() WHERE erasure_id = ANY($1)"
_FORGET: Final = "DELETE FROM {} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {} WHERE {} < $1 LIMIT $2))"
_FORGOTTEN_AT_ONCE: Final = 5_000
_TABLES: Final = (
    "events",
    "event_ledger",
    "impressions",
    "impression_ledger",
    "training_feed",
    "visitor_states",
    "visitor_accounts",
)


class PostgresPurge:
    """A PurgeStore."""

    def __init__(self, database: Database, statement_seconds: float) -> None:
        self._database = database
        self._statement_seconds = statement_seconds

    async def due(self) -> Sequence[UUID]:
        """As PurgeStore."""
        async with self._database.connection() as connection:
            return [row["erasure_id"] for row in await connection.fetch(_DUE)]

    async def clear(self) -> None:
        """As PurgeStore."""
        async with self._database.connection() as connection:
            for table in _TABLES:
                # For a few dead rows VACUUM would leave their keys in the indexes.
                await connection.execute(f"VACUUM (INDEX_CLEANUP ON) {table}", timeout=self._statement_seconds)
            try:
                # From here on Postgres uses the segments of the write-ahead log again that it needs no more.
                await connection.execute("CHECKPOINT", timeout=self._statement_seconds)
            except asyncpg.InsufficientPrivilegeError:
                logger.info("no checkpoint: the role is not in pg_checkpoint; the server makes its own")

    async def purged(self, erasure_ids: Sequence[UUID]) -> None:
        """As PurgeStore."""
        async with self._database.connection() as connection:
            await connection.execute(_PURGED, erasure_ids)

    async def forget_marks(self, before: datetime) -> int:
        """Forget of marks of erased visitors: events from before that moment are too old to be taken anyway."""
        return await self._forget("erased_visitors", "erase_time", before)

    async def forget_examples(self, before: datetime) -> int:
        """Forget of training examples, by their last change."""
        return await self._forget("training_feed", "change_time", before)

    async def _forget(self, table: str, column: str, before: datetime) -> int:
        async with self._database.connection() as connection:
            status = await connection.execute(_FORGET.format(table, table, column), before, _FORGOTTEN_AT_ONCE)
        return int(status.rpartition(" ")[2])
