"""Follows feedback's feed of changed statistics for as long as the ranker runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from services.common.errors import InvalidArgument, ServiceError
from services.ranker.statistics import ProductCounts, StatisticsTable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StatisticsPage:
    """Some changes in the order of the feed."""

    changes: Sequence[ProductCounts]
    next_offset: str
    more: bool
    """Whether further changes are there already."""


class StatisticsFeed(Protocol):
    """The feed; each call waits a bounded time for changes."""

    async def page_after(self, offset: str) -> StatisticsPage:
        """The changes after an offset, empty = from the beginning.

        Raises:
            InvalidArgument: the offset is not one of this feed.
            ServiceError: the feed cannot be read now.
        """
        ...


class StatisticsFollower:
    """Keeps a table as the feed says. What it cannot read now it reads later; the ranker serves meanwhile."""

    def __init__(self, feed: StatisticsFeed, table: StatisticsTable, pause: float, retry_pause: float) -> None:
        self._feed = feed
        self._table = table
        self._pause = pause
        self._retry_pause = retry_pause
        self._offset = ""
        self._failing = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows in the background while inside."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def step(self) -> float:
        """Reads one page; the seconds to wait before the next.

        An offset that the feed does not know is one of another database: everything is read anew.
        """
        try:
            page = await self._feed.page_after(self._offset)
        except InvalidArgument as error:
            self._note_failure(error)
            self._table.clear()
            self._offset = ""
            return self._retry_pause
        except ServiceError as error:
            self._note_failure(error)
            return self._retry_pause
        return self._take(page)

    def _take(self, page: StatisticsPage) -> float:
        if self._failing:
            logger.info("statistics are followed again")
            self._failing = False
        self._table.apply(page.changes)
        self._offset = page.next_offset
        if page.more:
            return 0.0
        self._table.mark_current()
        return self._pause

    async def _run(self) -> None:
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            pause = await self.step()

    def _note_failure(self, error: ServiceError) -> None:
        # Once, not at every attempt: feedback may be away for hours.
        if not self._failing:
            logger.warning("statistics cannot be followed", extra={"reason": error.reason})
            self._failing = True
