"""The RPCs of qdrant.Collections and qdrant.Qdrant that retrieval uses."""

from qdrant_client import grpc as pb

from local.qdrant.collection import Collection
from local.qdrant.collections import Collections
from local.qdrant.refusals import refuse_fields
from local.qdrant.replies import DATA_TYPES

# What the engine speaks the API of; clients compare it with their own version.
VERSION = "1.20.0"
UPDATABLE = ("collection_name", "timeout", "metadata")


class Administration:
    """Each method takes the request and returns the reply, or raises RefusedError."""

    def __init__(self, collections: Collections) -> None:
        self._collections = collections

    def health_check(self, _: pb.HealthCheckRequest) -> pb.HealthCheckReply:
        """Title and version of what answers."""
        return pb.HealthCheckReply(title="zhiyin local engine, behind Qdrant's API", version=VERSION)

    def create(self, request: pb.CreateCollection) -> pb.CollectionOperationResponse:
        """Makes a collection."""
        self._collections.create(request)
        return pb.CollectionOperationResponse(result=True)

    def update(self, request: pb.UpdateCollection) -> pb.CollectionOperationResponse:
        """Merges metadata into a collection's; a null removes its key. Nothing else of it can be changed."""
        refuse_fields(request, *(name for name in request.DESCRIPTOR.fields_by_name if name not in UPDATABLE))
        self._collections.merge_metadata(request.collection_name, request.metadata)
        return pb.CollectionOperationResponse(result=True)

    def delete(self, request: pb.DeleteCollection) -> pb.CollectionOperationResponse:
        """Deletes a collection; `result` false where there is none."""
        return pb.CollectionOperationResponse(result=self._collections.delete(request.collection_name))

    def list(self, _: pb.ListCollectionsRequest) -> pb.ListCollectionsResponse:
        """Names of all collections."""
        names = self._collections.names()
        return pb.ListCollectionsResponse(collections=[pb.CollectionDescription(name=name) for name in names])

    def exists(self, request: pb.CollectionExistsRequest) -> pb.CollectionExistsResponse:
        """Whether a collection or an alias of that name is there."""
        exists = self._collections.exists(request.collection_name)
        return pb.CollectionExistsResponse(result=pb.CollectionExists(exists=exists))

    def get(self, request: pb.GetCollectionInfoRequest) -> pb.GetCollectionInfoResponse:
        """Configuration, indexes of the payload and size of a collection."""
        return pb.GetCollectionInfoResponse(result=description(self._collections.get(request.collection_name)))

    def update_aliases(self, request: pb.ChangeAliases) -> pb.CollectionOperationResponse:
        """Changes aliases in one step."""
        self._collections.change_aliases(request)
        return pb.CollectionOperationResponse(result=True)

    def list_aliases(self, _: pb.ListAliasesRequest) -> pb.ListAliasesResponse:
        """All aliases."""
        return self._collections.aliases()


def description(collection: Collection) -> pb.CollectionInfo:
    """What Get tells of a collection. What it says of optimisers and log are Qdrant's defaults, not in use."""
    info = collection.shard.info()
    creation = collection.creation
    schema = {
        field: pb.PayloadSchemaInfo(data_type=DATA_TYPES[index.data_type], points=index.points)
        for field, index in info.payload_schema.items()
    }
    params = pb.CollectionParams(
        shard_number=1,
        vectors_config=creation.vectors_config,
        sparse_vectors_config=creation.sparse_vectors_config,
    )
    return pb.CollectionInfo(
        status=pb.CollectionStatus.Green if collection.journal is None else pb.CollectionStatus.Yellow,
        optimizer_status=pb.OptimizerStatus(ok=True),
        segments_count=info.segments_count,
        points_count=info.points_count,
        indexed_vectors_count=info.indexed_vectors_count,
        payload_schema=schema,
        config=pb.CollectionConfig(
            params=params,
            hnsw_config=pb.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=10_000),
            optimizer_config=pb.OptimizersConfigDiff(
                deleted_threshold=0.2, vacuum_min_vector_number=1000, default_segment_number=0, flush_interval_sec=5
            ),
            wal_config=pb.WalConfigDiff(wal_capacity_mb=32, wal_segments_ahead=0),
            strict_mode_config=creation.strict_mode_config,
            metadata=creation.metadata,
        ),
    )
