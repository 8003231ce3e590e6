"""Events: results in the public API's messages."""

from collections.abc import Sequence

from services.common.errors import Violation
from zhiyin.common.v1 import user_event_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb


def record_response(
    request: pb.RecordEventsRequest, results: Sequence[user_event_pb2.EventResult | Violation]
) -> pb.RecordEventsResponse:
    """A result per event, in the order of the request."""
    response = pb.RecordEventsResponse()
    for event, result in zip(request.events, results, strict=True):
        if isinstance(result, Violation):
            rejected = response.results.add(event_id=event.event_id, outcome=user_event_pb2.EVENT_OUTCOME_REJECTED)
            rejected.violations.add(field=result.field, reason=result.reason, description=result.description)
        else:
            response.results.append(result)
    return response
