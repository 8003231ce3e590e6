"""What the catalogue says of products, for comparing it with the index; in Postgres."""

from collections.abc import Sequence
from itertools import groupby

from services.common.postgres import Database
from services.retrieval.adapters.qdrant_points import offers_digest
from services.retrieval.adapters.queues import exclude_writers
from services.retrieval.document_vectors import centred
from services.retrieval.index_version import IndexVersion
from services.retrieval.indexing_ports import KeptVector
from services.retrieval.verification import CatalogueState, ProductState

_PRODUCTS = "SELECT id, change FROM products WHERE catalog = $1 AND id = ANY($2)"
_OFFERS = """
    SELECT product_id, content FROM offers
    WHERE catalog = $1 AND product_id = ANY($2) AND content IS NOT NULL ORDER BY product_id, region COLLATE "C"
"""
# What the index refused is missing all the same.
_ON_THEIR_WAY = """
    SELECT product_id FROM outbox
    WHERE catalog = $1 AND version = $2 AND product_id = ANY($3) AND failure IS NULL AND NOT words_indexed
    UNION SELECT product_id FROM offer_outbox WHERE catalog = $1 AND version = $2 AND product_id = ANY($3)
    UNION SELECT asked.id FROM unnest($3::text[]) AS asked (id) JOIN index_versions AS versions
        ON versions.catalog = $1 AND versions.number = $2 AND asked.id > versions.built_to
"""
# While an entry waits for its vector, the one that is kept may be of the text before.
_VECTORS = """
    SELECT product_id, text_digest, vector FROM product_vectors
    WHERE catalog = $1 AND model_revision = $3 AND product_id = ANY($4) AND NOT EXISTS (
        SELECT FROM outbox WHERE outbox.catalog = $1 AND outbox.version = $2
            AND outbox.product_id = product_vectors.product_id AND failure IS NULL
    )
"""
_IDS = "SELECT id FROM products WHERE catalog = $1 AND id > $2 ORDER BY id LIMIT $3"
_INDEX_AGAIN = """
    INSERT INTO outbox (catalog, version, product_id, change)
    SELECT $1, $2, again.id, nextval('product_changes') FROM unnest($3::text[]) AS again (id)
    WHERE EXISTS (SELECT FROM index_versions WHERE catalog = $1 AND number = $2 AND state <> 'deleted')
    ORDER BY again.id COLLATE "C"
    ON CONFLICT (catalog, version, product_id)
    DO UPDATE SET change = excluded.change, words_indexed = false, failure = NULL
"""


class PostgresCatalogueStates:
    """A CatalogueStates."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def states(self, version: IndexVersion, ids: Sequence[str]) -> CatalogueState:
        async with self._database.transaction() as connection:
            # One view of all: what is committed in between would look like a fault.
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            products = await connection.fetch(_PRODUCTS, version.catalog, ids)
            offers = await connection.fetch(_OFFERS, version.catalog, ids)
            on_their_way = await connection.fetch(_ON_THEIR_WAY, version.catalog, version.number, ids)
            vectors = await connection.fetch(_VECTORS, version.catalog, version.number, version.model.revision, ids)
        contents = {
            product_id: [row["content"] for row in group]
            for product_id, group in groupby(offers, key=lambda row: row["product_id"])
        }
        states = {
            row["id"]: ProductState(row["change"], offers_digest(contents.get(row["id"], ()))) for row in products
        }
        return CatalogueState(
            states,
            frozenset(row["product_id"] for row in on_their_way),
            frozenset(
                row["product_id"]
                for row in vectors
                if centred(KeptVector(row["text_digest"], row["vector"]), version) is not None
            ),
        )

    async def ids_after(self, catalog: str, last: str, limit: int) -> Sequence[str]:
        async with self._database.connection() as connection:
            return [row["id"] for row in await connection.fetch(_IDS, catalog, last, limit)]

    async def index_again(self, version: IndexVersion, ids: Sequence[str]) -> None:
        if ids:
            async with self._database.transaction() as connection:
                await exclude_writers(connection, version.catalog)
                await connection.execute(_INDEX_AGAIN, version.catalog, version.number, ids)
