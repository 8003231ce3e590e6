"""Our own form of events."""

import pytest

from cli.events.own import crossed
from cli.problems import FieldError
from zhiyin.common.v1 import user_event_pb2 as pb

EVENT = {"eventId": "e1", "type": "CLICK", "visitorId": "v1", "products": [{"productId": "p1"}]}


@pytest.mark.parametrize("kind", ["CLICK", "click", "USER_EVENT_TYPE_CLICK", 3])
def test_the_type_may_be_short(kind):
    (event,) = crossed(EVENT | {"type": kind}).events
    assert event.type == pb.USER_EVENT_TYPE_CLICK


def test_names_may_be_those_of_the_proto_or_of_its_json_form():
    snake = {"event_id": "e1", "type": "detail-page-view", "visitor_id": "v1", "products": [{"product_id": "p1"}]}
    assert crossed(snake).events[0].products[0].product_id == "p1"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"rating": "many"}, "rating"),
        ({"type": "LOOKED"}, "type"),
        ({"eventTime": "yesterday"}, "eventTime"),
        ({"products": [{"quantity": "a"}]}, "products.quantity"),
        ({"products": "p1"}, "products"),
        ({"visitorId": 1}, "visitorId"),
        ({"visitor": "v1"}, "visitor"),
        ({"visitorId": "ann@example.com"}, "visitor_id"),
    ],
)
def test_what_is_no_event_names_the_field_and_never_the_value(fields, field):
    with pytest.raises(FieldError) as caught:
        crossed(EVENT | fields)
    assert caught.value.field == field
    assert not any(value in str(caught.value) for value in ("many", "LOOKED", "yesterday", "ann"))


def test_a_value_that_reads_like_a_message_is_not_told():
    with pytest.raises(FieldError) as caught:
        crossed(EVENT | {"type": "Failed to parse secret field: at UserEvent.secret"})
    assert "secret" not in str(caught.value)
