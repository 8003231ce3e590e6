"""What the crosswalks make is what the service keeps."""

import pytest

from cli.events.ga4 import Ga4
from cli.events.segment import Segment
from services.feedback.config_events import EventSettings
from services.feedback.convert_events import event_batch
from services.feedback.event_rules import EventRules
from tests.cli.events.reading import ga4_row, segment_message
from zhiyin.feedback.v1.feedback_service_pb2 import RecordedEvent, RecordEventsRequest

HOUR = 3_600_000_000
ITEMS = [{"item_id": "SKU_1", "price": 9.99, "quantity": "2"}, {"item_id": "SKU_2", "price": 0, "quantity": 1}]
PURCHASE = {"transaction_id": "T_1", "purchase_revenue": 19.98}
PRODUCTS = [{"product_id": "p1", "price": 19, "quantity": 1}, {"sku": "G-32", "price": 0.5, "quantity": 2}]
REVIEW = {"product_id": "p1", "review_body": "I love this", "rating": "4.5"}


def violations(event):
    rules = EventRules(EventSettings.model_construct().event_limits())
    request = RecordEventsRequest(events=[RecordedEvent(event=event)])
    now = event.event_time.ToMicroseconds() + HOUR
    return [each for sent in event_batch(request, 500).events for each in rules.violations(sent, now)]


@pytest.mark.parametrize("user", [None, "u-1"])
@pytest.mark.parametrize(
    "row",
    [
        ga4_row("search", params={"search_term": "milk"}),
        ga4_row("view_search_results", params={"search_term": 4711}),
        ga4_row("view_item"),
        ga4_row("select_item", items=ITEMS),
        ga4_row("add_to_cart", items=ITEMS),
        ga4_row("remove_from_cart", items=ITEMS),
        ga4_row("purchase", items=ITEMS, ecommerce=PURCHASE),
        ga4_row("share", params={"item_id": "SKU_1", "content_type": "product"}),
    ],
    ids=lambda row: row["event_name"],
)
def test_of_google_analytics(row, user):
    made = Ga4("USD").crossed(row | {"user_id": user})
    assert made.events
    assert [violations(event) for event in made.events] == [[]] * len(made.events)


@pytest.mark.parametrize("user", [None, "u-1"])
@pytest.mark.parametrize(
    "message",
    [
        segment_message("Products Searched", properties={"query": "milk"}),
        segment_message("Product Viewed"),
        segment_message("Product Clicked"),
        segment_message("Product Added"),
        segment_message("Product Removed"),
        segment_message("Product Shared"),
        segment_message("Order Completed", properties={"products": PRODUCTS, "revenue": 20.0, "currency": "USD"}),
        segment_message("Product Reviewed", properties=REVIEW),
    ],
    ids=lambda message: message["event"],
)
def test_of_segment(message, user):
    made = Segment("USD").crossed(message | {"userId": user})
    assert made.events
    assert [violations(event) for event in made.events] == [[]] * len(made.events)
