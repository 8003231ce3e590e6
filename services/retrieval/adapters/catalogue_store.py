"""Products in Postgres, each change with its entries for the index."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import asyncpg

from services.common.postgres import Connection, Database
from services.retrieval.adapters.offer_store import offers_of, store_offers
from services.retrieval.adapters.queues import announce_writing, enqueue_offers, enqueue_products
from services.retrieval.adapters.settings_store import latest_declarations
from services.retrieval.attributes import Declarations
from services.retrieval.catalogue import CatalogueTransaction, IndexState, StoredProduct
from services.retrieval.writes import Draft, OfferRow, StoredOffer, StoredVersion

_LOCK = """
    SELECT id, change, content_digest, update_time, CASE WHEN $3 THEN content ELSE '' END AS content
    FROM products WHERE catalog = $1 AND id = ANY($2) ORDER BY id COLLATE "C" FOR NO KEY UPDATE
"""
_INSERT = """
    INSERT INTO products (catalog, id, content, content_digest, update_time, primary_product_id)
    SELECT $1, new.* FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::timestamptz[], $6::text[]) AS new (id)
    ORDER BY new.id COLLATE "C" ON CONFLICT DO NOTHING RETURNING id, change
"""
_UPDATE = """
    UPDATE products SET change = nextval('product_changes'), content = new.content, content_digest = new.digest,
        update_time = new.update_time, primary_product_id = new.primary_product_id
    FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::timestamptz[], $6::text[])
        AS new (id, content, digest, update_time, primary_product_id)
    WHERE products.catalog = $1 AND products.id = new.id RETURNING products.id, products.change
"""
_DELETE = """
    WITH locked AS (
        SELECT id FROM products WHERE catalog = $1 AND id = ANY($2) ORDER BY id COLLATE "C" FOR UPDATE
    )
    DELETE FROM products USING locked WHERE products.catalog = $1 AND products.id = locked.id
    RETURNING products.id, nextval('product_changes') AS change
"""
_DELETE_OFFERS = "DELETE FROM offers WHERE catalog = $1 AND product_id = ANY($2)"
_FORGET_VECTORS = "DELETE FROM product_vectors WHERE catalog = $1 AND product_id = ANY($2)"
_ACTIVE = "coalesce((SELECT number FROM index_versions WHERE catalog = $1 AND active), 1)"
_FIND = f"""
    SELECT products.content, products.change, outbox.words_indexed,
        ARRAY(
            SELECT offers.content FROM offers
            WHERE offers.catalog = $1 AND offers.product_id = $2 AND offers.content IS NOT NULL
            ORDER BY offers.region COLLATE "C"
        ) AS offers,
        EXISTS (
            SELECT FROM offer_outbox
            WHERE offer_outbox.catalog = $1 AND offer_outbox.product_id = $2 AND offer_outbox.version = {_ACTIVE}
        ) AS offers_wait
    FROM products
    LEFT JOIN outbox ON outbox.catalog = $1 AND outbox.product_id = products.id AND outbox.version = {_ACTIVE}
    WHERE products.catalog = $1 AND products.id = $2
"""  # noqa: S608 - a constant of this module


class PostgresCatalogue:
    """A CatalogueStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self, catalog: str) -> AsyncIterator[CatalogueTransaction]:
        """A transaction on one catalogue."""
        async with self._database.transaction() as connection:
            await announce_writing(connection, catalog)
            yield _Transaction(connection, catalog)

    async def find(self, catalog: str, product_id: str) -> StoredProduct | None:
        """One product and where it stands in the index that searches use."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_FIND, catalog, product_id)
        if row is None:
            return None
        state = IndexState.PENDING if row["offers_wait"] else _state(row["words_indexed"])
        return StoredProduct(row["content"], row["offers"], row["change"], state)


class _Transaction:
    """A CatalogueTransaction. Ids are locked in one order everywhere, so that writers do not lock each other out."""

    def __init__(self, connection: Connection, catalog: str) -> None:
        self._connection = connection
        self._catalog = catalog

    async def declarations(self) -> Declarations:
        return await latest_declarations(self._connection, self._catalog)

    async def lock(self, ids: Sequence[str], *, with_content: bool) -> Mapping[str, StoredVersion]:
        rows = await self._connection.fetch(_LOCK, self._catalog, ids, with_content)
        if not rows:
            return {}
        # A statement of its own, after the lock: only now nobody changes the offers any more.
        offers = await offers_of(self._connection, self._catalog, [row["id"] for row in rows])
        none: dict[str, StoredOffer] = {}
        return {
            product_id: StoredVersion(change, digest, moment, content, offers.get(product_id, none))
            for product_id, change, digest, moment, content in rows
        }

    async def insert(self, drafts: Sequence[Draft]) -> Mapping[str, int]:
        return await self._enqueued(await self._connection.fetch(_INSERT, self._catalog, *_columns(drafts)))

    async def update(self, drafts: Sequence[Draft]) -> Mapping[str, int]:
        return await self._enqueued(await self._connection.fetch(_UPDATE, self._catalog, *_columns(drafts)))

    async def store_offers(self, rows: Sequence[OfferRow], indexed: Sequence[str]) -> None:
        await store_offers(self._connection, self._catalog, rows)
        if indexed:
            await enqueue_offers(self._connection, self._catalog, indexed)

    async def delete(self, ids: Sequence[str]) -> Mapping[str, int]:
        rows = await self._connection.fetch(_DELETE, self._catalog, ids)
        gone = [row["id"] for row in rows]
        await self._connection.execute(_DELETE_OFFERS, self._catalog, gone)
        await self._connection.execute(_FORGET_VECTORS, self._catalog, gone)
        return await self._enqueued(rows)

    async def _enqueued(self, rows: Sequence[asyncpg.Record]) -> Mapping[str, int]:
        changes = {row["id"]: row["change"] for row in rows}
        if changes:
            await enqueue_products(self._connection, self._catalog, changes)
        return changes


def _columns(drafts: Sequence[Draft]) -> tuple[list[str], list[bytes], list[bytes], list[object], list[object]]:
    return (
        [draft.product.id for draft in drafts],
        [draft.content for draft in drafts],
        [draft.digest for draft in drafts],
        [draft.update_time for draft in drafts],
        [draft.product.primary_product_id or None for draft in drafts],
    )


def _state(words_indexed: bool | None) -> IndexState:  # noqa: FBT001 - a column
    if words_indexed is None:
        return IndexState.SEARCHABLE
    return IndexState.WORDS_ONLY if words_indexed else IndexState.PENDING
