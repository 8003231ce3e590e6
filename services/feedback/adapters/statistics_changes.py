"""Which products changed, by the index of their last changes."""

from typing import Final

from services.common.errors import invalid
from services.common.postgres import Database
from services.feedback.feed import FeedPosition
from services.feedback.statistics_changes import ChangedProducts

# Horizon and page are of one snapshot: all that ended before it was seen, so that a page that is not full reaches it.
_CHANGED: Final = """
    WITH horizon AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS tx)
    SELECT horizon.tx AS horizon, page.*
    FROM horizon LEFT JOIN LATERAL (
        SELECT catalog, product_id, tx, seq FROM product_popularity
        WHERE (tx, seq) > ($1::xid8, $2::bigint) AND tx < horizon.tx
        ORDER BY tx, seq LIMIT $3
    ) AS page ON true
    ORDER BY page.tx, page.seq
"""


class PostgresChanges:
    """A ChangeTable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def changed(self, after: FeedPosition, limit: int) -> ChangedProducts:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CHANGED, *after, limit)
        if after.tx > rows[0]["horizon"]:
            # The horizon only rises, so that this place was read from a database that was there before a restore.
            raise invalid("after_offset", "lies ahead of the feed; read it from the beginning", "AHEAD_OF_FEED")
        products = [(row["catalog"], row["product_id"]) for row in rows if row["product_id"] is not None]
        if len(products) == limit:
            return ChangedProducts(products, FeedPosition(rows[-1]["tx"], rows[-1]["seq"]), is_more=True)
        return ChangedProducts(products, max(after, FeedPosition(rows[0]["horizon"], 0)), is_more=False)
