"""Behaviours as messages, for all peers alike."""

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration

from services.gateway.behaviours import Behaviour
from zhiyin.common.v1 import behaviour_pb2, user_event_pb2


def behaviours_of(messages: Iterable[behaviour_pb2.Behaviour]) -> list[Behaviour]:
    """What a visitor did, from messages."""
    return [
        Behaviour(
            message.type,
            message.product_id,
            message.text,
            seconds_of(message.age),
            message.weight,
            message.quantity,
        )
        for message in messages
    ]


def messages_of(behaviours: Iterable[Behaviour]) -> list[behaviour_pb2.Behaviour]:
    """What a visitor did, as messages."""
    return [
        behaviour_pb2.Behaviour(
            type=user_event_pb2.UserEventType.ValueType(one.type),
            product_id=one.product_id,
            text=one.text,
            age=duration_of(one.age_seconds),
            weight=one.weight,
            quantity=one.quantity,
        )
        for one in behaviours
    ]


def seconds_of(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.seconds + duration.nanos / 1e9


def duration_of(seconds: float) -> Duration:
    """Seconds, 0 or more, as a duration."""
    whole = int(seconds)
    return Duration(seconds=whole, nanos=int((seconds - whole) * 1e9))
