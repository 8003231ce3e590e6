"""Rows of other systems, as they write them."""

import json
from decimal import Decimal


def ga4_row(name="view_item", **fields):
    """One row of the BigQuery export; `params` become event_params."""
    params = {"ga_session_id": 42} | fields.pop("params", {})
    row = {
        "event_date": "20261125",
        "event_timestamp": "1795000000123456",
        "event_name": name,
        "event_params": [{"key": key, "value": _value(value)} for key, value in params.items()],
        "event_bundle_sequence_id": "17",
        "user_pseudo_id": "1234.5678",
        "user_id": None,
        "items": [{"item_id": "SKU_1", "item_name": "Shirt", "price": 9.99, "quantity": "1"}],
        "ecommerce": None,
    } | fields
    return as_read(row)


def segment_message(event="Product Viewed", **fields):
    """One track call, with the properties of Segment's own example."""
    row = {
        "type": "track",
        "event": event,
        "anonymousId": "23adfd82-aa0f-45a7-a756-24f2a7a4c895",
        "userId": None,
        "messageId": "ajs-next-1",
        "originalTimestamp": "2026-11-25T10:00:10.000Z",
        "sentAt": "2026-11-25T10:00:15.000Z",
        "receivedAt": "2026-11-25T09:00:15.500Z",
        "timestamp": "2026-11-25T09:00:10.500Z",
        "properties": {"product_id": "507f1f77bcf86cd799439011", "sku": "G-32", "price": 18.99, "quantity": 1},
    } | fields
    return as_read(row)


def as_read(row):
    """Numbers with a point are decimal, as the import reads them."""
    return json.loads(json.dumps(row), parse_float=Decimal)


def _value(value):
    if isinstance(value, int):
        return {"string_value": None, "int_value": str(value), "float_value": None, "double_value": None}
    return {"string_value": value} if isinstance(value, str) else {"double_value": value}
