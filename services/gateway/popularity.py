"""What is popular, kept per replica: a recommendation never waits for it, and has it while feedback is away.

The lists say nothing about any one shopper. Those of a catalogue are fetched when it is first asked for and again in
the background when they have grown old; the least recently used catalogues leave.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.common.deadlines import detached
from services.common.errors import ServiceError
from services.gateway.ranked_lists import Missing


@dataclass(frozen=True, slots=True)
class Popular:
    """Products with their scores, best first."""

    trending: Sequence[tuple[str, float]] = ()
    popular: Sequence[tuple[str, float]] = ()


class PopularSource(Protocol):
    """Knows what is popular."""

    async def popular(self, catalog: str) -> Popular:
        """The lists of a catalogue as they are now.

        Raises:
            ServiceError: feedback cannot tell in time.
        """
        ...


@dataclass(slots=True)
class _Kept:
    lists: Popular
    fetched: float


class Popularity:
    """The lists of the catalogues that were asked for last."""

    def __init__(
        self,
        source: PopularSource,
        *,
        fresh_seconds: float,
        stale_seconds: float,
        most_catalogs: int,
        clock: Callable[[], float],
    ) -> None:
        """Keeps nothing yet.

        Args:
            source: feedback.
            fresh_seconds: age from which lists are fetched again.
            stale_seconds: age from which a reply says that they are old.
            most_catalogs: catalogues that are kept.
            clock: seconds of a clock that never goes back.
        """
        self._source = source
        self._fresh = fresh_seconds
        self._stale = stale_seconds
        self._most = most_catalogs
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[ServiceError | None]] = {}

    async def of(self, catalog: str) -> tuple[Popular, Sequence[Missing]]:
        """The lists of a catalogue, the last known ones where feedback is away; what is missing of them."""
        kept = self._kept.get(catalog)
        if kept is None:
            error = await asyncio.shield(self._fetch(catalog))
            kept = self._kept.get(catalog)
            if kept is None:
                return Popular(), [_missing(error)]
            return kept.lists, ()
        self._kept.move_to_end(catalog)
        age = self._clock() - kept.fetched
        if age > self._fresh:
            self._fetch(catalog)
        return kept.lists, [_missing(None)] if age > self._stale else ()

    async def close(self) -> None:
        """Ends what is being fetched."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fetch(self, catalog: str) -> "asyncio.Task[ServiceError | None]":
        task = self._fetching.get(catalog)
        if task is None:
            task = self._fetching[catalog] = asyncio.create_task(self._fetched(catalog))
            task.add_done_callback(lambda _: self._fetching.pop(catalog, None))
        return task

    async def _fetched(self, catalog: str) -> ServiceError | None:
        try:
            with detached():
                lists = await self._source.popular(catalog)
        except ServiceError as error:
            return error
        self._kept[catalog] = _Kept(lists, self._clock())
        self._kept.move_to_end(catalog)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return None


def _missing(error: ServiceError | None) -> Missing:
    return Missing("STALE_POPULARITY", "feedback", "OUTDATED" if error is None else error.reason)
