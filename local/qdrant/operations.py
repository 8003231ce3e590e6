"""Writes of Qdrant's gRPC API -> operations of the engine.

The same write comes as a request of its own and as a part of UpdateBatch, in two messages with the same fields.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import qdrant_edge as edge
from qdrant_client import grpc as pb

from local.qdrant import requests
from local.qdrant.identifiers import point_id
from local.qdrant.refusals import bad_input, refuse_fields

Part: TypeAlias = pb.PointsUpdateOperation
FilterOf: TypeAlias = Callable[[pb.Filter], edge.Filter]
"""Checks the filter of a write against the collection's strict mode and makes it the engine's."""


def upsert(message: pb.UpsertPoints | Part.PointStructList) -> edge.UpdateOperation:
    """Stores points whole."""
    refuse_fields(message, "update_filter", "update_mode", "shard_key_selector")
    return edge.UpdateOperation.upsert_points([requests.point(point) for point in message.points])


def delete(message: pb.DeletePoints | Part.DeletePoints, filter_of: FilterOf) -> edge.UpdateOperation:
    """Deletes points."""
    refuse_fields(message, "shard_key_selector")
    if by_filter(message.points):
        return edge.UpdateOperation.delete_points_by_filter(filter_of(message.points.filter))
    return edge.UpdateOperation.delete_points(ids(message.points))


def set_payload(message: pb.SetPayloadPoints | Part.SetPayload, filter_of: FilterOf) -> edge.UpdateOperation:
    """Sets fields of the payload, or of the object that `key` names in it, and leaves the others."""
    refuse_fields(message, "shard_key_selector")
    payload, key = requests.payload(message.payload), message.key or None
    if by_filter(message.points_selector):
        return edge.UpdateOperation.set_payload_by_filter(filter_of(message.points_selector.filter), payload, key)
    return edge.UpdateOperation.set_payload(ids(message.points_selector), payload, key)


def overwrite_payload(
    message: pb.SetPayloadPoints | Part.OverwritePayload, filter_of: FilterOf
) -> edge.UpdateOperation:
    """Replaces the payload whole.

    Raises:
        RefusedError: A `key` is named, for which Qdrant has no such operation.
    """
    refuse_fields(message, "shard_key_selector", "key")
    payload = requests.payload(message.payload)
    if by_filter(message.points_selector):
        return edge.UpdateOperation.overwrite_payload_by_filter(filter_of(message.points_selector.filter), payload)
    return edge.UpdateOperation.overwrite_payload(ids(message.points_selector), payload)


def delete_payload(message: pb.DeletePayloadPoints | Part.DeletePayload, filter_of: FilterOf) -> edge.UpdateOperation:
    """Removes fields of the payload."""
    refuse_fields(message, "shard_key_selector")
    keys = list(message.keys)
    if by_filter(message.points_selector):
        return edge.UpdateOperation.delete_payload_by_filter(filter_of(message.points_selector.filter), keys)
    return edge.UpdateOperation.delete_payload(ids(message.points_selector), keys)


def update_vectors(message: pb.UpdatePointVectors | Part.UpdateVectors) -> edge.UpdateOperation:
    """Replaces the named vectors of points and leaves their other vectors and the payload."""
    refuse_fields(message, "update_filter", "shard_key_selector")
    points = [edge.PointVectors(point_id(point.id), requests.vectors(point.vectors)) for point in message.points]
    return edge.UpdateOperation.update_vectors(points)


def by_filter(selector: pb.PointsSelector) -> bool:
    """Whether points are named by a filter, and not by their ids.

    Raises:
        RefusedError: They are not named at all.
    """
    kind = selector.WhichOneof("points_selector_one_of")
    if kind is None:
        raise bad_input("a write must name its points, by ids or by a filter")
    return kind == "filter"


def ids(selector: pb.PointsSelector) -> list[Any]:
    """The ids that a write names."""
    return [point_id(one) for one in selector.points.ids]
