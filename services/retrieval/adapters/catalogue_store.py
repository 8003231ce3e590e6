"""Products in Postgres, each change with its entry in the outbox."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import asyncpg
from opentelemetry import propagate

from services.common.postgres import Connection, Database
from services.retrieval.catalogue import CatalogueTransaction, Draft, IndexState, StoredProduct, StoredVersion
from services.retrieval.waiting import OpenChanges

_LOCK = """
    SELECT id, change, content_digest, update_time FROM products
    WHERE catalog = $1 AND id = ANY($2) ORDER BY id FOR UPDATE
"""
_INSERT = """
    INSERT INTO products (catalog, id, content, content_digest, update_time)
    SELECT $1, new.* FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::timestamptz[]) AS new ORDER BY 2
    ON CONFLICT DO NOTHING RETURNING id, change
"""
_UPDATE = """
    UPDATE products SET change = nextval('product_changes'), content = new.content,
        content_digest = new.digest, update_time = new.update_time
    FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::timestamptz[]) AS new (id, content, digest, update_time)
    WHERE products.catalog = $1 AND products.id = new.id RETURNING products.id, products.change
"""
_DELETE = """
    WITH locked AS (SELECT id FROM products WHERE catalog = $1 AND id = ANY($2) ORDER BY id FOR UPDATE)
    DELETE FROM products USING locked WHERE products.catalog = $1 AND products.id = locked.id
    RETURNING products.id, nextval('product_changes') AS change
"""
_FORGET_VECTORS = "DELETE FROM product_vectors WHERE catalog = $1 AND product_id = ANY($2)"
_ENQUEUE = """
    INSERT INTO outbox (catalog, product_id, change, trace_parent)
    SELECT $1, new.*, $4 FROM unnest($2::text[], $3::bigint[]) AS new ORDER BY 2
    ON CONFLICT (catalog, product_id) DO UPDATE SET change = excluded.change, enqueue_time = now(),
        words_indexed = false, failure = NULL, trace_parent = excluded.trace_parent
"""
_FIND = """
    SELECT products.content, products.change, outbox.words_indexed
    FROM products LEFT JOIN outbox ON outbox.catalog = products.catalog AND outbox.product_id = products.id
    WHERE products.catalog = $1 AND products.id = $2
"""
_OPEN = """
    SELECT count(*) FILTER (WHERE failure IS NULL AND NOT words_indexed) AS pending,
        count(*) FILTER (WHERE failure IS NULL AND words_indexed) AS words_only,
        count(*) FILTER (WHERE failure IS NOT NULL) AS failed
    FROM outbox WHERE catalog = $1 AND product_id = ANY($2)
"""


class PostgresCatalogue:
    """A CatalogueStore and a ChangeProgress."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self, catalog: str) -> AsyncIterator[CatalogueTransaction]:
        """A transaction on one catalogue."""
        async with self._database.transaction() as connection:
            yield _Transaction(connection, catalog)

    async def find(self, catalog: str, product_id: str) -> StoredProduct | None:
        """One product and where it stands in the index."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_FIND, catalog, product_id)
        if row is None:
            return None
        return StoredProduct(row["content"], row["change"], _state(row["words_indexed"]))

    async def open_changes(self, catalog: str, product_ids: Sequence[str]) -> OpenChanges:
        """Counts the products whose last change is not wholly indexed."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_OPEN, catalog, product_ids)
        return OpenChanges(*row) if row is not None else OpenChanges(0, 0, 0)


class _Transaction:
    """A CatalogueTransaction. Ids are locked in one order everywhere, so that writers do not lock each other out."""

    def __init__(self, connection: Connection, catalog: str) -> None:
        self._connection = connection
        self._catalog = catalog

    async def lock(self, ids: Sequence[str]) -> Mapping[str, StoredVersion]:
        rows = await self._connection.fetch(_LOCK, self._catalog, ids)
        return {row["id"]: StoredVersion(row["change"], row["content_digest"], row["update_time"]) for row in rows}

    async def insert(self, drafts: Sequence[Draft]) -> Mapping[str, int]:
        return await self._enqueued(await self._connection.fetch(_INSERT, self._catalog, *_columns(drafts)))

    async def update(self, drafts: Sequence[Draft]) -> Mapping[str, int]:
        return await self._enqueued(await self._connection.fetch(_UPDATE, self._catalog, *_columns(drafts)))

    async def delete(self, ids: Sequence[str]) -> Mapping[str, int]:
        rows = await self._connection.fetch(_DELETE, self._catalog, ids)
        await self._connection.execute(_FORGET_VECTORS, self._catalog, [row["id"] for row in rows])
        return await self._enqueued(rows)

    async def _enqueued(self, rows: Sequence[asyncpg.Record]) -> Mapping[str, int]:
        changes = {row["id"]: row["change"] for row in rows}
        if changes:
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            await self._connection.execute(
                _ENQUEUE, self._catalog, list(changes), list(changes.values()), carrier.get("traceparent")
            )
        return changes


def _columns(drafts: Sequence[Draft]) -> tuple[list[str], list[bytes], list[bytes], list[object]]:
    return (
        [draft.product.id for draft in drafts],
        [draft.content for draft in drafts],
        [draft.digest for draft in drafts],
        [draft.update_time for draft in drafts],
    )


def _state(words_indexed: bool | None) -> IndexState:  # noqa: FBT001 - a column
    if words_indexed is None:
        return IndexState.SEARCHABLE
    return IndexState.WORDS_ONLY if words_indexed else IndexState.PENDING
