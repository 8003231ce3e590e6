"""How far the active index version of a catalogue has come with some products."""

from collections.abc import Sequence

from services.common.postgres import Database
from services.retrieval.waiting import OpenChanges

# Where a catalogue has no version yet, its entries are those of the first one. What a rebuild has not come to is open.
_OPEN = """
    WITH active AS (
        SELECT coalesce(max(number), 1) AS number, max(built_to) AS built_to
        FROM index_versions WHERE catalog = $1 AND active
    ),
    asked AS (SELECT unnest($2::text[]) AS id),
    states AS (
        SELECT entry.failure IS NOT NULL AS failed, entry.words_indexed,
            entry.product_id IS NULL AND (offers.product_id IS NOT NULL OR asked.id > active.built_to) AS other
        FROM asked CROSS JOIN active
        LEFT JOIN outbox AS entry
            ON entry.catalog = $1 AND entry.version = active.number AND entry.product_id = asked.id
        LEFT JOIN offer_outbox AS offers
            ON offers.catalog = $1 AND offers.version = active.number AND offers.product_id = asked.id
    )
    SELECT count(*) FILTER (WHERE other OR (NOT failed AND NOT words_indexed)) AS pending,
        count(*) FILTER (WHERE NOT failed AND words_indexed) AS words_only,
        count(*) FILTER (WHERE failed) AS failed
    FROM states
"""


class PostgresProgress:
    """A ChangeProgress."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_changes(self, catalog: str, product_ids: Sequence[str]) -> OpenChanges:
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_OPEN, catalog, product_ids)
        return OpenChanges(*row) if row is not None else OpenChanges(0, 0, 0)
