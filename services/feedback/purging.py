"""Purging: what was erased goes from the disk as well, within the time that the receipts name."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from services.common.errors import ServiceError

logger = logging.getLogger(__name__)


class PurgeStore(Protocol):
    """The tables from which erased rows are cleared away. Every method raises Unavailable."""

    async def due(self) -> Sequence[UUID]:
        """Erasures whose rows are dead for everybody, and still there."""
        ...

    async def clear(self) -> None:
        """Clears dead rows away from every table that held something of a person, and from its indexes."""
        ...

    async def purged(self, erasure_ids: Sequence[UUID]) -> None:
        """Notes erasures as cleared away."""
        ...


class Purge:
    """The background task. Several replicas may do the same; it does no harm."""

    def __init__(self, store: PurgeStore, poll_seconds: float) -> None:
        self._store = store
        self._poll_seconds = poll_seconds

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self.round()
            except ServiceError as exc:
                logger.warning("purging failed and is tried again", extra={"reason": exc.reason})
            except Exception:
                # A fault must not end the task: receipts name a time.
                logger.exception("purging failed and is tried again")
            await asyncio.sleep(self._poll_seconds)

    async def round(self) -> int:
        """Clears away what is due; how many erasures that were. Raises Unavailable."""
        due = await self._store.due()
        if due:
            await self._store.clear()
            await self._store.purged(due)
            logger.info("purged", extra={"erasures": len(due)})
        return len(due)
