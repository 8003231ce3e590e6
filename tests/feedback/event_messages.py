"""Events as shops send them."""

import uuid

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from zhiyin.common.v1 import user_event_pb2
from zhiyin.feedback.v1 import feedback_service_pb2 as pb

VIEW = user_event_pb2.USER_EVENT_TYPE_DETAIL_PAGE_VIEW
PURCHASE = user_event_pb2.USER_EVENT_TYPE_PURCHASE_COMPLETE
ACCEPTED, DUPLICATE, CONFLICT, REJECTED = 1, 2, 3, 4


def product(product_id="p1", price=None, currency="USD", **fields):
    """`price` is (units, nanos)."""
    money = Money(currency_code=currency, units=price[0], nanos=price[1]) if price else None
    return user_event_pb2.EventProduct(product_id=product_id, price=money, **fields)


def event(**fields):
    """The view of one product, as long as `fields` say nothing else; `seconds` is its Unix time."""
    seconds = fields.pop("seconds", None)
    if seconds is not None:
        fields["event_time"] = Timestamp(seconds=seconds)
    given = {"event_id": str(uuid.uuid4()), "type": VIEW, "visitor_id": "visitor", "products": [product()]}
    return user_event_pb2.UserEvent(**given | fields)


def request(*events, catalog="", attribution_id=""):
    recorded = [pb.RecordedEvent(event=one, attribution_id=attribution_id) for one in events]
    return pb.RecordEventsRequest(catalog=catalog, events=recorded)


def outcomes(response):
    return [result.outcome for result in response.results]
