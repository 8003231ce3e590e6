"""Between feedback's messages about events and its domain."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from google.type.money_pb2 import Money as MoneyMessage

from services.common.errors import Violation
from services.feedback.events import EventBatch, EventResult, Money, SentEvent
from zhiyin.common.v1 import user_event_pb2, write_pb2
from zhiyin.feedback.v1 import feedback_service_pb2 as pb

_EventResult: Final = user_event_pb2.EventResult


def event_batch(request: pb.RecordEventsRequest, max_products: int) -> EventBatch:
    """The events of a request, read as they are asked for.

    Of too many products one beyond the limit is read: enough to be refused, whatever else was sent.
    """
    messages = request.events
    return EventBatch(len(messages), request.ByteSize(), _events(messages, max_products + 1))


def events_response(results: Iterable[EventResult]) -> pb.RecordEventsResponse:
    """One entry per event."""
    return pb.RecordEventsResponse(results=map(_result, results))


def _events(messages: Iterable[pb.RecordedEvent], most: int) -> Iterator[SentEvent]:
    for message in messages:
        event = message.event
        sent = event.products
        products = list(sent) if len(sent) <= most else list(islice(sent, most))
        yield SentEvent(
            event.event_id,
            event.type,
            event.visitor_id,
            event.user_id,
            event.session_id,
            _event_time(event),
            message.attribution_id,
            [product.product_id for product in products],
            [product.quantity for product in products],
            [_money(product.price) if product.HasField("price") else None for product in products],
            _money(event.revenue) if event.HasField("revenue") else None,
            event.rating if event.HasField("rating") else None,
            event.query,
            event.comment,
        )


def _event_time(event: user_event_pb2.UserEvent) -> int | None:
    if not event.HasField("event_time"):
        return None
    time = event.event_time
    return time.seconds * 1_000_000 + time.nanos // 1_000


def _money(message: MoneyMessage) -> Money:
    return Money(message.currency_code, message.units, message.nanos)


def _result(result: EventResult) -> user_event_pb2.EventResult:
    # The numbers are the same on both sides.
    outcome: Any = result.outcome
    if not result.violations:
        return _EventResult(event_id=result.event_id, outcome=outcome)
    return _EventResult(event_id=result.event_id, outcome=outcome, violations=map(_violation, result.violations))


def _violation(violation: Violation) -> write_pb2.ItemViolation:
    return write_pb2.ItemViolation(field=violation.field, reason=violation.reason, description=violation.description)
