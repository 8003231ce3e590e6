"""The queue of changed offers, and the offers themselves as the indexer reads them."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from services.common.postgres import Database
from services.retrieval.offers_indexing import PendingOffers

# As the queue of products: catalogues by hops, each version's oldest entries by its index.
_TAKE = """
    WITH RECURSIVE waiting (catalog) AS (
        (SELECT catalog FROM offer_outbox ORDER BY catalog LIMIT 1)
        UNION ALL
        SELECT (SELECT catalog FROM offer_outbox WHERE catalog > waiting.catalog ORDER BY catalog LIMIT 1)
        FROM waiting WHERE waiting.catalog IS NOT NULL
    )
    SELECT best.*
    FROM waiting
    JOIN index_versions AS versions ON versions.catalog = waiting.catalog AND versions.state <> 'deleted'
        AND waiting.catalog || '.' || versions.number::text <> ALL($2)
    CROSS JOIN LATERAL (
        SELECT catalog, version, product_id, change, enqueue_time FROM offer_outbox
        WHERE offer_outbox.catalog = versions.catalog AND offer_outbox.version = versions.number
        ORDER BY enqueue_time LIMIT $1
    ) AS best
    ORDER BY versions.active DESC, best.enqueue_time LIMIT $1
"""
# As for products, it waits for no writer.
_SETTLE = """
    WITH same AS (
        SELECT offer_outbox.catalog, offer_outbox.version, offer_outbox.product_id
        FROM offer_outbox JOIN unnest($1::text[], $2::integer[], $3::text[], $4::bigint[])
            AS done (catalog, version, product_id, change) USING (catalog, version, product_id, change)
        FOR UPDATE OF offer_outbox SKIP LOCKED
    )
    DELETE FROM offer_outbox USING same
    WHERE (offer_outbox.catalog, offer_outbox.version, offer_outbox.product_id)
        = (same.catalog, same.version, same.product_id)
    RETURNING offer_outbox.catalog, offer_outbox.version, offer_outbox.product_id
"""
_ABSENT: Final = """
    SELECT again.catalog, again.version, again.product_id, again.change
    FROM unnest($1::text[], $2::integer[], $3::text[], $4::bigint[]) AS again (catalog, version, product_id, change)
    JOIN index_versions ON index_versions.catalog = again.catalog AND index_versions.number = again.version
        AND index_versions.state <> 'deleted'
    WHERE NOT EXISTS (
        SELECT FROM offer_outbox WHERE (offer_outbox.catalog, offer_outbox.version, offer_outbox.product_id)
            = (again.catalog, again.version, again.product_id)
    )
"""
_INDEX_AGAIN: Final = """
    INSERT INTO offer_outbox (catalog, version, product_id, change) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
# One that was removed stays, without content, so that an older write does not bring it back.
_OFFERS = """
    SELECT product_id, content FROM offers
    WHERE catalog = $1 AND product_id = ANY($2) AND content IS NOT NULL ORDER BY product_id, region COLLATE "C"
"""


class PostgresOfferOutbox:
    """An OfferOutbox and an OfferReader."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, limit: int, *, without: Sequence[str]) -> Sequence[PendingOffers]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_TAKE, limit, without)
        return [PendingOffers(row["catalog"], row["version"], row["product_id"], row["change"]) for row in rows]

    async def settle(self, done: Sequence[PendingOffers]) -> None:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_SETTLE, *_keys(done))
            # As for products: what another process has settled meanwhile may be newer than what was just written.
            matched = {(row["catalog"], row["version"], row["product_id"]) for row in rows}
            overtaken = [e for e in done if (e.catalog, e.version, e.product_id) not in matched]
            for absent in await connection.fetch(_ABSENT, *_keys(overtaken)) if overtaken else ():
                await connection.execute(_INDEX_AGAIN, *absent)

    async def offers(self, catalog: str, ids: Sequence[str]) -> Mapping[str, Sequence[bytes]]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_OFFERS, catalog, ids)
        return {
            product_id: [row["content"] for row in group]
            for product_id, group in groupby(rows, key=lambda row: row["product_id"])
        }


def _keys(entries: Sequence[PendingOffers]) -> tuple[list[str], list[int], list[str], list[int]]:
    return (
        [entry.catalog for entry in entries],
        [entry.version for entry in entries],
        [entry.product_id for entry in entries],
        [entry.change for entry in entries],
    )
