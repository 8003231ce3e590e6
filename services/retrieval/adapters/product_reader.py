"""Many products read from Postgres at once, with their offers."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from services.common.postgres import Database
from services.retrieval.listing import ListedProduct, PageQuery, ProductPage

_BY_IDS: Final = "SELECT id, change, content FROM products WHERE catalog = $1 AND id = ANY($2)"
_AFTER: Final = """
    SELECT id, change, content FROM products WHERE catalog = $1 AND id > $2 ORDER BY id LIMIT $3
"""
# Each half by an index of its own; one condition for both would read the catalogue.
_VARIANTS: Final = """
    SELECT * FROM (
        (
            SELECT id, change, content FROM products
            WHERE catalog = $1 AND primary_product_id = $4 AND id > $2 ORDER BY id LIMIT $3
        )
        UNION ALL
        SELECT id, change, content FROM products WHERE catalog = $1 AND id = $4 AND id > $2
    ) AS family ORDER BY id LIMIT $3
"""
_IDS: Final = "SELECT id, change FROM ({selection}) AS selected ORDER BY id"
# How large values are is known without reading them: what is beyond the limit is neither read nor sent.
_WHOLE: Final = """
    SELECT id, change, CASE WHEN bytes_before < {most} THEN content END AS content,
        CASE WHEN bytes_before < {most} THEN ARRAY(
            SELECT offers.content FROM offers
            WHERE offers.catalog = $1 AND offers.product_id = measured.id AND offers.content IS NOT NULL
            ORDER BY offers.region
        ) END AS offers
    FROM (
        SELECT *, sum(bytes) OVER (ORDER BY id) - bytes AS bytes_before
        FROM (
            SELECT *, octet_length(content) + coalesce((
                SELECT sum(octet_length(offers.content)) FROM offers
                WHERE offers.catalog = $1 AND offers.product_id = selected.id
            ), 0) AS bytes
            FROM ({selection}) AS selected
        ) AS weighed
    ) AS measured ORDER BY id
"""


class PostgresProductReader:
    """A ProductReader."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, catalog: str, ids: Sequence[str], content_bytes: int) -> Sequence[ListedProduct]:
        """Those of the products that exist."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_WHOLE.format(selection=_BY_IDS, most=content_bytes), catalog, ids)
        return [_listed(row) for row in rows]

    async def page(self, catalog: str, query: PageQuery, content_bytes: int) -> ProductPage:
        """One page; a product more than it shows is looked for, so that its end is known."""
        selection = _VARIANTS if query.primary else _AFTER
        arguments: list[object] = [query.after, query.size + 1]
        if query.primary:
            arguments.append(query.primary)
        statement = (_IDS if query.ids_only else _WHOLE).format(selection=selection, most=content_bytes)
        async with self._database.connection() as connection:
            rows = await connection.fetch(statement, catalog, *arguments)
        products = [_listed(row) for row in rows[: query.size]]
        shown = products if query.ids_only else [each for each in products if each.content is not None]
        return ProductPage(shown, more=len(rows) > len(shown))


def _listed(row: asyncpg.Record) -> ListedProduct:
    values = dict(row)
    return ListedProduct(values["id"], values["change"], values.get("content"), values.get("offers") or ())
