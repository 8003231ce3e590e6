"""Vectors in the system of record, by model."""

from collections.abc import Mapping, Sequence

from services.common.postgres import Database
from services.retrieval.indexing_ports import KeptVector

_KEPT = """
    SELECT product_id, text_digest, vector FROM product_vectors
    WHERE catalog = $1 AND model_revision = $2 AND product_id = ANY($3)
"""
# Only for products that are still there: one deleted meanwhile leaves nothing behind.
_KEEP = """
    INSERT INTO product_vectors (catalog, product_id, model_revision, text_digest, vector)
    SELECT $1, new.product_id, $2, new.text_digest, new.vector
    FROM unnest($3::text[], $4::bytea[], $5::bytea[]) AS new (product_id, text_digest, vector)
    JOIN products ON products.catalog = $1 AND products.id = new.product_id
    ON CONFLICT (catalog, product_id, model_revision)
    DO UPDATE SET text_digest = excluded.text_digest, vector = excluded.vector
"""


class PostgresVectors:
    """A VectorStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def kept(self, catalog: str, revision: str, ids: Sequence[str]) -> Mapping[str, KeptVector]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_KEPT, catalog, revision, ids)
        return {row["product_id"]: KeptVector(row["text_digest"], row["vector"]) for row in rows}

    async def keep(self, catalog: str, revision: str, vectors: Mapping[str, KeptVector]) -> None:
        ids = sorted(vectors)
        digests = [vectors[product_id].text_digest for product_id in ids]
        data = [vectors[product_id].data for product_id in ids]
        async with self._database.connection() as connection:
            await connection.execute(_KEEP, catalog, revision, ids, digests, data)
