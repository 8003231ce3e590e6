"""Offers in Postgres, each change with its entry for the index."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from services.common.postgres import Connection, Database
from services.retrieval.adapters.queues import announce_writing, enqueue_offers
from services.retrieval.offers import OfferKey, OfferTransaction
from services.retrieval.writes import OfferRow, StoredOffer

# Ids are locked in one order everywhere, so that writers do not lock each other out.
_LOCK = 'SELECT id FROM products WHERE catalog = $1 AND id = ANY($2) ORDER BY id COLLATE "C" FOR NO KEY UPDATE'
_FIND = """
    SELECT offers.product_id, offers.region, offers.content, offers.update_time
    FROM unnest($2::text[], $3::text[]) AS wanted (product_id, region)
    JOIN offers ON offers.catalog = $1 AND offers.product_id = wanted.product_id AND offers.region = wanted.region
"""
_FIND_ALL = """
    SELECT product_id, region, content, update_time FROM offers WHERE catalog = $1 AND product_id = ANY($2)
"""
_COUNT = """
    SELECT product_id, count(*) AS number FROM offers
    WHERE catalog = $1 AND product_id = ANY($2) AND content IS NOT NULL GROUP BY product_id
"""
_STORE = """
    INSERT INTO offers (catalog, product_id, region, content, update_time)
    SELECT $1, new.* FROM unnest($2::text[], $3::text[], $4::bytea[], $5::timestamptz[]) AS new
    ON CONFLICT (catalog, product_id, region)
    DO UPDATE SET content = excluded.content, update_time = excluded.update_time
"""
_REMOVE = """
    DELETE FROM offers USING unnest($2::text[], $3::text[]) AS gone (product_id, region)
    WHERE offers.catalog = $1 AND offers.product_id = gone.product_id AND offers.region = gone.region
"""


class PostgresOffers:
    """An OfferStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self, catalog: str) -> AsyncIterator[OfferTransaction]:
        """A transaction on one catalogue."""
        async with self._database.transaction() as connection:
            await announce_writing(connection, catalog)
            yield _Transaction(connection, catalog)


class _Transaction:
    """An OfferTransaction. The lock on a product is the lock on its offers, those that are not there yet included."""

    def __init__(self, connection: Connection, catalog: str) -> None:
        self._connection = connection
        self._catalog = catalog

    async def lock_products(self, ids: Sequence[str]) -> Collection[str]:
        return {row["id"] for row in await self._connection.fetch(_LOCK, self._catalog, ids)}

    async def find(self, keys: Sequence[OfferKey]) -> Mapping[OfferKey, StoredOffer]:
        rows = await self._connection.fetch(_FIND, self._catalog, [key[0] for key in keys], [key[1] for key in keys])
        return {(product_id, region): StoredOffer(content, moment) for product_id, region, content, moment in rows}

    async def count(self, product_ids: Sequence[str]) -> Mapping[str, int]:
        rows = await self._connection.fetch(_COUNT, self._catalog, product_ids)
        return {row["product_id"]: row["number"] for row in rows}

    async def store(self, rows: Sequence[OfferRow]) -> None:
        await store_offers(self._connection, self._catalog, rows)
        await enqueue_offers(self._connection, self._catalog, list({row.product_id for row in rows}))


async def offers_of(
    connection: Connection, catalog: str, product_ids: Sequence[str]
) -> Mapping[str, Mapping[str, StoredOffer]]:
    """All offers of products, by product id and region, removed ones included."""
    found: dict[str, dict[str, StoredOffer]] = {}
    for product_id, region, content, moment in await connection.fetch(_FIND_ALL, catalog, product_ids):
        found.setdefault(product_id, {})[region] = StoredOffer(content, moment)
    return found


async def store_offers(connection: Connection, catalog: str, rows: Sequence[OfferRow]) -> None:
    """Stores offers of locked products; removed ones of no time leave no trace."""
    gone = [row for row in rows if row.content is None and row.update_time is None]
    kept = [row for row in rows if row.content is not None or row.update_time is not None]
    if gone:
        await connection.execute(_REMOVE, catalog, [row.product_id for row in gone], [row.region for row in gone])
    if kept:
        await connection.execute(
            _STORE,
            catalog,
            [row.product_id for row in kept],
            [row.region for row in kept],
            [row.content for row in kept],
            [row.update_time for row in kept],
        )
