"""Index versions in the system of record: what administering them needs of it."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from services.retrieval.documents import DocumentRules
from services.retrieval.geometry import Vector
from services.retrieval.index_version import IndexVersion, Model, RegisteredVersion, VersionState, VersionStatus


@dataclass(frozen=True, slots=True, eq=False)
class NewVersion:
    """A version that is to be made; its settings are the catalogue's latest."""

    number: int
    state: VersionState
    model: Model
    mean: Vector
    """Shape (dims,)."""
    analyser_version: int
    rules: DocumentRules


class VersionTransaction(Protocol):
    """Changes of one catalogue's versions; no product of it is written, and no version changed, until it ends."""

    async def versions(self) -> Sequence[RegisteredVersion]:
        """All of the catalogue, deleted ones included, latest first."""

    async def add(self, new: NewVersion) -> None:
        """Makes a version. A build begins with the first product; the first of all follows what waits for it."""

    async def activate(self, number: int) -> None:
        """Makes a version the active one, and the one before READY."""

    async def delete(self, number: int) -> None:
        """Marks a version as deleted: from now on nothing is put into its queue."""

    async def refill(self, number: int) -> None:
        """Has a version's build begin anew, and what was given up tried again."""


class VersionRegistry(Protocol):
    """Where versions are registered. All methods raise Unavailable where the database is away."""

    def transaction(self, catalog: str) -> AbstractAsyncContextManager[VersionTransaction]:
        """Opens a transaction; leaving it without an exception commits."""

    async def find(self, catalog: str, number: int) -> RegisteredVersion | None:
        """A version, deleted or not."""

    async def active(self, catalog: str) -> RegisteredVersion | None:
        """The active version of a catalogue."""

    async def live(self) -> Sequence[RegisteredVersion]:
        """All versions of all catalogues that follow their catalogue."""

    async def statuses(self, catalog: str, number: int | None = None) -> Sequence[VersionStatus]:
        """Versions of a catalogue with their counts, latest first, deleted ones left out; or one, deleted or not."""


class Builds(Protocol):
    """Fills the queues of versions that are built, rebuilt, or indexed under other settings, portion by portion."""

    async def open(self) -> Sequence[RegisteredVersion]:
        """Versions with something left to do that is not an ordinary change."""

    async def advance(self, registered: RegisteredVersion) -> bool:
        """Puts the next portion of products into the version's queue, unless enough of it waits; True where it did.

        The portion and the mark how far the build has come are on disk together, so that it goes on where it was after
        the process has died at any moment.
        """

    async def complete(self, registered: RegisteredVersion) -> bool:
        """Makes a built version READY, if its build has come to all products and its index has got them."""

    async def is_reindexed(self, registered: RegisteredVersion) -> bool:
        """Whether the index has got all products since the settings changed, by words at least."""

    async def apply_settings(self, registered: RegisteredVersion) -> bool:
        """Notes that searches go by the target settings now; False where the target has changed meanwhile."""


class Clearance(Protocol):
    """Removes what deleted versions leave in the system of record."""

    async def deleted(self, grace: float) -> Sequence[IndexVersion]:
        """Versions that were deleted `grace` seconds ago or before and are not cleared yet."""

    async def clear(self, version: IndexVersion) -> None:
        """Removes a version's queue, and the vectors of its model where no other version uses it; can be repeated."""


class Collections(Protocol):
    """The collections of the index. All methods raise ServiceError."""

    async def is_whole(self, version: IndexVersion) -> bool:
        """Whether the version's collection is there, with every index of its payload."""

    async def create(self, version: IndexVersion) -> None:
        """Makes the collection and the indexes of its payload; what is there stays as it is."""

    async def describe(self, version: IndexVersion) -> None:
        """Notes in the collection what searches go by."""

    async def aliased(self, catalog: str) -> int | None:
        """Number of the version that searches of a catalogue use; None = of none."""

    async def point_alias(self, version: IndexVersion) -> None:
        """Has searches use a version, in one step."""

    async def drop(self, version: IndexVersion) -> None:
        """Removes the collection; nothing where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model that an encoder answers with."""

    model: Model
    mean: Vector
    """Fixed mean of its document vectors; shape (dims,)."""


class EncoderModels(Protocol):
    """Which models the encoders have."""

    async def first(self) -> LoadedModel:
        """The model of the first encoder. Raises ServiceError where it does not answer."""

    async def all(self) -> Sequence[LoadedModel]:
        """Models of all encoders that answer, each once. Raises ServiceError where none does."""
