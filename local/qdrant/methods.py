"""The closed list of what is served."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from qdrant_client import grpc as pb

from local.qdrant.administration import Administration
from local.qdrant.collections import Collections
from local.qdrant.reads import Reads
from local.qdrant.writes import Writes


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC: what it is asked with, and what answers it."""

    request: type[Message]
    reply: type[Message]
    answer: Callable[[Any], Any]
    """Returns a reply, or one that is serialised but for its time."""
    writes: bool = False
    """Whether it changes points, and so waits while a shard is copied."""


def methods(collections: Collections) -> dict[str, Method]:
    """The closed list of what is served, by full name."""
    reads, writes, administration = Reads(collections), Writes(collections), Administration(collections)
    return {
        "/qdrant.Qdrant/HealthCheck": Method(pb.HealthCheckRequest, pb.HealthCheckReply, administration.health_check),
        "/qdrant.Collections/Create": Method(
            pb.CreateCollection, pb.CollectionOperationResponse, administration.create
        ),
        "/qdrant.Collections/Update": Method(
            pb.UpdateCollection, pb.CollectionOperationResponse, administration.update
        ),
        "/qdrant.Collections/Delete": Method(
            pb.DeleteCollection, pb.CollectionOperationResponse, administration.delete
        ),
        "/qdrant.Collections/List": Method(pb.ListCollectionsRequest, pb.ListCollectionsResponse, administration.list),
        "/qdrant.Collections/CollectionExists": Method(
            pb.CollectionExistsRequest, pb.CollectionExistsResponse, administration.exists
        ),
        "/qdrant.Collections/Get": Method(
            pb.GetCollectionInfoRequest, pb.GetCollectionInfoResponse, administration.get
        ),
        "/qdrant.Collections/UpdateAliases": Method(
            pb.ChangeAliases, pb.CollectionOperationResponse, administration.update_aliases
        ),
        "/qdrant.Collections/ListAliases": Method(
            pb.ListAliasesRequest, pb.ListAliasesResponse, administration.list_aliases
        ),
        "/qdrant.Points/Upsert": Method(pb.UpsertPoints, pb.PointsOperationResponse, writes.upsert, writes=True),
        "/qdrant.Points/Delete": Method(pb.DeletePoints, pb.PointsOperationResponse, writes.delete, writes=True),
        "/qdrant.Points/SetPayload": Method(
            pb.SetPayloadPoints, pb.PointsOperationResponse, writes.set_payload, writes=True
        ),
        "/qdrant.Points/OverwritePayload": Method(
            pb.SetPayloadPoints, pb.PointsOperationResponse, writes.overwrite_payload, writes=True
        ),
        "/qdrant.Points/DeletePayload": Method(
            pb.DeletePayloadPoints, pb.PointsOperationResponse, writes.delete_payload, writes=True
        ),
        "/qdrant.Points/UpdateVectors": Method(
            pb.UpdatePointVectors, pb.PointsOperationResponse, writes.update_vectors, writes=True
        ),
        "/qdrant.Points/UpdateBatch": Method(
            pb.UpdateBatchPoints, pb.UpdateBatchResponse, writes.update_batch, writes=True
        ),
        "/qdrant.Points/CreateFieldIndex": Method(
            pb.CreateFieldIndexCollection, pb.PointsOperationResponse, writes.create_field_index, writes=True
        ),
        "/qdrant.Points/Get": Method(pb.GetPoints, pb.GetResponse, reads.get),
        "/qdrant.Points/Query": Method(pb.QueryPoints, pb.QueryResponse, reads.query),
        "/qdrant.Points/QueryBatch": Method(pb.QueryBatchPoints, pb.QueryBatchResponse, reads.query_batch),
        "/qdrant.Points/Scroll": Method(pb.ScrollPoints, pb.ScrollResponse, reads.scroll),
        "/qdrant.Points/Count": Method(pb.CountPoints, pb.CountResponse, reads.count),
        "/qdrant.Points/Facet": Method(pb.FacetCounts, pb.FacetResponse, reads.facet),
    }
