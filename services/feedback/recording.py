"""Keeping what was shown."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from services.feedback.catalogs import catalog_named
from services.feedback.impressions import Impression, ImpressionLimits, check
from services.feedback.visitors import VisitorHash, VisitorHasher

_DIGEST_BYTES: Final = 16
_PURPOSE: Final = b"impression"


@dataclass(frozen=True, slots=True)
class ImpressionRecord:
    """An impression as it is kept: its `visitor_id` is empty, the hash stands for it."""

    impression: Impression
    visitor: VisitorHash | None
    digest: bytes
    """Keyed, of all that the impression says, 16 bytes."""

    @property
    def impression_id(self) -> bytes:
        """16 bytes."""
        return self.impression.impression_id


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """What became of a batch."""

    stored: int
    duplicates: int
    conflicts: int = 0
    """Not kept: the id is known and says something else."""
    erased: int = 0
    """Not kept: shown before its visitor was erased."""


class ImpressionStore(Protocol):
    """Where impressions are kept."""

    async def add(self, catalog: str, records: Sequence[ImpressionRecord]) -> RecordCounts:
        """Keeps all that are new, or none. On disk when it returns.

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

    @property
    def limits(self) -> ImpressionLimits:
        """How much one call may bring; more need not be read to be refused."""
        return self._limits

    async def record(self, catalog: str, impressions: Sequence[Impression]) -> RecordCounts:
        """Keeps a batch; all of it is on disk when this returns.

        Raises:
            InvalidArgument: anything in the batch breaks a rule; nothing is kept.
            Unavailable: as `ImpressionStore.add`.
        """
        catalog = catalog_named(catalog)
        check(impressions, self._limits)
        return await self._store.add(catalog, [self._record(catalog, impression) for impression in impressions])

    def _record(self, catalog: str, impression: Impression) -> ImpressionRecord:
        visitor_id = impression.visitor_id
        visitor = self._hasher.hash(catalog, visitor_id) if visitor_id else None
        said = replace(impression, visitor_id=visitor.digest.hex() if visitor else "")
        # BLAKE2b (RFC 7693) with a key, so that nobody can try out what may have been searched for.
        digest = hashlib.blake2b(
            repr(said).encode(), digest_size=_DIGEST_BYTES, key=self._hasher.event_key, person=_PURPOSE
        ).digest()
        return ImpressionRecord(replace(impression, visitor_id=""), visitor, digest)


def first_of_each(records: Sequence[ImpressionRecord]) -> dict[bytes, ImpressionRecord]:
    """Of the records with one id the first, in the order of the ids: batches that share some never wait in a circle."""
    firsts = {record.impression_id: record for record in reversed(records)}
    return {impression_id: firsts[impression_id] for impression_id in sorted(firsts)}


def counts_of(
    records: Sequence[ImpressionRecord], added: Collection[bytes], known: Mapping[bytes, bytes | None]
) -> RecordCounts:
    """What became of a batch: `added` are the ids that were new, `known` the digests of others that were there.

    One that is in neither was erased, or ran out, meanwhile; a digest that is None cannot be compared.
    """
    digests = {
        **known,
        **{record.impression_id: record.digest for record in reversed(records) if record.impression_id in added},
    }
    conflicts = sum(digests.get(record.impression_id) not in (None, record.digest) for record in records)
    return RecordCounts(len(added), len(records) - len(added) - conflicts, conflicts)
