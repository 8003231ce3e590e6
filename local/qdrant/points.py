"""The RPCs of qdrant.Points that retrieval uses."""

from collections.abc import Sequence
from typing import Any

import qdrant_edge as edge
from qdrant_client import grpc as pb

from local.qdrant import replies, requests
from local.qdrant.collections import Collection, Collections
from local.qdrant.refusals import bad_input, refuse_fields
from local.qdrant.strict import check_filter, check_limit, check_query


class Points:
    """Each method takes the request and returns the reply, or raises RefusedError.

    A write is done when the method returns, `wait` or not: it is in the write-ahead log and visible.
    """

    def __init__(self, collections: Collections) -> None:
        self._collections = collections

    def upsert(self, request: pb.UpsertPoints) -> pb.PointsOperationResponse:
        """Stores points whole; what was there under the same id is replaced."""
        refuse_fields(request, "update_filter", "update_mode", "shard_key_selector")
        collection = self._collections.get(request.collection_name)
        check_limit("points", len(request.points), collection.strict_mode, "upsert_max_batchsize")
        points = [requests.point(point) for point in request.points]
        return self._apply(collection, edge.UpdateOperation.upsert_points(points), wait=request.wait)

    def delete(self, request: pb.DeletePoints) -> pb.PointsOperationResponse:
        """Deletes points by id or by filter."""
        refuse_fields(request, "shard_key_selector")
        collection = self._collections.get(request.collection_name)
        if request.points.WhichOneof("points_selector_one_of") == "filter":
            operation = edge.UpdateOperation.delete_points_by_filter(
                self._update_filter(collection, request.points.filter)
            )
        else:
            operation = edge.UpdateOperation.delete_points(_ids(request.points))
        return self._apply(collection, operation, wait=request.wait)

    def set_payload(self, request: pb.SetPayloadPoints) -> pb.PointsOperationResponse:
        """Sets fields of the payload and leaves the others, by id or by filter."""
        refuse_fields(request, "shard_key_selector")
        collection = self._collections.get(request.collection_name)
        payload = requests.payload(request.payload)
        key = request.key or None
        if request.points_selector.WhichOneof("points_selector_one_of") == "filter":
            filters = self._update_filter(collection, request.points_selector.filter)
            operation = edge.UpdateOperation.set_payload_by_filter(filters, payload, key)
        else:
            operation = edge.UpdateOperation.set_payload(_ids(request.points_selector), payload, key)
        return self._apply(collection, operation, wait=request.wait)

    def update_vectors(self, request: pb.UpdatePointVectors) -> pb.PointsOperationResponse:
        """Replaces the named vectors of points and leaves their other vectors and the payload."""
        refuse_fields(request, "update_filter", "shard_key_selector")
        collection = self._collections.get(request.collection_name)
        points = [
            edge.PointVectors(requests.point_id(point.id), requests.vectors(point.vectors)) for point in request.points
        ]
        return self._apply(collection, edge.UpdateOperation.update_vectors(points), wait=request.wait)

    def create_field_index(self, request: pb.CreateFieldIndexCollection) -> pb.PointsOperationResponse:
        """Indexes a field of the payload."""
        collection = self._collections.get(request.collection_name)
        schema = requests.index_schema(request)
        operation = edge.UpdateOperation.create_field_index(request.field_name, schema)
        reply = self._apply(collection, operation, wait=request.wait)
        collection.read_indexed_fields()
        return reply

    def get(self, request: pb.GetPoints) -> pb.GetResponse:
        """Reads points by id; those that are not there are left out."""
        refuse_fields(request, "shard_key_selector")
        records = self._collections.get(request.collection_name).shard.retrieve(
            [requests.point_id(one) for one in request.ids],
            with_payload=requests.selector(request.with_payload),
            with_vector=requests.vector_selector(request.with_vectors),
        )
        return pb.GetResponse(result=[replies.retrieved(record) for record in records])

    def query(self, request: pb.QueryPoints) -> pb.QueryResponse:
        """One query."""
        collection = self._collections.get(request.collection_name)
        reply = pb.QueryResponse()
        for found in self._run(collection, [request]):
            collection.found.write(found, request.with_payload, reply)
        return reply

    def query_batch(self, request: pb.QueryBatchPoints) -> pb.QueryBatchResponse:
        """Several queries of one collection, planned as one by the engine."""
        if any(query.collection_name != request.collection_name for query in request.query_points):
            raise bad_input("every query of a batch must name the collection of the batch")
        collection = self._collections.get(request.collection_name)
        reply = pb.QueryBatchResponse()
        answers = self._run(collection, request.query_points)
        for query, found in zip(request.query_points, answers, strict=True):
            collection.found.write(found, query.with_payload, reply.result.add())
        return reply

    def scroll(self, request: pb.ScrollPoints) -> pb.ScrollResponse:
        """All points that a filter leaves, page by page, in the order of their ids or of a field."""
        refuse_fields(request, "shard_key_selector")
        collection = self._collections.get(request.collection_name)
        check_limit("limit", request.limit, collection.strict_mode, "max_query_limit")
        records, following = collection.shard.scroll(
            edge.ScrollRequest(
                offset=requests.point_id(request.offset) if request.HasField("offset") else None,
                limit=request.limit if request.HasField("limit") else 10,
                filter=self._read_filter(collection, request),
                with_payload=requests.selector(request.with_payload),
                with_vector=requests.vector_selector(request.with_vectors),
                order_by=requests.order_by(request.order_by) if request.HasField("order_by") else None,
            )
        )
        return pb.ScrollResponse(
            result=[replies.retrieved(record) for record in records],
            next_page_offset=None if following is None else replies.point_id(following),
        )

    def count(self, request: pb.CountPoints) -> pb.CountResponse:
        """How many points a filter leaves; exactly, asked for or not."""
        refuse_fields(request, "shard_key_selector")
        collection = self._collections.get(request.collection_name)
        counted = collection.shard.count(edge.CountRequest(filter=self._read_filter(collection, request)))
        return pb.CountResponse(result=pb.CountResult(count=counted))

    def _run(self, collection: Collection, queries: Sequence[pb.QueryPoints]) -> list[list[edge.ScoredPoint]]:
        check_limit("queries", len(queries), collection.strict_mode, "search_max_batchsize")
        for query in queries:
            check_query(query, collection.strict_mode, collection.indexed_fields)
        planned = [requests.query(query) for query in queries]
        return collection.shard.query_batch(edge.QueryBatchRequest(planned))

    def _read_filter(self, collection: Collection, request: pb.ScrollPoints | pb.CountPoints) -> edge.Filter | None:
        if not request.HasField("filter"):
            return None
        check_filter(request.filter, collection.strict_mode, collection.indexed_fields, "unindexed_filtering_retrieve")
        return requests.filters(request.filter)

    def _update_filter(self, collection: Collection, filters: pb.Filter) -> edge.Filter:
        check_filter(filters, collection.strict_mode, collection.indexed_fields, "unindexed_filtering_update")
        return requests.filters(filters)

    def _apply(
        self, collection: Collection, operation: edge.UpdateOperation, *, wait: bool
    ) -> pb.PointsOperationResponse:
        collection.update(operation)
        status = pb.UpdateStatus.Completed if wait else pb.UpdateStatus.Acknowledged
        return pb.PointsOperationResponse(result=pb.UpdateResult(status=status))


def _ids(selector: pb.PointsSelector) -> list[Any]:
    return [requests.point_id(one) for one in selector.points.ids]
