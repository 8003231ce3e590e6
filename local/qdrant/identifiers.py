"""Ids of points: messages of Qdrant's gRPC API <-> what the engine takes and gives."""

from uuid import UUID

from qdrant_client import grpc as pb


def point_id(message: pb.PointId) -> int | str:
    """An id as the engine takes it. The engine refuses a text that is no UUID."""
    return message.uuid or message.num


def point_id_message(identifier: int | UUID | str) -> pb.PointId:
    """An id as the API has it."""
    return pb.PointId(num=identifier) if isinstance(identifier, int) else pb.PointId(uuid=str(identifier))
