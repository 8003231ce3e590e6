"""The feed of events in Postgres."""

from collections.abc import Sequence
from typing import Final

from services.common.postgres import Connection, Database
from services.feedback.feed import FedEvent, FeedPosition

# Below the oldest transaction that still runs nothing can appear any more, so that nothing is passed over.
_AFTER: Final = f"""
    SELECT {", ".join(FedEvent._fields)} FROM events
    WHERE (tx, seq) > ($1::xid8, $2::bigint) AND tx < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY tx, seq LIMIT $3
"""  # noqa: S608 - the names are those of the class


async def events_after(connection: Connection, position: FeedPosition, limit: int) -> list[FedEvent]:
    """As EventFeed.after, inside the transaction of `connection`."""
    return [FedEvent(*row) for row in await connection.fetch(_AFTER, position.tx, position.seq, limit)]


class PostgresEventFeed:
    """The table `events`; an EventFeed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def after(self, position: FeedPosition, limit: int) -> Sequence[FedEvent]:
        """As EventFeed."""
        async with self._database.connection() as connection:
            return await events_after(connection, position, limit)
