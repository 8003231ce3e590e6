"""Which index version a catalogue has: registered in Postgres, its collection in Qdrant."""

from typing import Final

from services.common.errors import Internal, ServiceError
from services.retrieval.adapters.encoder import Encoder
from services.retrieval.adapters.outbox import PostgresVersions
from services.retrieval.adapters.qdrant_schema import QdrantSchema
from services.retrieval.index_version import IndexVersion

_FOUND_ONCE: Final = 1_000
"""Catalogues whose collection is known to be there; beyond them it is asked again."""


class IndexVersions:
    """A Versions and a CollectionCheck."""

    def __init__(self, registry: PostgresVersions, schema: QdrantSchema, encoder: Encoder) -> None:
        self._registry = registry
        self._schema = schema
        self._encoder = encoder
        self._there: dict[str, IndexVersion] = {}

    async def active(self, catalog: str) -> IndexVersion:
        """The active version. The first of a catalogue takes the model that the encoder has loaded now."""
        known = self._there.get(catalog)
        if known is not None:
            return known
        version = await self._registry.find(catalog)
        if version is None:
            model, mean = await self._encoder.model()
            await self._registry.add_first(catalog, model, mean)
            version = await self._registry.find(catalog)
            if version is None:
                raise Internal("a version that was just added is gone", reason="INDEX_VERSION_LOST")
        await self._restore(version)
        return version

    async def restore_missing(self) -> None:
        """Finds out which collections Qdrant has lost, makes them anew and has their products indexed again."""
        self._there.clear()
        versions, failures = await self._registry.all_active(), []
        for version in versions:
            try:
                await self._restore(version)
            except ServiceError as error:
                failures.append(error)
        # Catalogues do not wait for one that cannot be restored; it is tried again when its products are indexed.
        if failures and len(failures) == len(versions):
            raise failures[0]

    async def _restore(self, version: IndexVersion) -> None:
        if not await self._schema.exists(version):
            # First the products, then the collection: after a failure in between the collection is still missing.
            await self._registry.enqueue_all(version.catalog)
            await self._schema.create(version)
        if len(self._there) < _FOUND_ONCE:
            self._there[version.catalog] = version
