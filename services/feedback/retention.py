"""Upkeep: partitions are there before they are needed, and what has been kept for long enough goes."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from services.common.deadlines import deadline_after
from services.common.errors import ServiceError
from services.feedback.partitions import PartitionStore, months_from

logger = logging.getLogger(__name__)


class Forget(Protocol):
    """Lets go of rows that are older than a moment."""

    async def __call__(self, before: datetime) -> int:
        """Takes a bounded number of them away; how many. 0 = none is left.

        Raises:
            Unavailable: the store is away.
        """
        ...


@dataclass(frozen=True, slots=True)
class KeptMonths:
    """A table by months, of which each goes when its last row has been kept for `days`."""

    partitions: PartitionStore
    days: int


@dataclass(frozen=True, slots=True)
class KeptRows:
    """A table whose rows go one by one after `days`."""

    forget: Forget
    days: int


@dataclass(frozen=True, slots=True)
class UpkeepRules:
    """What upkeep does, and when; in seconds where nothing else is said."""

    months_ahead: int
    between: float
    retry: float
    """After a round that failed."""
    step: float
    """Longest time of one step."""


class Upkeep:
    """Rounds of upkeep. Every replica makes them; two at once do no harm."""

    def __init__(
        self,
        months: Sequence[KeptMonths],
        rows: Sequence[KeptRows],
        rules: UpkeepRules,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._months = months
        self._rows = rows
        self._rules = rules
        self._clock = clock

    async def run(self) -> None:
        """Rounds without end; a store that is away is asked again."""
        while True:
            went_well = await self._try_round()
            await asyncio.sleep(self._rules.between if went_well else self._rules.retry)

    async def round(self) -> None:
        """Makes partitions ahead of all tables, then lets go of what has run out.

        Raises:
            Unavailable: the store is away, or a table was in use for too long.
        """
        now = self._clock()
        for kept in self._months:
            with deadline_after(self._rules.step):
                await kept.partitions.make(months_from(now, self._rules.months_ahead))
        for kept in self._months:
            await self._drop(kept.partitions, now - timedelta(days=kept.days))
        for rows in self._rows:
            await self._forget(rows.forget, now - timedelta(days=rows.days))

    async def _try_round(self) -> bool:
        try:
            await self.round()
        except ServiceError as exc:
            logger.warning("upkeep failed and is tried again", extra={"reason": exc.reason})
            return False
        except Exception:
            # A fault must not end the upkeep of a service that runs on: without partitions every write is slower.
            logger.exception("upkeep failed and is tried again")
            return False
        return True

    async def _drop(self, partitions: PartitionStore, before: datetime) -> None:
        with deadline_after(self._rules.step):
            present = await partitions.present()
        for month in present:
            if month.end <= before:
                with deadline_after(self._rules.step):
                    await partitions.drop(month)
                logger.info("dropped a month that has run out", extra={"month": f"{month.year}-{month.number:02}"})

    async def _forget(self, forget: Forget, before: datetime) -> None:
        count = 1
        while count:
            with deadline_after(self._rules.step):
                count = await forget(before)
