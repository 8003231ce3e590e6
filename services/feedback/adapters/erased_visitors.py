"""Visitors that were erased, and must not come back."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from services.common.postgres import Connection
from services.feedback.events import NewEvent
from services.feedback.ledger import EventKey

_AMONG: Final = "SELECT visitor_hash, erase_time FROM erased_among($1::bytea[])"


class PostgresErasedVisitors:
    """The table `erased_visitors`; an ErasedEvents."""

    async def among(self, connection: Connection, events: Sequence[NewEvent]) -> Collection[EventKey]:
        """As ErasedEvents."""
        times = await self.times(connection, (event.visitor_hash for event in events))
        if not times:
            return ()
        return {
            event.key
            for event in events
            if event.visitor_hash in times and event.event_time <= times[event.visitor_hash]
        }

    async def times(self, connection: Connection, hashes: Iterable[bytes]) -> Mapping[bytes, datetime]:
        """When those of them that were erased were; until the transaction ends no other one is."""
        rows = await connection.fetch(_AMONG, list(set(hashes)))
        return {row["visitor_hash"]: row["erase_time"] for row in rows}
