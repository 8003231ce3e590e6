"""The RPCs of qdrant.Points that write."""

from collections.abc import Callable

import qdrant_edge as edge
from qdrant_client import grpc as pb

from local.qdrant import operations, requests
from local.qdrant.collection import Collection
from local.qdrant.collections import Collections
from local.qdrant.conditions import filters
from local.qdrant.refusals import not_served
from local.qdrant.strict import check_filter, check_limit


class Writes:
    """Each method takes the request and returns the reply, or raises RefusedError.

    A write is done when the method returns, `wait` or not: it is in the write-ahead log and visible.
    As in Qdrant, a write to points by their ids is NOT_FOUND where one of them is not there, after it was
    applied to the others; a filter (`has_id`) that matches nothing is no error.
    """

    def __init__(self, collections: Collections) -> None:
        self._collections = collections

    def upsert(self, request: pb.UpsertPoints) -> pb.PointsOperationResponse:
        """Stores points whole; what was there under the same id is replaced."""
        collection = self._collections.get(request.collection_name)
        check_limit("points", len(request.points), collection.strict_mode, "upsert_max_batchsize")
        return _apply(collection, operations.upsert(request), request)

    def delete(self, request: pb.DeletePoints) -> pb.PointsOperationResponse:
        """Deletes points by id or by filter."""
        collection = self._collections.get(request.collection_name)
        return _apply(collection, operations.delete(request, _checked_by(collection)), request)

    def set_payload(self, request: pb.SetPayloadPoints) -> pb.PointsOperationResponse:
        """Sets fields of the payload and leaves the others, by id or by filter."""
        collection = self._collections.get(request.collection_name)
        return _apply(collection, operations.set_payload(request, _checked_by(collection)), request)

    def overwrite_payload(self, request: pb.SetPayloadPoints) -> pb.PointsOperationResponse:
        """Replaces the payload, by id or by filter."""
        collection = self._collections.get(request.collection_name)
        return _apply(collection, operations.overwrite_payload(request, _checked_by(collection)), request)

    def delete_payload(self, request: pb.DeletePayloadPoints) -> pb.PointsOperationResponse:
        """Removes fields of the payload, by id or by filter."""
        collection = self._collections.get(request.collection_name)
        return _apply(collection, operations.delete_payload(request, _checked_by(collection)), request)

    def update_vectors(self, request: pb.UpdatePointVectors) -> pb.PointsOperationResponse:
        """Replaces the named vectors of points and leaves their other vectors and the payload."""
        collection = self._collections.get(request.collection_name)
        return _apply(collection, operations.update_vectors(request), request)

    def update_batch(self, request: pb.UpdateBatchPoints) -> pb.UpdateBatchResponse:
        """Several writes in order. The first that fails ends the batch and what came before it stays, as in Qdrant."""
        collection = self._collections.get(request.collection_name)
        for part in request.operations:
            collection.update(_part(part, collection), part.ByteSize())
        done = pb.UpdateResult(status=_status(request.wait))
        return pb.UpdateBatchResponse(result=[done] * len(request.operations))

    def create_field_index(self, request: pb.CreateFieldIndexCollection) -> pb.PointsOperationResponse:
        """Indexes a field of the payload."""
        collection = self._collections.get(request.collection_name)
        schema = requests.index_schema(request)
        reply = _apply(collection, edge.UpdateOperation.create_field_index(request.field_name, schema), request)
        collection.read_indexed_fields()
        return reply


def _part(part: pb.PointsUpdateOperation, collection: Collection) -> edge.UpdateOperation:
    kind = part.WhichOneof("operation")
    filter_of = _checked_by(collection)
    if kind == "set_payload":
        return operations.set_payload(part.set_payload, filter_of)
    if kind == "upsert":
        check_limit("points", len(part.upsert.points), collection.strict_mode, "upsert_max_batchsize")
        return operations.upsert(part.upsert)
    if kind == "delete_points":
        return operations.delete(part.delete_points, filter_of)
    if kind == "overwrite_payload":
        return operations.overwrite_payload(part.overwrite_payload, filter_of)
    if kind == "delete_payload":
        return operations.delete_payload(part.delete_payload, filter_of)
    if kind == "update_vectors":
        return operations.update_vectors(part.update_vectors)
    raise not_served(f"PointsUpdateOperation.{kind}")


def _checked_by(collection: Collection) -> Callable[[pb.Filter], edge.Filter]:
    def checked(message: pb.Filter) -> edge.Filter:
        check_filter(message, collection.strict_mode, collection.indexed_fields, "unindexed_filtering_update")
        return filters(message)

    return checked


def _apply(
    collection: Collection,
    operation: edge.UpdateOperation,
    request: pb.UpsertPoints
    | pb.DeletePoints
    | pb.SetPayloadPoints
    | pb.DeletePayloadPoints
    | pb.UpdatePointVectors
    | pb.CreateFieldIndexCollection,
) -> pb.PointsOperationResponse:
    collection.update(operation, request.ByteSize())
    return pb.PointsOperationResponse(result=pb.UpdateResult(status=_status(request.wait)))


def _status(wait: bool) -> "pb.UpdateStatus.ValueType":  # noqa: FBT001 - the field of the request
    return pb.UpdateStatus.Completed if wait else pb.UpdateStatus.Acknowledged
