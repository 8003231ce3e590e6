"""Messages of Qdrant's gRPC API -> objects of the engine, with no model in between."""

from collections.abc import Iterable, Mapping
from typing import Any

import qdrant_edge as edge
from qdrant_client import grpc as pb

from local.qdrant.conditions import filters
from local.qdrant.identifiers import point_id
from local.qdrant.refusals import bad_input, not_found, not_served, refuse_fields

DISTANCES = {pb.Cosine: edge.Distance.Cosine, pb.Dot: edge.Distance.Dot}
INDEX_TYPES = {
    pb.FieldTypeKeyword: edge.PayloadSchemaType.Keyword,
    pb.FieldTypeInteger: edge.PayloadSchemaType.Integer,
    pb.FieldTypeFloat: edge.PayloadSchemaType.Float,
    pb.FieldTypeDatetime: edge.PayloadSchemaType.Datetime,
    pb.FieldTypeUuid: edge.PayloadSchemaType.Uuid,
}


def value(message: pb.Value) -> Any:
    """A value of a payload as Python has it."""
    kind = message.WhichOneof("kind")
    if kind == "struct_value":
        return payload(message.struct_value.fields)
    if kind == "list_value":
        return [value(item) for item in message.list_value.values]
    return None if kind is None or kind == "null_value" else getattr(message, kind)


def payload(fields: Mapping[str, pb.Value]) -> dict[str, Any]:
    """A payload as the engine takes it."""
    return {name: value(field) for name, field in fields.items()}


def sparse(indices: Iterable[int], values: Iterable[float]) -> edge.SparseVector:
    """A sparse vector.

    Raises:
        RefusedError: An index occurs twice, or the lengths differ.
    """
    vector = edge.SparseVector(list(indices), list(values))
    if len(set(vector.indices)) != len(vector.indices):
        raise bad_input("indices of a sparse vector must be unique")
    if len(vector.indices) != len(vector.values):
        raise bad_input("indices and values of a sparse vector must have the same length")
    return vector


def vector(message: pb.Vector) -> Any:
    """A dense or sparse vector, in the present form or the one before (`data`, `indices`)."""
    kind = message.WhichOneof("vector")
    if kind == "dense":
        return list(message.dense.data)
    if kind == "sparse":
        return sparse(message.sparse.indices, message.sparse.values)
    if kind is not None:
        raise not_served(f"Vector.{kind}")
    if message.HasField("indices"):
        return sparse(message.indices.data, message.data)
    return list(message.data)


def vectors(message: pb.Vectors) -> dict[str, Any]:
    """The named vectors of a point."""
    if message.WhichOneof("vectors_options") == "vector":
        raise not_served("a vector without a name")
    return {name: vector(named) for name, named in message.vectors.vectors.items()}


def point(message: pb.PointStruct) -> edge.Point:
    """A point to be stored."""
    return edge.Point(point_id(message.id), vectors(message.vectors), payload(message.payload))


def selector(message: pb.WithPayloadSelector) -> Any:
    """Which fields of the payload come back; none where the message is absent."""
    kind = message.WhichOneof("selector_options")
    if kind == "include":
        return edge.PayloadSelector.Include(list(message.include.fields))
    if kind == "exclude":
        return edge.PayloadSelector.Exclude(list(message.exclude.fields))
    return message.enable


def vector_selector(message: pb.WithVectorsSelector) -> bool | list[str]:
    """Which vectors come back; none where the message is absent."""
    if message.WhichOneof("selector_options") == "include":
        return list(message.include.names)
    return message.enable


def nearest(message: pb.VectorInput, using: str, shard: edge.EdgeShard) -> edge.Query:
    """A search by a vector that the request carries, or that a stored point has.

    Raises:
        RefusedError: That point is not there or has no such vector.
    """
    kind = message.WhichOneof("variant")
    if kind == "dense":
        return edge.Query.Nearest(list(message.dense.data), using=using)
    if kind == "sparse":
        return edge.Query.Nearest(sparse(message.sparse.indices, message.sparse.values), using=using)
    if kind == "id":
        return edge.Query.Nearest(stored_vector(shard, point_id(message.id), using), using=using)
    raise not_served(f"VectorInput.{kind}")


def stored_vector(shard: edge.EdgeShard, identifier: int | str, name: str) -> Any:
    """The named vector of a stored point.

    Raises:
        RefusedError: The point is not there or has no such vector.
    """
    records = shard.retrieve([identifier], with_payload=False, with_vector=[name])
    if not records:
        raise not_found(f"No point with id {identifier} found")
    vectors_of: Any = records[0].vector or {}
    if name not in vectors_of:
        raise not_found(f"Vector with name {name} for point {identifier} not found")
    return vectors_of[name]


def order_by(message: pb.OrderBy) -> edge.OrderBy:
    """Order by a field of the payload."""
    refuse_fields(message, "start_from")
    direction = edge.Direction.Desc if message.direction == pb.Desc else edge.Direction.Asc
    return edge.OrderBy(message.key, direction)


def query(message: pb.QueryPoints, shard: edge.EdgeShard) -> edge.QueryRequest:
    """One query: nearest, ordered by a field, or every point by id. Payloads are read apart (`found`).

    Raises:
        RefusedError: It asks for what is not on the list, or for no result at all.
    """
    refuse_fields(message, "prefetch", "lookup_from", "shard_key_selector")
    if message.HasField("limit") and message.limit == 0:
        raise bad_input("limit must be 1 or more")
    return edge.QueryRequest(
        limit=message.limit if message.HasField("limit") else 10,
        offset=message.offset,
        query=scoring(message, shard),
        with_vector=vector_selector(message.with_vectors),
        with_payload=False,
        filter=query_filter(message),
        score_threshold=message.score_threshold if message.HasField("score_threshold") else None,
        params=search_params(message.params) if message.HasField("params") else None,
    )


def scoring(message: pb.QueryPoints, shard: edge.EdgeShard) -> edge.Query | edge.OrderBy | None:
    """What a query orders by; nothing where it has none."""
    kind = message.query.WhichOneof("variant") if message.HasField("query") else None
    if kind is None:
        return None
    if kind == "nearest":
        return nearest(message.query.nearest, message.using, shard)
    if kind == "order_by":
        return order_by(message.query.order_by)
    raise not_served(f"Query.{kind}")


def query_filter(message: pb.QueryPoints) -> edge.Filter | None:
    """The filter of a query; a point that is searched by is not found itself."""
    wanted = filters(message.filter) if message.HasField("filter") else None
    if not message.query.nearest.HasField("id"):
        return wanted
    itself = edge.HasIdCondition({point_id(message.query.nearest.id)})
    return edge.Filter(must=None if wanted is None else [wanted], must_not=[itself])


def search_params(message: pb.SearchParams) -> edge.SearchParams:
    """How hard an approximate search tries; of no consequence while the engine searches exactly."""
    refuse_fields(message, "quantization", "acorn", "idf")
    return edge.SearchParams(
        hnsw_ef=message.hnsw_ef if message.HasField("hnsw_ef") else None,
        exact=message.exact,
        indexed_only=message.indexed_only,
    )


def index_schema(message: pb.CreateFieldIndexCollection) -> Any:
    """The type of a payload index. Parameters that only place it in memory or on disk are taken and ignored.

    Raises:
        RefusedError: The type is not on the list.
    """
    if message.field_type not in INDEX_TYPES:
        raise not_served(f"FieldType {pb.FieldType.Name(message.field_type)}")
    kind = message.field_index_params.WhichOneof("index_params")
    if kind == "integer_index_params":
        params = message.field_index_params.integer_index_params
        return edge.IntegerIndexParams(
            lookup=params.lookup if params.HasField("lookup") else None,
            range=params.range if params.HasField("range") else None,
        )
    return INDEX_TYPES[message.field_type]
