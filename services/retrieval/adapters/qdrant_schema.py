"""A catalogue's collections in Qdrant: their vectors, the index of every field that a filter may name, their facts."""

from typing import Final

from qdrant_client import grpc as q

from services.common.channels import Peer
from services.common.errors import NotFound, ServiceError
from services.retrieval.adapters.collection_facts import facts_of, version_of
from services.retrieval.adapters.qdrant_conditions import payload_indexes
from services.retrieval.index_version import IndexVersion, alias_of

DENSE: Final = "text"
SPARSE: Final = "words"
MAX_RESULTS: Final = 1_000
"""Results of one query; twice the candidates that a search returns, which bounds the second round trip."""


class QdrantSchema:
    """A Collections, and what searches read of it."""

    def __init__(self, peer: Peer, seconds: float) -> None:
        self._seconds = seconds
        collections = "/qdrant.Collections"
        done = q.CollectionOperationResponse
        self._get = peer.unary(f"{collections}/Get", q.GetCollectionInfoRequest, q.GetCollectionInfoResponse)
        self._create = peer.unary(f"{collections}/Create", q.CreateCollection, done)
        self._update = peer.unary(f"{collections}/Update", q.UpdateCollection, done)
        self._delete = peer.unary(f"{collections}/Delete", q.DeleteCollection, done)
        self._aliases = peer.unary(f"{collections}/UpdateAliases", q.ChangeAliases, done)
        self._index = peer.unary(
            "/qdrant.Points/CreateFieldIndex", q.CreateFieldIndexCollection, q.PointsOperationResponse
        )

    async def active(self, catalog: str, *, at_most: float, reserve: float = 0.0) -> IndexVersion:
        """The version that the catalogue's alias points to.

        Read from the collection itself, so that searches need no database. Raises ServiceError.
        """
        info = await self._info(alias_of(catalog), at_most=at_most, reserve=reserve)
        return version_of(catalog, info.config.metadata)

    async def aliased(self, catalog: str) -> int | None:
        try:
            return (await self.active(catalog, at_most=self._seconds)).number
        except NotFound:
            return None

    async def is_whole(self, version: IndexVersion) -> bool:
        try:
            info = await self._info(version.collection, at_most=self._seconds)
        except NotFound:
            return False
        return payload_indexes(version.declarations).keys() <= info.payload_schema.keys()

    async def create(self, version: IndexVersion) -> None:
        try:
            await self._create(_creation(version), at_most=self._seconds)
        except ServiceError:
            # Qdrant answers "already exists" with one of several codes: what counts is whether it does.
            await self._info(version.collection, at_most=self._seconds)
        for field, kind in payload_indexes(version.declarations).items():
            await self._index(
                q.CreateFieldIndexCollection(
                    collection_name=version.collection, wait=True, field_name=field, field_type=kind
                ),
                at_most=self._seconds,
            )

    async def describe(self, version: IndexVersion) -> None:
        request = q.UpdateCollection(collection_name=version.collection, metadata=facts_of(version))
        await self._update(request, at_most=self._seconds)

    async def point_alias(self, version: IndexVersion) -> None:
        # One request is one step, and an alias that exists is moved.
        alias = q.CreateAlias(collection_name=version.collection, alias_name=alias_of(version.catalog))
        await self._aliases(q.ChangeAliases(actions=[q.AliasOperations(create_alias=alias)]), at_most=self._seconds)

    async def drop(self, version: IndexVersion) -> None:
        try:
            await self._delete(q.DeleteCollection(collection_name=version.collection), at_most=self._seconds)
        except NotFound:
            return

    async def _info(self, name: str, *, at_most: float, reserve: float = 0.0) -> q.CollectionInfo:
        request = q.GetCollectionInfoRequest(collection_name=name)
        return (await self._get(request, at_most=at_most, reserve=reserve)).result


def _creation(version: IndexVersion) -> q.CreateCollection:
    # Vectors come normalised: a dot product is their cosine, and they are stored as given.
    dense = q.VectorParams(size=version.model.dims, distance=q.Distance.Dot)
    sparse = q.SparseVectorParams(modifier=q.Modifier.Idf)
    return q.CreateCollection(
        collection_name=version.collection,
        # IDF is counted per shard: with more than one, the same word would weigh differently from shard to shard.
        shard_number=1,
        vectors_config=q.VectorsConfig(params_map=q.VectorParamsMap(map={DENSE: dense})),
        sparse_vectors_config=q.SparseVectorConfig(map={SPARSE: sparse}),
        strict_mode_config=q.StrictModeConfig(
            enabled=True,
            max_query_limit=MAX_RESULTS,
            unindexed_filtering_retrieve=False,
            unindexed_filtering_update=False,
        ),
        metadata=facts_of(version),
    )
