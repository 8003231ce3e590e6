"""Messages of Qdrant's gRPC API -> objects of the engine, with no model in between."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import qdrant_edge as edge
from qdrant_client import grpc as pb

from local.qdrant.refusals import bad_input, not_served, refuse_fields

DISTANCES = {pb.Cosine: edge.Distance.Cosine, pb.Dot: edge.Distance.Dot}
INDEX_TYPES = {
    pb.FieldTypeKeyword: edge.PayloadSchemaType.Keyword,
    pb.FieldTypeInteger: edge.PayloadSchemaType.Integer,
    pb.FieldTypeFloat: edge.PayloadSchemaType.Float,
    pb.FieldTypeDatetime: edge.PayloadSchemaType.Datetime,
    pb.FieldTypeUuid: edge.PayloadSchemaType.Uuid,
}


def point_id(message: pb.PointId) -> int | str:
    """An id as the engine takes it. The engine refuses a text that is no UUID."""
    return message.uuid or message.num


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


def nearest(message: pb.VectorInput, using: str) -> edge.Query:
    """A search by a vector that the request carries."""
    kind = message.WhichOneof("variant")
    if kind == "dense":
        return edge.Query.Nearest(list(message.dense.data), using=using)
    if kind == "sparse":
        return edge.Query.Nearest(sparse(message.sparse.indices, message.sparse.values), using=using)
    raise not_served(f"VectorInput.{kind}")


def order_by(message: pb.OrderBy) -> edge.OrderBy:
    """Order by a field of the payload."""
    refuse_fields(message, "start_from")
    direction = edge.Direction.Desc if message.direction == pb.Desc else edge.Direction.Asc
    return edge.OrderBy(message.key, direction)


def query(message: pb.QueryPoints) -> edge.QueryRequest:
    """One query: nearest, ordered by a field, or every point by id. Payloads are read apart (`found`).

    Raises:
        RefusedError: It asks for what is not on the list, or for no result at all.
    """
    refuse_fields(message, "prefetch", "lookup_from", "shard_key_selector")
    if message.HasField("limit") and message.limit == 0:
        raise bad_input("limit must be 1 or more")
    kind = message.query.WhichOneof("variant") if message.HasField("query") else None
    scoring: Any = None
    if kind == "nearest":
        scoring = nearest(message.query.nearest, message.using)
    elif kind == "order_by":
        scoring = order_by(message.query.order_by)
    elif kind is not None:
        raise not_served(f"Query.{kind}")
    return edge.QueryRequest(
        limit=message.limit if message.HasField("limit") else 10,
        offset=message.offset,
        query=scoring,
        with_vector=vector_selector(message.with_vectors),
        with_payload=False,
        filter=filters(message.filter) if message.HasField("filter") else None,
        score_threshold=message.score_threshold if message.HasField("score_threshold") else None,
    )


def filters(message: pb.Filter) -> edge.Filter:
    """A filter with all it contains."""
    refuse_fields(message, "min_should")
    return edge.Filter(
        must=[condition(part) for part in message.must] or None,
        should=[condition(part) for part in message.should] or None,
        must_not=[condition(part) for part in message.must_not] or None,
    )


def condition(message: pb.Condition) -> "edge.ConditionType":
    """One condition of a filter."""
    kind = message.WhichOneof("condition_one_of")
    if kind == "field":
        return field_condition(message.field)
    if kind == "nested":
        return edge.NestedCondition(message.nested.key, filters(message.nested.filter))
    if kind == "has_id":
        return edge.HasIdCondition({point_id(one) for one in message.has_id.has_id})
    if kind == "filter":
        return filters(message.filter)
    if kind == "is_empty":
        return edge.IsEmptyCondition(message.is_empty.key)
    raise not_served(f"Condition.{kind}")


# No "boolean": qdrant-edge-py 0.9.0 takes True for the integer 1, so that the match finds nothing. Store a keyword.
MATCHES: dict[str, Callable[[pb.Match], "edge.MatchType"]] = {
    "keyword": lambda match: edge.MatchValue(match.keyword),
    "integer": lambda match: edge.MatchValue(match.integer),
    "keywords": lambda match: edge.MatchAny(list(match.keywords.strings)),
    "integers": lambda match: edge.MatchAny(list(match.integers.integers)),
    "except_keywords": lambda match: edge.MatchExcept(list(match.except_keywords.strings)),
    "except_integers": lambda match: edge.MatchExcept(list(match.except_integers.integers)),
}


def field_condition(message: pb.FieldCondition) -> edge.FieldCondition:
    """A condition on a field of the payload: a match or a range."""
    refuse_fields(message, "geo_bounding_box", "geo_radius", "geo_polygon", "values_count", "is_empty", "is_null")
    if message.HasField("match"):
        kind = message.match.WhichOneof("match_value")
        if kind not in MATCHES:
            raise not_served(f"Match.{kind}")
        return edge.FieldCondition(message.key, match=MATCHES[kind](message.match))
    if message.HasField("range"):
        bounds = {field.name: bound for field, bound in message.range.ListFields()}
        return edge.FieldCondition(message.key, range=edge.RangeFloat(**bounds))
    if message.HasField("datetime_range"):
        moments = {field.name: bound.ToJsonString() for field, bound in message.datetime_range.ListFields()}
        return edge.FieldCondition(message.key, range=edge.RangeDateTime(**moments))
    raise bad_input("a condition on a field needs a match or a range")


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
