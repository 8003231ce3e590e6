"""Impressions in Postgres: the ledger says which are new, and those are copied in, all in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.common.postgres import Connection, Database
from services.feedback.adapters.erased_visitors import PostgresErasedVisitors
from services.feedback.partitions import PartitionStore, months_from
from services.feedback.recording import ImpressionRecord, RecordCounts, counts_of, first_of_each

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
# A server or role may be set to acknowledge before a commit is on disk; stricter settings are left alone.
_DURABLE: Final = """
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'
"""
_LEDGER: Final = """
    INSERT INTO impression_ledger (catalog, impression_id, digest, arrival_time)
    SELECT $1, new.*, now() FROM unnest($2::uuid[], $3::bytea[]) AS new
    ON CONFLICT DO NOTHING
    RETURNING impression_id
"""
_KNOWN: Final = "SELECT impression_id, digest FROM impression_ledger WHERE catalog = $1 AND impression_id = ANY($2)"
_FORGET: Final = """
    WITH old AS (
        SELECT catalog, impression_id FROM impression_ledger WHERE arrival_time < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    DELETE FROM impression_ledger AS kept USING old
    WHERE (kept.catalog, kept.impression_id) = (old.catalog, old.impression_id)
"""
_FORGOTTEN_AT_ONCE: Final = 5_000
_COLUMNS: Final = (
    "catalog",
    "impression_id",
    "attribution_id",
    "visitor_hash",
    "visitor_key_version",
    "surface",
    "show_time",
    "policy",
    "product_ids",
    "positions",
    "scores",
    "propensities",
    "feature_schema",
    "features",
    "query",
    "model",
)


class PostgresImpressions:
    """The tables `impressions` and `impression_ledger`; an ImpressionStore."""

    def __init__(self, database: Database, partitions: PartitionStore, erased: PostgresErasedVisitors) -> None:
        """`partitions` are those of `impressions`."""
        self._database = database
        self._partitions = partitions
        self._erased = erased

    async def add(self, catalog: str, records: Sequence[ImpressionRecord]) -> RecordCounts:
        """As ImpressionStore."""
        try:
            return await self._add(catalog, records)
        except asyncpg.CheckViolationError as exc:
            if exc.constraint_name is not None:
                raise
            # No partition: the clock has jumped, or the upkeep has not come to it yet.
            await self._partitions.make(months_from(datetime.now(UTC), 1))
            return await self._add(catalog, records)

    async def forget(self, before: datetime) -> int:
        """Forget of ids, by their arrival."""
        async with self._database.transaction() as connection:
            status = await connection.execute(_FORGET, before, _FORGOTTEN_AT_ONCE)
        return int(status.rpartition(" ")[2])

    async def _add(self, catalog: str, records: Sequence[ImpressionRecord]) -> RecordCounts:
        async with self._database.transaction() as connection:
            await connection.execute(_DURABLE)
            hashes = (record.visitor.digest for record in records if record.visitor)
            kept = _not_erased(records, await self._erased.times(connection, hashes))
            firsts = first_of_each(kept)
            added, known = await _enter(connection, catalog, firsts)
            rows = [_row(catalog, record) for impression_id, record in firsts.items() if impression_id in added]
            if rows:
                await connection.copy_records_to_table("impressions", records=rows, columns=_COLUMNS)
        counts = counts_of(kept, added, known)
        return RecordCounts(counts.stored, counts.duplicates, counts.conflicts, len(records) - len(kept))


def _not_erased(records: Sequence[ImpressionRecord], times: Mapping[bytes, datetime]) -> Sequence[ImpressionRecord]:
    return [record for record in records if _show_time(record) > times.get(_digest(record), _NEVER)]


def _digest(record: ImpressionRecord) -> bytes:
    return record.visitor.digest if record.visitor else b""


async def _enter(
    connection: Connection, catalog: str, firsts: Mapping[bytes, ImpressionRecord]
) -> tuple[set[bytes], Mapping[bytes, bytes | None]]:
    """Enters what is new into the ledger: the ids that were, and the digests of the others."""
    ids = [UUID(bytes=impression_id) for impression_id in firsts]
    rows = await connection.fetch(_LEDGER, catalog, ids, [record.digest for record in firsts.values()])
    added = {row["impression_id"].bytes for row in rows}
    others = [one for one in ids if one.bytes not in added]
    known = await connection.fetch(_KNOWN, catalog, others) if others else []
    return added, {row["impression_id"].bytes: row["digest"] for row in known}


def _show_time(record: ImpressionRecord) -> datetime:
    return _EPOCH + timedelta(microseconds=record.impression.show_time or 0)


def _row(catalog: str, record: ImpressionRecord) -> tuple[Any, ...]:
    impression, visitor = record.impression, record.visitor
    products = impression.products
    return (
        catalog,
        UUID(bytes=impression.impression_id),
        impression.attribution_id,
        visitor and visitor.digest,
        visitor and visitor.key_version,
        impression.surface,
        _show_time(record),
        impression.policy,
        products.product_ids,
        products.positions,
        products.scores,
        products.propensities,
        impression.feature_schema,
        products.features if impression.feature_schema else None,
        impression.query or None,
        impression.model or None,
    )
