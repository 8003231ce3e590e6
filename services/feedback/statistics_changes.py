"""The feed of changed statistics: every product as it is now, in the order of its last change."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from services.common.deadlines import time_left
from services.common.errors import invalid
from services.feedback.feed import FeedPosition, position_at
from services.feedback.statistics import Product, ProductStatistics, Statistics
from services.feedback.statistics_requests import PageLimits

_ANSWER_SECONDS: Final = 0.1
"""Time that is kept of the caller's for the answer."""


def position_after(transaction: int) -> FeedPosition:
    """The place of a reader that knows all that a transaction, which has ended, has changed."""
    return FeedPosition(transaction + 1, 0)


class ChangedProducts(NamedTuple):
    """A page of the feed."""

    products: Sequence[Product]
    next_position: FeedPosition
    is_more: bool


class ChangeTable(Protocol):
    """Where it is kept when a product changed."""

    async def changed(self, after: FeedPosition, limit: int) -> ChangedProducts:
        """Products in the order of their last change, once each.

        Raises:
            InvalidArgument: the place lies ahead of the feed, which was restored to an earlier time.
            Unavailable: the database is away.
        """
        ...


@dataclass(frozen=True, slots=True)
class StatisticsChange:
    """A product as it is now."""

    catalog: str
    statistics: ProductStatistics


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A page of the feed with what is known of its products."""

    changes: Sequence[StatisticsChange]
    next_position: FeedPosition
    is_more: bool


@dataclass(frozen=True, slots=True)
class WaitRules:
    """Seconds."""

    longest: float
    poll: float


class StatisticsChanges:
    """The feed."""

    def __init__(self, table: ChangeTable, statistics: Statistics, limits: PageLimits, waits: WaitRules) -> None:
        self._table = table
        self._statistics = statistics
        self._limits = limits
        self._waits = waits

    async def after(self, after_offset: str, limit: int, wait_milliseconds: int) -> ChangePage:
        """What has changed since; waits for it where nothing has, within the caller's time.

        Raises:
            InvalidArgument: names the field.
            Unavailable: the database is away.
        """
        position, limit = position_at(after_offset), self._limits.limit(limit)
        until = time.monotonic() + self._wait_seconds(wait_milliseconds)
        page = await self._table.changed(position, limit)
        while not page.products and (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(self._waits.poll, left))
            page = await self._table.changed(position, limit)
        statistics = await self._statistics.of_products(page.products) if page.products else []
        changes = [StatisticsChange(*change) for change in zip((p[0] for p in page.products), statistics, strict=True)]
        return ChangePage(changes, page.next_position, page.is_more)

    def _wait_seconds(self, milliseconds: int) -> float:
        if milliseconds < 0:
            raise invalid("wait_milliseconds", "must not be negative", "OUT_OF_RANGE")
        wait = min(milliseconds / 1_000, self._waits.longest)
        left = time_left()
        return wait if left is None else min(wait, left - _ANSWER_SECONDS)
