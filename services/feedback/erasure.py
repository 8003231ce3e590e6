"""Erasing what is kept of a person."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

from services.feedback.catalogs import catalog_named
from services.feedback.persons import Person, PersonHasher


class ErasedStore(NamedTuple):
    """What was erased from one store."""

    name: str
    records: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure that is on disk."""

    erasure_id: UUID
    erase_time: datetime
    stores: Sequence[ErasedStore]
    """Every store, also those that held nothing."""
    transaction: int
    """Transaction that erased; readers of feeds that have come past it know of it."""


@dataclass(frozen=True, slots=True)
class LoggedErasure:
    """What an erasure leaves outside the database, so that a restored one can be told of it."""

    erasure_id: UUID
    erase_time: datetime
    marks: Sequence[bytes]
    """Of the visitors, 32 bytes each."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a person is told."""

    erasure: Erasure
    purge_time: datetime
    """Until when dead rows are cleared away."""


class ErasureStore(Protocol):
    """Where persons are erased."""

    async def erase(self, catalog: str, person: Person) -> Erasure:
        """Erases a visitor, and all visitors of an account; on disk, and in the log, when it returns.

        Raises:
            Unavailable: it cannot be told whether it took place; erasing again is harmless.
        """
        ...


class ErasureLog(Protocol):
    """Where erasures are noted outside the database."""

    async def append(self, erasure: LoggedErasure) -> None:
        """Notes one; on disk when it returns.

        Raises:
            Unavailable: it could not be written.
        """
        ...


class Erasures:
    """Erases persons of all catalogues."""

    def __init__(self, store: ErasureStore, hasher: PersonHasher, purge_hours: int) -> None:
        self._store = store
        self._hasher = hasher
        self._purge = timedelta(hours=purge_hours)

    async def erase(self, catalog: str, visitor_id: str, user_id: str) -> Receipt:
        """Erases all that is kept of a person. Again, it finds nothing, and says so.

        Raises:
            InvalidArgument: names the field.
            Unavailable: as `ErasureStore.erase`.
        """
        catalog = catalog_named(catalog)
        erasure = await self._store.erase(catalog, self._hasher.person(catalog, visitor_id, user_id))
        return Receipt(erasure, erasure.erase_time + self._purge)


def mark_of(visitor_hash: bytes) -> bytes:
    """What stands for an erased visitor: SHA-256 of the hash, from which nobody gets back to what was erased."""
    return hashlib.sha256(visitor_hash).digest()
