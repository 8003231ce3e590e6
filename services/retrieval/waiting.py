"""Waiting until searches find a write."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from services.common.deadlines import time_left
from services.common.errors import ServiceError
from services.retrieval.signals import IndexingSignals

_LOOK_SECONDS: Final = 0.1
"""Pause between two looks where another replica indexes."""


@dataclass(frozen=True, slots=True)
class OpenChanges:
    """What of some changes is not in the index yet."""

    pending: int
    """Not found at all; the indexer will come to them."""
    words_only: int
    """Found by words; the vector waits for the encoder."""
    failed: int
    """Given up."""


class ChangeProgress(Protocol):
    """Knows how far changes have come."""

    async def open_changes(self, catalog: str, product_ids: Sequence[str]) -> OpenChanges:
        """Counts those of the products whose last change is not wholly indexed."""


@dataclass(frozen=True, slots=True)
class NotYetSearchable:
    """Why a wait ended without success."""

    component: str
    reason: str


class SearchableWait:
    """Waits, within the caller's time, until changes can be found."""

    def __init__(self, progress: ChangeProgress, signals: IndexingSignals, reserve: float) -> None:
        self._progress = progress
        self._signals = signals
        self._reserve = reserve

    async def until_searchable(self, catalog: str, product_ids: Sequence[str]) -> NotYetSearchable | None:
        """None once the last changes of all products are found by words and by meaning; else why they are not.

        Ends early where waiting is in vain: the encoder is away, or the index refused a change.
        """
        while product_ids:
            try:
                left = await self._progress.open_changes(catalog, product_ids)
            except ServiceError as error:  # the changes are on disk all the same
                return NotYetSearchable("retrieval", error.reason)
            if left.pending == 0:
                return _verdict(left)
            seconds = self._seconds_left()
            if seconds <= 0:
                return NotYetSearchable("retrieval", "INDEXING_IN_PROGRESS")
            await self._signals.progress(min(seconds, _LOOK_SECONDS))
        return None

    def _seconds_left(self) -> float:
        left = time_left()
        return 0.0 if left is None else left - self._reserve


def _verdict(left: OpenChanges) -> NotYetSearchable | None:
    if left.failed:
        return NotYetSearchable("retrieval", "INDEXING_FAILED")
    if left.words_only:
        return NotYetSearchable("encoder", "ENCODER_UNAVAILABLE")
    return None
