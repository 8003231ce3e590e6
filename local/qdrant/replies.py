"""Objects of the engine -> messages of Qdrant's gRPC API, with no model in between."""

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge
from qdrant_client import grpc as pb

from local.qdrant.identifiers import point_id_message

DATA_TYPES = {
    edge.PayloadSchemaType.Keyword: pb.PayloadSchemaType.Keyword,
    edge.PayloadSchemaType.Integer: pb.PayloadSchemaType.Integer,
    edge.PayloadSchemaType.Float: pb.PayloadSchemaType.Float,
    edge.PayloadSchemaType.Datetime: pb.PayloadSchemaType.Datetime,
    edge.PayloadSchemaType.Uuid: pb.PayloadSchemaType.Uuid,
}


def value(given: Any) -> pb.Value:
    """A value of a payload."""
    return VALUES[type(given)](given)


VALUES: dict[type, Callable[[Any], pb.Value]] = {
    str: lambda given: pb.Value(string_value=given),
    float: lambda given: pb.Value(double_value=given),
    bool: lambda given: pb.Value(bool_value=given),
    int: lambda given: pb.Value(integer_value=given),
    list: lambda given: pb.Value(list_value=pb.ListValue(values=[value(item) for item in given])),
    dict: lambda given: pb.Value(struct_value=pb.Struct(fields=payload(given))),
    type(None): lambda _: pb.Value(null_value=pb.NULL_VALUE),
}


def payload(given: dict[str, Any]) -> dict[str, pb.Value]:
    """A payload, or an object inside one."""
    return {name: value(field) for name, field in given.items()}


def vectors(given: Any) -> pb.VectorsOutput:
    """The named vectors of a point."""
    return pb.VectorsOutput(vectors=pb.NamedVectorsOutput(vectors={name: vector(one) for name, one in given.items()}))


def vector(given: Any) -> pb.VectorOutput:
    """A dense or a sparse vector."""
    if isinstance(given, edge.SparseVector):
        return pb.VectorOutput(sparse=pb.SparseVector(indices=given.indices, values=given.values))
    return pb.VectorOutput(dense=pb.DenseVector(data=given))


def order_value(given: float) -> pb.OrderValue:
    """The value that a point was ordered by."""
    return pb.OrderValue(int=given) if isinstance(given, int) else pb.OrderValue(float=given)


def retrieved(record: edge.Record) -> pb.RetrievedPoint:
    """A point read by id or in a scroll."""
    return pb.RetrievedPoint(
        id=point_id_message(record.id),
        payload=None if record.payload is None else payload(record.payload),
        vectors=None if record.vector is None else vectors(record.vector),
        order_value=None if record.order_value is None else order_value(record.order_value),
    )


def facet_hit(given: edge.FacetHit) -> pb.FacetHit:
    """A value of a field and the number of points that have it."""
    return pb.FacetHit(value=facet_value(given.value), count=given.count)


def facet_value(given: str | int | bool) -> pb.FacetValue:  # noqa: FBT001 - a value of any payload
    """A value that points are counted by."""
    if isinstance(given, str):
        return pb.FacetValue(string_value=given)
    return pb.FacetValue(bool_value=given) if isinstance(given, bool) else pb.FacetValue(integer_value=given)
