"""Keeping what was shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from services.feedback.catalogs import catalog_named
from services.feedback.impressions import Impression, ImpressionLimits, check
from services.feedback.visitors import VisitorHash, VisitorHasher


@dataclass(frozen=True, slots=True)
class ImpressionRecord:
    """An impression as it is kept: its `visitor_id` is empty, the hash stands for it."""

    impression: Impression
    visitor: VisitorHash | None


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """What became of a batch."""

    stored: int
    duplicates: int


class ImpressionStore(Protocol):
    """Where impressions are kept."""

    async def add(self, catalog: str, records: Sequence[ImpressionRecord]) -> int:
        """Keeps all of them or none, those with a known id once; returns how many were new. On disk when it returns.

        Raises:
            Unavailable: it cannot be told whether they were kept; adding them again is harmless.
        """
        ...


class ImpressionRecorder:
    """Checks impressions, takes the visitors' pseudonyms away and keeps the rest."""

    def __init__(self, store: ImpressionStore, hasher: VisitorHasher, limits: ImpressionLimits) -> None:
        self._store = store
        self._hasher = hasher
        self._limits = limits

    async def record(self, catalog: str, impressions: Sequence[Impression]) -> RecordCounts:
        """Keeps a batch; all of it is on disk when this returns.

        Raises:
            InvalidArgument: anything in the batch breaks a rule; nothing is kept.
            Unavailable: as `ImpressionStore.add`.
        """
        catalog = catalog_named(catalog)
        check(impressions, self._limits)
        stored = await self._store.add(catalog, [self._record(catalog, impression) for impression in impressions])
        return RecordCounts(stored, len(impressions) - stored)

    def _record(self, catalog: str, impression: Impression) -> ImpressionRecord:
        visitor_id = impression.visitor_id
        visitor = self._hasher.hash(catalog, visitor_id) if visitor_id else None
        return ImpressionRecord(replace(impression, visitor_id=""), visitor)
