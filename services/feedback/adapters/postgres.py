"""Impressions in Postgres."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.common.postgres import Database
from services.feedback.recording import ImpressionRecord
from services.feedback.visitors import VisitorHash

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A server or role may be set to acknowledge before a commit is on disk; stricter settings are left alone.
_DURABLE: Final = """
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'
"""
_ADD: Final = """
    INSERT INTO impressions (
        catalog, impression_id, attribution_id, visitor_hash, visitor_key_version, surface, show_time, policy,
        product_ids, positions, scores, propensities, feature_schema, features
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT (catalog, impression_id) DO NOTHING
    RETURNING true
"""
_HAS_SEEN: Final = "SELECT EXISTS (SELECT FROM impressions WHERE catalog = $1 AND visitor_hash = $2)"


class PostgresImpressions:
    """The table `impressions`; an ImpressionStore and a VisitorStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, catalog: str, records: Sequence[ImpressionRecord]) -> int:
        """As ImpressionStore."""
        # In the order of their ids, so that two batches that share some never wait for one another in a circle.
        rows = sorted((_row(catalog, record) for record in records), key=lambda row: row[1])
        async with self._database.transaction() as connection:
            await connection.execute(_DURABLE)
            return len(await connection.fetchmany(_ADD, rows))

    async def has_seen(self, catalog: str, visitor: VisitorHash) -> bool:
        """As VisitorStore."""
        async with self._database.connection() as connection:
            return bool(await connection.fetchval(_HAS_SEEN, catalog, visitor.digest))


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
        _EPOCH + timedelta(microseconds=impression.show_time or 0),
        impression.policy,
        products.product_ids,
        products.positions,
        products.scores,
        products.propensities,
        impression.feature_schema,
        products.features if impression.feature_schema else None,
    )
