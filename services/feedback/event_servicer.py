"""The RPC that keeps what shoppers did."""

from collections import Counter
from collections.abc import Sequence

import grpc
from opentelemetry import metrics

from services.feedback import convert_events
from services.feedback.events import EventResult
from services.feedback.recording_events import EventRecorder
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import feedback_service_pb2_grpc as rpc


class EventRpcs(rpc.FeedbackServiceServicer):
    """Keeps events and counts what became of them; what was accepted is on disk before the answer."""

    def __init__(self, events: EventRecorder) -> None:
        self._events = events
        meter = metrics.get_meter(__name__)
        self._event_outcomes = meter.create_counter("zhiyin.feedback.events", description="Events by outcome.")

    async def RecordEvents(
        self,
        request: pb.RecordEventsRequest,
        context: "grpc.aio.ServicerContext[pb.RecordEventsRequest, pb.RecordEventsResponse]",
    ) -> pb.RecordEventsResponse:
        batch = convert_events.event_batch(request, self._events.max_products)
        results = await self._events.record(request.catalog, batch)
        self._count(results)
        return convert_events.events_response(results)

    def _count(self, results: Sequence[EventResult]) -> None:
        for outcome, count in Counter(result.outcome for result in results).items():
            self._event_outcomes.add(count, {"outcome": outcome.name.lower()})
