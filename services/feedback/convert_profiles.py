"""From profiles to their messages."""

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration

from services.feedback.behaviours import Behaviour
from services.feedback.profiles import RepeatPurchase, UserProfile
from zhiyin.common.v1 import behaviour_pb2, user_event_pb2
from zhiyin.feedback.v1 import feedback_service_pb2 as pb


def profile_reply(profile: UserProfile) -> pb.GetUserProfileResponse:
    """The reply of GetUserProfile."""
    return pb.GetUserProfileResponse(
        behaviours=_behaviours(profile.behaviours),
        purchased_product_ids=profile.purchased,
        dismissed_product_ids=profile.dismissed,
        repeat_purchases=map(_repeat, profile.repeats),
        is_bot=profile.is_bot,
        event_count=profile.event_count,
    )


def _behaviours(behaviours: Iterable[Behaviour]) -> Iterable[behaviour_pb2.Behaviour]:
    for behaviour in behaviours:
        yield behaviour_pb2.Behaviour(
            type=user_event_pb2.UserEventType.ValueType(behaviour.type),
            product_id=behaviour.product_id,
            text=behaviour.text,
            age=_duration(behaviour.age),
            weight=behaviour.weight,
            quantity=behaviour.quantity,
        )


def _repeat(repeat: RepeatPurchase) -> pb.RepeatPurchase:
    return pb.RepeatPurchase(
        product_id=repeat.product_id,
        count=repeat.purchases,
        age=_duration(repeat.age),
        mean_interval=_duration(repeat.mean_interval),
    )


def _duration(seconds: float) -> Duration:
    whole = int(seconds)
    return Duration(seconds=whole, nanos=int((seconds - whole) * 1e9))
