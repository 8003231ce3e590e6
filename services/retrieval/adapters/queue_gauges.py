"""How much index versions wait for, and since when."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.postgres import Database

# Where a catalogue has no version yet, its entries are those of the first one; deleted versions until they are cleared.
_LENGTHS = """
    WITH products AS (
        SELECT catalog, version, count(*) AS entries, extract(epoch FROM now() - min(enqueue_time))::float AS seconds
        FROM outbox WHERE failure IS NULL GROUP BY catalog, version
    ),
    offers AS (
        SELECT catalog, version, count(*) AS entries, extract(epoch FROM now() - min(enqueue_time))::float AS seconds
        FROM offer_outbox GROUP BY catalog, version
    ),
    versions AS (
        SELECT catalog, number AS version, state FROM index_versions WHERE NOT cleared
        ORDER BY active DESC, catalog, number LIMIT $1
    )
    SELECT catalog, version, coalesce(state, 'building') AS state,
        coalesce(products.entries, 0) AS products, coalesce(products.seconds, 0) AS products_seconds,
        coalesce(offers.entries, 0) AS offers, coalesce(offers.seconds, 0) AS offers_seconds
    FROM versions FULL JOIN products USING (catalog, version) LEFT JOIN offers USING (catalog, version)
    LIMIT $1
"""
_MOST = 1_000
"""Versions that are reported."""


@dataclass(frozen=True, slots=True)
class QueueLength:
    """What one version waits for; ages of the oldest entries in seconds."""

    catalog: str
    version: int
    state: str
    products: int
    products_seconds: float
    offers: int
    offers_seconds: float


class PostgresQueues:
    """Counts the entries of both queues."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lengths(self) -> Sequence[QueueLength]:
        """By version; active ones first, a thousand at most. Raises Unavailable."""
        async with self._database.connection() as connection:
            return [QueueLength(**dict(row)) for row in await connection.fetch(_LENGTHS, _MOST)]
