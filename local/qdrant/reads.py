"""The RPCs of qdrant.Points that read."""

from collections.abc import Sequence

import qdrant_edge as edge
from qdrant_client import grpc as pb

from local.qdrant import encoding, replies, requests
from local.qdrant.collection import Collection
from local.qdrant.collections import Collections
from local.qdrant.conditions import filters
from local.qdrant.identifiers import point_id, point_id_message
from local.qdrant.refusals import bad_input, refuse_fields
from local.qdrant.strict import check_filter, check_limit, check_query


class Reads:
    """Each method takes the request and returns the reply, or raises RefusedError."""

    def __init__(self, collections: Collections) -> None:
        self._collections = collections

    def get(self, request: pb.GetPoints) -> pb.GetResponse:
        """Reads points by id; those that are not there are left out."""
        refuse_fields(request, "shard_key_selector")
        records = self._collections.get(request.collection_name).shard.retrieve(
            [point_id(one) for one in request.ids],
            with_payload=requests.selector(request.with_payload),
            with_vector=requests.vector_selector(request.with_vectors),
        )
        return pb.GetResponse(result=[replies.retrieved(record) for record in records])

    def query(self, request: pb.QueryPoints) -> bytes:
        """One query; a serialised QueryResponse."""
        collection = self._collections.get(request.collection_name)
        (found,) = _run(collection, [request])
        return collection.found.encode(found, request.with_payload)

    def query_batch(self, request: pb.QueryBatchPoints) -> bytes:
        """Several queries of one collection, planned as one by the engine; a serialised QueryBatchResponse."""
        if any(query.collection_name != request.collection_name for query in request.query_points):
            raise bad_input("every query of a batch must name the collection of the batch")
        collection = self._collections.get(request.collection_name)
        answers = zip(request.query_points, _run(collection, request.query_points), strict=True)
        return b"".join(
            part
            for query, found in answers
            for part in encoding.result(collection.found.encode(found, query.with_payload))
        )

    def scroll(self, request: pb.ScrollPoints) -> pb.ScrollResponse:
        """All points that a filter leaves, page by page, in the order of their ids or of a field."""
        refuse_fields(request, "shard_key_selector")
        collection = self._collections.get(request.collection_name)
        check_limit("limit", request.limit, collection.strict_mode, "max_query_limit")
        records, following = collection.shard.scroll(
            edge.ScrollRequest(
                offset=point_id(request.offset) if request.HasField("offset") else None,
                limit=_limit(request),
                filter=_filter(collection, request),
                with_payload=requests.selector(request.with_payload),
                with_vector=requests.vector_selector(request.with_vectors),
                order_by=requests.order_by(request.order_by) if request.HasField("order_by") else None,
            )
        )
        return pb.ScrollResponse(
            result=[replies.retrieved(record) for record in records],
            next_page_offset=None if following is None else point_id_message(following),
        )

    def count(self, request: pb.CountPoints) -> pb.CountResponse:
        """How many points a filter leaves; exactly, asked for or not."""
        refuse_fields(request, "shard_key_selector")
        collection = self._collections.get(request.collection_name)
        counted = collection.shard.count(edge.CountRequest(filter=_filter(collection, request)))
        return pb.CountResponse(result=pb.CountResult(count=counted))

    def facet(self, request: pb.FacetCounts) -> pb.FacetResponse:
        """The values of an indexed field by the number of points that have them; exactly, asked for or not."""
        refuse_fields(request, "shard_key_selector")
        collection = self._collections.get(request.collection_name)
        check_limit("limit", request.limit, collection.strict_mode, "max_query_limit")
        wanted = edge.FacetRequest(request.key, limit=_limit(request), exact=True, filter=_filter(collection, request))
        return pb.FacetResponse(hits=[replies.facet_hit(hit) for hit in collection.shard.facet(wanted).hits])


def _run(collection: Collection, queries: Sequence[pb.QueryPoints]) -> list[list[edge.ScoredPoint]]:
    check_limit("queries", len(queries), collection.strict_mode, "search_max_batchsize")
    for query in queries:
        check_query(query, collection.strict_mode, collection.indexed_fields)
    planned = [requests.query(query, collection.shard) for query in queries]
    return collection.shard.query_batch(edge.QueryBatchRequest(planned))


def _limit(request: pb.ScrollPoints | pb.FacetCounts) -> int:
    """Ten where none is given, as in Qdrant."""
    if not request.HasField("limit"):
        return 10
    if request.limit == 0:
        raise bad_input("limit must be 1 or more")
    return request.limit


def _filter(collection: Collection, request: pb.ScrollPoints | pb.CountPoints | pb.FacetCounts) -> edge.Filter | None:
    if not request.HasField("filter"):
        return None
    check_filter(request.filter, collection.strict_mode, collection.indexed_fields, "unindexed_filtering_retrieve")
    return filters(request.filter)
