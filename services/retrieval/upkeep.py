"""Keeps the index as the system of record wants it.

Collections are there, aliases point right, builds go on, settings come into force, and nothing is left of what was
deleted. Everything here can be repeated, and goes on where it was after the process has died at any moment.
"""

from services.common.errors import FailedPrecondition, Internal, ServiceError
from services.retrieval.documents import DocumentRules
from services.retrieval.index_admin import new_version
from services.retrieval.index_version import IndexVersion, RegisteredVersion, VersionState
from services.retrieval.indexing_ports import VersionKey
from services.retrieval.version_registry import Builds, Clearance, Collections, EncoderModels, VersionRegistry


class IndexUpkeep:
    """A Versions and an Upkeep."""

    def __init__(
        self,
        registry: VersionRegistry,
        builds: Builds,
        clearance: Clearance,
        collections: Collections,
        models: EncoderModels,
        rules: DocumentRules,
        grace: float,
    ) -> None:
        self._registry = registry
        self._builds = builds
        self._clearance = clearance
        self._collections = collections
        self._models = models
        self._rules = rules
        self._grace = grace
        self._whole: set[VersionKey] = set()

    async def version(self, catalog: str, number: int) -> IndexVersion | None:
        """A version whose collection exists; None where it is deleted.

        It is read anew each time: a change that was taken from the queue before is indexed by settings at least as new
        as those that it was put in for.

        Raises:
            ServiceError: the database or the index is away; or the encoder, where the catalogue has no version yet.
        """
        found = await self._registry.find(catalog, number) or await self._first(catalog)
        if found is None or found.state is VersionState.DELETED or found.version.number != number:
            return None
        if (catalog, number) not in self._whole:
            await self._restore(found)
        return found.version

    async def check(self) -> None:
        """Makes collections that are gone, has their products indexed again, mends aliases, clears what was deleted.

        Raises:
            ServiceError: nothing could be done at all. Versions do not wait for one that cannot be restored; it is
                tried again when its products are indexed.
        """
        self._whole.clear()
        versions, failures = await self._registry.live(), list[ServiceError]()
        for registered in versions:
            try:
                await self._restore(registered)
            except ServiceError as error:
                failures.append(error)
        if failures and len(failures) == len(versions):
            raise failures[0]
        for version in await self._clearance.deleted(self._grace):
            # Where activating another one was cut short, searches still use it.
            if await self._collections.aliased(version.catalog) != version.number:
                await self._collections.drop(version)
                await self._clearance.clear(version)

    async def advance(self) -> bool:
        """One step of every build; True where one went on. Raises ServiceError."""
        steps = [await self._advance(registered) for registered in await self._builds.open()]
        return any(steps)

    async def _advance(self, registered: RegisteredVersion) -> bool:
        if registered.built_to is not None:
            return await self._builds.advance(registered)
        if registered.settings_version != registered.target_settings_version:
            return await self._apply_settings(registered)
        return registered.state is VersionState.BUILDING and await self._builds.complete(registered)

    async def _apply_settings(self, registered: RegisteredVersion) -> bool:
        if not await self._builds.is_reindexed(registered):
            return False
        await self._collections.create(coming(registered.version))  # for indexes of fields that are new
        await self._collections.describe(coming(registered.version))
        return await self._builds.apply_settings(registered)

    async def _first(self, catalog: str) -> RegisteredVersion | None:
        """The first version of a catalogue, made where there is none, by the model of the first encoder."""
        if await self._registry.active(catalog) is not None:
            return None
        loaded = await self._models.first()
        async with self._registry.transaction(catalog) as transaction:
            if not await transaction.versions():
                await transaction.add(new_version(1, VersionState.ACTIVE, loaded, self._rules))
        found = await self._registry.active(catalog)
        if found is None:
            raise Internal("a version that was just added is gone", reason="INDEX_VERSION_LOST")
        # All that it has to hold is in its queue already. Where the process dies here, a build puts it in again.
        await self._collections.create(found.version)
        return found

    async def _restore(self, registered: RegisteredVersion) -> None:
        version = registered.version
        if not await self._collections.is_whole(version):
            # First the build, then the collection: after a failure in between the collection is still not whole. A
            # build for other settings, which a READY version has got just now, would leave it READY.
            if registered.built_to != "" or registered.state is VersionState.READY:
                await self._refill(registered)
            await self._collections.create(version)
        if registered.state is VersionState.ACTIVE:
            await self._mend_alias(version)
        self._whole.add((version.catalog, version.number))

    async def _refill(self, registered: RegisteredVersion) -> None:
        version = registered.version
        async with self._registry.transaction(version.catalog) as transaction:
            current = {v.version.number: v for v in await transaction.versions()}.get(version.number)
            if current is None or current.state is VersionState.DELETED:
                raise FailedPrecondition("the version was deleted", reason="INDEX_VERSION_DELETED")
            await transaction.refill(version.number)

    async def _mend_alias(self, version: IndexVersion) -> None:
        if await self._collections.aliased(version.catalog) == version.number:
            return
        # Read again: a version may have been activated since.
        active = await self._registry.active(version.catalog)
        if active is not None:
            await self._collections.point_alias(active.version)


def coming(version: IndexVersion) -> IndexVersion:
    """The version once the settings that it is being indexed by are in force."""
    return IndexVersion(
        catalog=version.catalog,
        number=version.number,
        model=version.model,
        mean=version.mean,
        analyser_version=version.analyser_version,
        declarations=version.coming,
        coming=version.coming,
        rules=version.rules,
    )
