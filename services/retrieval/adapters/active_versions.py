"""Which index version of a catalogue is active: remembered, so that no search waits for the answer."""

import asyncio
import time
from contextlib import suppress
from typing import Final, Protocol, TypeVar

from services.common.deadlines import detached
from services.common.errors import NotFound, ServiceError
from services.retrieval.adapters.qdrant_errors import reading
from services.retrieval.adapters.qdrant_schema import QdrantSchema
from services.retrieval.index_version import IndexVersion, RegisteredVersion, index_lost

Value = TypeVar("Value")
_KNOWN_CATALOGS: Final = 1_000
"""Catalogues whose version a replica remembers; beyond them the oldest entry goes."""


class ActiveRegistry(Protocol):
    """What the system of record says of catalogues that the index does not know."""

    async def active(self, catalog: str) -> RegisteredVersion | None:
        """The active version of a catalogue. Raises Unavailable."""


class ActiveVersions:
    """A VersionLookUp."""

    def __init__(
        self,
        schema: QdrantSchema,
        registry: ActiveRegistry,
        *,
        seconds: float,
        reserve: float,
        version_seconds: float,
    ) -> None:
        """`seconds` and `reserve` bound a look-up; `version_seconds` is the age at which another one is due."""
        self._schema = schema
        self._registry = registry
        self._seconds = seconds
        self._reserve = reserve
        self._version_seconds = version_seconds
        self._versions: dict[str, tuple[float, IndexVersion]] = {}
        self._seen: dict[str, None] = {}
        self._look_ups: dict[str, asyncio.Task[None]] = {}

    async def version(self, catalog: str) -> IndexVersion:
        """The active version: remembered, and looked up again in the background, so that no search waits for it."""
        known = self._versions.get(catalog)
        if known is None:
            return await self.version_now(catalog)
        if known[0] < time.monotonic() and catalog not in self._look_ups:
            self._look_ups[catalog] = asyncio.create_task(self._look_up_again(catalog))
        return known[1]

    async def version_now(self, catalog: str) -> IndexVersion:
        """The active version, looked up.

        Raises:
            NotFound: there is none, nor does the system of record know of one.
            Unavailable: the index is away; or it is lost; or it is not there, this replica has never seen it, and the
                database that knows is away.
        """
        try:
            with reading(catalog):
                version = await self._schema.active(catalog, at_most=self._seconds, reserve=self._reserve)
        except NotFound as error:
            self._versions.pop(catalog, None)
            if catalog in self._seen or await self._registry.active(catalog) is not None:
                raise index_lost(catalog) from error
            raise
        _remember(self._versions, catalog, (time.monotonic() + self._version_seconds, version))
        _remember(self._seen, catalog, None)
        return version

    def forget(self, catalog: str) -> None:
        """Has the next search look it up: its version is gone."""
        self._versions.pop(catalog, None)

    async def _look_up_again(self, catalog: str) -> None:
        try:
            # The search that noticed the age may be over before the answer is here. What fails now is tried again
            # by the next search.
            with detached(), suppress(ServiceError):
                await self.version_now(catalog)
        finally:
            del self._look_ups[catalog]


def _remember(known: dict[str, Value], catalog: str, value: Value) -> None:
    known.pop(catalog, None)
    while len(known) >= _KNOWN_CATALOGS:
        known.pop(next(iter(known)))
    known[catalog] = value
