"""A catalogue's collection in Qdrant: its vectors, the index of every field that a filter may name, its facts."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final

import numpy as np
from qdrant_client import grpc as q

from services.common.channels import Peer
from services.common.errors import Internal, NotFound, ServiceError
from services.retrieval.index_version import IndexVersion, Model, alias_of

DENSE: Final = "text"
SPARSE: Final = "words"
MAX_RESULTS: Final = 1_000
"""Results of one query; twice the candidates that a search returns, which bounds the second round trip."""

_KEYWORD, _FLOAT, _INTEGER = q.FieldType.FieldTypeKeyword, q.FieldType.FieldTypeFloat, q.FieldType.FieldTypeInteger
PAYLOAD_INDEXES: Final[Mapping[str, "q.FieldType.ValueType"]] = {
    "brand": _KEYWORD,
    "category_paths": _KEYWORD,
    "offers[].region": _KEYWORD,
    "offers[].currency": _KEYWORD,
    "offers[].price": _FLOAT,
    "offers[].availability": _INTEGER,
}
"""Every field that a filter names. Strict mode refuses any other, here as in production."""


class QdrantSchema:
    """Makes collections and reads what they were made with."""

    def __init__(self, peer: Peer, seconds: float) -> None:
        self._seconds = seconds
        collections = "/qdrant.Collections"
        self._get = peer.unary(f"{collections}/Get", q.GetCollectionInfoRequest, q.GetCollectionInfoResponse)
        self._create = peer.unary(f"{collections}/Create", q.CreateCollection, q.CollectionOperationResponse)
        self._aliases = peer.unary(f"{collections}/UpdateAliases", q.ChangeAliases, q.CollectionOperationResponse)
        self._index = peer.unary(
            "/qdrant.Points/CreateFieldIndex", q.CreateFieldIndexCollection, q.PointsOperationResponse
        )

    async def active(self, catalog: str, *, at_most: float, reserve: float = 0.0) -> IndexVersion:
        """The version that the catalogue's alias points to.

        Read from the collection itself, so that searches need no database. Raises ServiceError.
        """
        request = q.GetCollectionInfoRequest(collection_name=alias_of(catalog))
        reply = await self._get(request, at_most=at_most, reserve=reserve)
        return _version(catalog, reply.result.config.metadata)

    async def exists(self, version: IndexVersion) -> bool:
        """Whether the version's collection is there and the alias points to it. Raises ServiceError."""
        try:
            return (await self.active(version.catalog, at_most=self._seconds)).number == version.number
        except NotFound:
            return False

    async def create(self, version: IndexVersion) -> None:
        """Makes the collection, all indexes of its payload, and last the alias that lets it be found.

        Can be repeated after any failure. Raises ServiceError.
        """
        name = version.collection
        try:
            await self._create(_creation(version), at_most=self._seconds)
        except ServiceError:
            # Qdrant answers "already exists" with one of several codes: what counts is whether it does.
            await self._get(q.GetCollectionInfoRequest(collection_name=name), at_most=self._seconds)
        for field, kind in PAYLOAD_INDEXES.items():
            await self._index(
                q.CreateFieldIndexCollection(collection_name=name, wait=True, field_name=field, field_type=kind),
                at_most=self._seconds,
            )
        alias = q.CreateAlias(collection_name=name, alias_name=alias_of(version.catalog))
        await self._aliases(q.ChangeAliases(actions=[q.AliasOperations(create_alias=alias)]), at_most=self._seconds)


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
        metadata=_facts(version),
    )


def _facts(version: IndexVersion) -> dict[str, q.Value]:
    return {
        "number": q.Value(integer_value=version.number),
        "model_name": q.Value(string_value=version.model.name),
        "model_revision": q.Value(string_value=version.model.revision),
        "dims": q.Value(integer_value=version.model.dims),
        "mean_vector": q.Value(string_value=b64encode(version.mean.astype("<f4").tobytes()).decode()),
        "analyser_version": q.Value(integer_value=version.analyser_version),
    }


def _version(catalog: str, facts: Mapping[str, q.Value]) -> IndexVersion:
    if not facts:
        raise Internal("the collection was not made by this service", reason="FOREIGN_COLLECTION")
    return IndexVersion(
        catalog=catalog,
        number=facts["number"].integer_value,
        model=Model(
            facts["model_name"].string_value, facts["model_revision"].string_value, facts["dims"].integer_value
        ),
        mean=np.frombuffer(b64decode(facts["mean_vector"].string_value), "<f4"),
        analyser_version=facts["analyser_version"].integer_value,
    )
