"""The feed of training examples as the RPC answers it."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from services.feedback.feed import offset_of
from services.feedback.joining import Example, Outcome, ShownPage
from services.feedback.training import Key, TrainingFeed
from zhiyin.common.v1 import user_event_pb2
from zhiyin.feedback.v1 import feed_service_pb2 as pb
from zhiyin.feedback.v1 import feedback_service_pb2


class TrainingReplies:
    """TrainingExamples of the FeedService."""

    def __init__(self, feed: TrainingFeed) -> None:
        self._feed = feed

    async def list(self, request: pb.ListTrainingExamplesRequest) -> pb.ListTrainingExamplesResponse:
        """As TrainingExamples."""
        page = await self._feed.after(request.after_offset, request.limit, request.wait_milliseconds)
        return pb.ListTrainingExamplesResponse(
            examples=(_example(one) if isinstance(one, Example) else _erased(one) for one in page.examples),
            next_offset=offset_of(page.next_position),
            more=page.is_more,
        )


def _erased(key: Key) -> pb.TrainingExample:
    return pb.TrainingExample(catalog=key[0], impression_id=key[1], is_erased=True)


def _example(example: Example) -> pb.TrainingExample:
    page = example.page
    return pb.TrainingExample(
        impression_id=page.impression_id,
        catalog=page.catalog,
        surface=feedback_service_pb2.Surface.ValueType(page.surface),
        show_time=_timestamp(page.show_time),
        policy=page.policy,
        model=page.model,
        feature_schema=page.feature_schema,
        products=(_product(page, place, outcomes) for place, outcomes in enumerate(example.outcomes)),
        query=page.query,
    )


def _product(page: ShownPage, place: int, outcomes: Sequence[Outcome]) -> pb.ExampleProduct:
    shown = feedback_service_pb2.ShownProduct(
        product_id=page.product_ids[place],
        position=page.positions[place],
        score=page.scores[place],
        propensity=page.propensities[place],
        features=page.features[place] if page.features else b"",
    )
    return pb.ExampleProduct(shown=shown, outcomes=map(_outcome, outcomes))


def _outcome(outcome: Outcome) -> pb.Outcome:
    kind = user_event_pb2.UserEventType.ValueType(outcome.type)
    return pb.Outcome(type=kind, event_time=_timestamp(outcome.time))


def _timestamp(seconds: float) -> Timestamp:
    # A float holds microseconds, and no more.
    message = Timestamp()
    message.FromMicroseconds(round(seconds * 1_000_000))
    return message
