"""Administering the versions of a catalogue's index: made beside the active one, switched to, gone back from, removed.

Postgres decides; the alias in Qdrant, which searches go by, follows at once, and after a failure in between with the
indexer's next check (`upkeep.py`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from services.common.errors import (
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    ServiceError,
    Unavailable,
    Violation,
)
from services.retrieval.analysis import ANALYSER_VERSION
from services.retrieval.documents import DocumentRules
from services.retrieval.index_version import RegisteredVersion, VersionState, VersionStatus, live
from services.retrieval.requests import require
from services.retrieval.signals import IndexingSignals
from services.retrieval.version_registry import (
    Collections,
    EncoderModels,
    LoadedModel,
    NewVersion,
    VersionRegistry,
    VersionTransaction,
)

_RETRY_AFTER: Final = 1.0
_SHOWN_DIGITS: Final = 12
"""Of a model's revision, in the choices that an error names."""


@dataclass(frozen=True, slots=True)
class AdminLimits:
    """Limits of administration."""

    live_versions: int
    """Of one catalogue: each is written by every change."""
    revision_characters: int


class IndexAdministration:
    """What operators do with index versions."""

    def __init__(
        self,
        registry: VersionRegistry,
        collections: Collections,
        models: EncoderModels,
        signals: IndexingSignals,
        rules: DocumentRules,
        limits: AdminLimits,
    ) -> None:
        self._registry = registry
        self._collections = collections
        self._models = models
        self._signals = signals
        self._rules = rules
        self._limits = limits

    async def create(self, catalog: str, revision: str) -> VersionStatus:
        """Begins to build a version by the model of that revision, or whose revision begins so.

        The first one of a catalogue is active at once. A version that is being built by the same model is returned.

        Raises:
            InvalidArgument: the revision is too long.
            FailedPrecondition: no encoder has the model, several have one that fits, or there are too many versions.
            Unavailable: the database or every encoder is away.
        """
        if len(revision) > self._limits.revision_characters:
            most = f"must have at most {self._limits.revision_characters:,} characters"
            require([Violation("model_revision", most, "TOO_LONG")])
        with _reaching():
            models = await self._models.all()
        loaded = chosen(models, revision)
        async with self._registry.transaction(catalog) as transaction:
            number = await self._added(transaction, loaded)
        self._signals.wake_indexer()
        return await self._status(catalog, number)

    async def statuses(self, catalog: str) -> Sequence[VersionStatus]:
        """Versions of a catalogue, latest first. Raises Unavailable."""
        return await self._registry.statuses(catalog)

    async def status(self, catalog: str, number: int) -> VersionStatus:
        """A version; 0 = the active one.

        Raises:
            InvalidArgument: the number is negative.
            NotFound: there is none.
            Unavailable: the database is away.
        """
        return await self._status(catalog, (await self.named(catalog, number)).version.number)

    async def named(self, catalog: str, number: int) -> RegisteredVersion:
        """A version that is not deleted; 0 = the active one. Raises as `status`."""
        if number < 0:
            require([Violation("number", "must not be negative", "OUT_OF_RANGE")])
        found = await (self._registry.find(catalog, number) if number else self._registry.active(catalog))
        if found is None or found.state is VersionState.DELETED:
            raise _no_version(catalog, number)
        return found

    async def activate(self, catalog: str, number: int) -> VersionStatus:
        """Has searches use a version; repeated, it does no harm.

        Raises:
            InvalidArgument: no number is named, or a negative one.
            NotFound: there is no such version.
            FailedPrecondition: it is being built, or no encoder has its model.
            Unavailable: database, index or encoders are away; searches use one of the two versions, and the next check
                of the indexer has them use the one that the database names.
        """
        if number < 1:
            require([Violation("number", "must be 1 or more", "REQUIRED")])
        return await self._switched(await self.named(catalog, number))

    async def roll_back(self, catalog: str) -> VersionStatus:
        """Activates the version that was active before, also one that is being rebuilt: refused, not skipped.

        Raises as `activate`.
        """
        versions = [status.registered for status in await self._registry.statuses(catalog)]
        if not versions:
            raise _no_version(catalog, 0)
        before = previous(versions)
        if before is None:
            raise FailedPrecondition("no version was active before", reason="NO_PREVIOUS_VERSION")
        return await self._switched(before)

    async def delete(self, catalog: str, number: int) -> VersionStatus:
        """Removes a version; its collection goes a little later, when no search can be using it any more.

        Raises:
            InvalidArgument: no number is named, or a negative one.
            NotFound: there is no such version.
            FailedPrecondition: it is active.
            Unavailable: the database is away.
        """
        if number < 1:
            require([Violation("number", "must be 1 or more", "REQUIRED")])
        async with self._registry.transaction(catalog) as transaction:
            found = _numbered(await transaction.versions(), catalog, number)
            if found.state is VersionState.ACTIVE:
                raise FailedPrecondition("the active version cannot be deleted", reason="INDEX_VERSION_ACTIVE")
            await transaction.delete(number)
        self._signals.wake_indexer()
        return await self._status(catalog, number)

    async def rebuild(self, catalog: str, number: int) -> VersionStatus:
        """Has every product indexed again, those given up too; 0 = the active version.

        Raises:
            InvalidArgument: the number is negative.
            NotFound: there is no such version.
            Unavailable: database or index is away; repeat it.
        """
        found = await self.named(catalog, number)
        async with self._registry.transaction(catalog) as transaction:
            _numbered(await transaction.versions(), catalog, found.version.number)
            await transaction.refill(found.version.number)
        with _reaching():
            if not await self._collections.is_whole(found.version):
                await self._collections.create(found.version)
        if found.state is VersionState.ACTIVE:  # an alias goes with its collection
            await self._point_alias(catalog)
        self._signals.wake_indexer()
        return await self._status(catalog, found.version.number)

    async def _added(self, transaction: VersionTransaction, loaded: LoadedModel) -> int:
        versions = await transaction.versions()
        following = live(versions)
        for version in following:
            if version.state is VersionState.BUILDING and version.version.model.revision == loaded.model.revision:
                return version.version.number
        if len(following) >= self._limits.live_versions:
            limit = str(self._limits.live_versions)
            raise FailedPrecondition(
                "the catalogue has as many index versions as are allowed: delete one",
                reason="TOO_MANY_INDEX_VERSIONS",
                metadata={"limit": limit},
            )
        number = max((version.version.number for version in versions), default=0) + 1
        state = VersionState.BUILDING if following else VersionState.ACTIVE
        await transaction.add(new_version(number, state, loaded, self._rules))
        return number

    async def _switched(self, target: RegisteredVersion) -> VersionStatus:
        catalog, number = target.version.catalog, target.version.number
        _require_ready(target)
        with _reaching():
            await self._require_usable(target)
        async with self._registry.transaction(catalog) as transaction:
            found = _numbered(await transaction.versions(), catalog, number)
            _require_ready(found)
            if found.state is not VersionState.ACTIVE:
                await transaction.activate(number)
        await self._point_alias(catalog)
        self._signals.wake_indexer()
        return await self._status(catalog, number)

    async def _point_alias(self, catalog: str) -> None:
        # What the database says by now: another call may have switched on.
        active = await self._registry.active(catalog)
        if active is not None:
            with _reaching():
                await self._collections.point_alias(active.version)

    async def _require_usable(self, target: RegisteredVersion) -> None:
        revision = target.version.model.revision
        if all(loaded.model.revision != revision for loaded in await self._models.all()):
            raise FailedPrecondition(
                "no encoder has the model of the version", reason="MODEL_NOT_LOADED", metadata={"model": revision}
            )
        if not await self._collections.is_whole(target.version):
            raise FailedPrecondition("the version's collection is gone: rebuild it", reason="COLLECTION_LOST")

    async def _status(self, catalog: str, number: int) -> VersionStatus:
        statuses = await self._registry.statuses(catalog, number)
        if not statuses:
            raise _no_version(catalog, number)
        return statuses[0]


def new_version(number: int, state: VersionState, loaded: LoadedModel, rules: DocumentRules) -> NewVersion:
    """A version by a model, with the analyser and the rules of this process."""
    return NewVersion(number, state, loaded.model, loaded.mean, ANALYSER_VERSION, rules)


def chosen(models: Sequence[LoadedModel], revision: str) -> LoadedModel:
    """The model whose revision begins with `revision`; where several do, the one that is equal to it.

    Raises:
        FailedPrecondition: none does, or several do; the error names those that there are.
    """
    fitting = [loaded for loaded in models if loaded.model.revision.startswith(revision)]
    equal = [loaded for loaded in fitting if loaded.model.revision == revision]
    if len(equal or fitting) == 1:
        return (equal or fitting)[0]
    choices = ", ".join(f"{loaded.model.name} {loaded.model.revision[:_SHOWN_DIGITS]}" for loaded in models)
    if fitting:
        raise FailedPrecondition(
            "the encoders have several models: name the revision of one",
            reason="MODEL_AMBIGUOUS",
            metadata={"models": choices},
        )
    raise FailedPrecondition(
        "no encoder has a model of that revision", reason="MODEL_NOT_LOADED", metadata={"models": choices}
    )


def previous(versions: Sequence[RegisteredVersion]) -> RegisteredVersion | None:
    """Of those that are not active, the one that was active last; None where none ever was."""
    retired = [v for v in live(versions) if v.state is not VersionState.ACTIVE and v.activate_time is not None]
    return max(retired, key=lambda version: version.activate_time or version.create_time, default=None)


@contextmanager
def _reaching() -> Iterator[None]:
    """Surrounds calls of index and encoders: being away passes, and what they refuse is no fault of the caller."""
    try:
        yield
    except Unavailable as exc:
        retry_after = exc.retry_after or _RETRY_AFTER
        raise Unavailable(exc.message, reason=exc.reason, retry_after=retry_after) from exc
    except (InvalidArgument, NotFound) as exc:
        raise Internal("the index refused what was asked of it", reason="QDRANT_REFUSED") from exc


def _require_ready(version: RegisteredVersion) -> None:
    if version.state is VersionState.BUILDING:
        raise FailedPrecondition("the version is still being built", reason="INDEX_VERSION_BUILDING")


def _numbered(versions: Sequence[RegisteredVersion], catalog: str, number: int) -> RegisteredVersion:
    for found in live(versions):
        if found.version.number == number:
            return found
    raise _no_version(catalog, number)


def _no_version(catalog: str, number: int) -> ServiceError:
    return NotFound(
        "there is no such index version",
        reason="INDEX_VERSION_NOT_FOUND",
        metadata={"catalog": catalog, "number": str(number)},
    )
