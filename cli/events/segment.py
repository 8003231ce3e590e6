"""Segment: messages of its e-commerce spec, version 2 and the names of version 1, as JSON lines."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from cli.events.rows import (
    MAX_ID,
    Basket,
    Crossed,
    currency_of,
    derived_id,
    is_absent,
    is_event_id,
    named,
    nine_places,
    pseudonym,
)
from cli.problems import FieldError
from cli.values import moment, number, text
from zhiyin.common.v1.user_event_pb2 import UserEvent, UserEventType

SOURCE: Final = "segment"
_ONE_PRODUCT: Final = {
    "product viewed": UserEventType.USER_EVENT_TYPE_DETAIL_PAGE_VIEW,
    "viewed product": UserEventType.USER_EVENT_TYPE_DETAIL_PAGE_VIEW,
    "product clicked": UserEventType.USER_EVENT_TYPE_CLICK,
    "clicked product": UserEventType.USER_EVENT_TYPE_CLICK,
    "product added": UserEventType.USER_EVENT_TYPE_ADD_TO_CART,
    "added product": UserEventType.USER_EVENT_TYPE_ADD_TO_CART,
    "product removed": UserEventType.USER_EVENT_TYPE_REMOVE_FROM_CART,
    "removed product": UserEventType.USER_EVENT_TYPE_REMOVE_FROM_CART,
    "product shared": UserEventType.USER_EVENT_TYPE_SHARE,
    "shared product": UserEventType.USER_EVENT_TYPE_SHARE,
}
_IN_CART: Final = (UserEventType.USER_EVENT_TYPE_ADD_TO_CART, UserEventType.USER_EVENT_TYPE_REMOVE_FROM_CART)
_SEARCHES: Final = ("products searched", "searched products")
_ORDERS: Final = ("order completed", "completed order")
_REVIEWS: Final = ("product reviewed", "reviewed product")


class Segment:
    """The crosswalk."""

    def __init__(self, currency: str) -> None:
        """`currency` is that of messages which name none."""
        self._currency = currency

    def crossed(self, row: Mapping[str, Any]) -> Crossed:
        """The events of a message.

        Raises:
            FieldError: a field that an event needs is not what it has to be.
        """
        kind = row.get("type", "track")
        if kind != "track":
            return Crossed(skipped=str(kind)[:MAX_ID])
        written = row.get("event")
        name = written.strip().lower() if isinstance(written, str) else ""
        if name not in {*_ONE_PRODUCT, *_SEARCHES, *_ORDERS, *_REVIEWS}:
            return Crossed(skipped=written.strip()[:MAX_ID] if isinstance(written, str) and name else "without event")
        properties = row.get("properties")
        if not isinstance(properties, dict):
            raise FieldError("properties", "is required", "REQUIRED")
        event = _common(row, properties)
        if not event.visitor_id:
            return Crossed(skipped="without anonymousId and userId")
        if name in _SEARCHES:
            event.type = UserEventType.USER_EVENT_TYPE_SEARCH
            event.query = named("properties.query", properties.get("query"), _required_text)
            return Crossed([event])
        if name in _REVIEWS:
            return _reviewed(event, properties)
        return self._products(name, event, properties)

    def _products(self, name: str, event: UserEvent, properties: Mapping[str, Any]) -> Crossed:
        basket = Basket(currency_of("properties.currency", properties.get("currency"), self._currency))
        if name in _ORDERS:
            event.type = UserEventType.USER_EVENT_TYPE_PURCHASE_COMPLETE
            _add_all(basket, properties.get("products"))
            if (revenue := _revenue(properties, basket)) is not None:
                event.revenue.CopyFrom(revenue)
        else:
            event.type = _ONE_PRODUCT[name]
            # Quantity and price belong to what goes into the cart; elsewhere they are what the page says.
            counts = event.type in _IN_CART
            quantity, price = (properties.get(key) if counts else None for key in ("quantity", "price"))
            basket.add("properties", _product_id("properties", properties), quantity, price)
        event.products.extend(basket.products)
        if event.type not in {*_IN_CART, UserEventType.USER_EVENT_TYPE_PURCHASE_COMPLETE}:
            event.products[0].quantity = 0
        return Crossed([event], basket.warnings)


def _common(row: Mapping[str, Any], properties: Mapping[str, Any]) -> UserEvent:
    # A server that knows the account only sends no anonymousId.
    user = pseudonym("userId", row.get("userId"))
    context = row.get("context")
    session = context.get("sessionId") if isinstance(context, dict) else None
    message = row.get("messageId")
    event = UserEvent(
        event_id=str(message) if is_event_id(message) else derived_id(SOURCE, row),
        visitor_id=pseudonym("anonymousId", row.get("anonymousId")) or user,
        user_id=user,
        session_id="" if session is None else named("context.sessionId", session, text),
        attribution_token=str(properties.get("attribution_token") or ""),
    )
    if (time := _time(row)) is not None:
        event.event_time.CopyFrom(time)
    return event


def _time(row: Mapping[str, Any]) -> Timestamp | None:
    """When it was done, by Segment's clock: `timestamp`, which Segment has corrected where `originalTimestamp` is.

    A message that Segment has not corrected is corrected here, by its rule: receivedAt - (sentAt - timestamp).
    """
    names = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
    times = {name: named(name, row[name], moment).ToDatetime() for name in names if not is_absent(row.get(name))}
    if {"timestamp", "originalTimestamp"} <= times.keys():
        return _timestamp(times["timestamp"])
    done = times.get("originalTimestamp", times.get("timestamp"))
    if done is None:
        return _timestamp(times["receivedAt"]) if "receivedAt" in times else None
    if not {"sentAt", "receivedAt"} <= times.keys():
        return _timestamp(done)
    try:
        return _timestamp(times["receivedAt"] - (times["sentAt"] - done))
    except (OverflowError, ValueError):
        raise FieldError("sentAt", "is too far from receivedAt", "OUT_OF_RANGE") from None


def _timestamp(found: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(found)
    return timestamp


def _product_id(field: str, given: Mapping[str, Any]) -> str:
    """`product_id`, else `sku`, as the spec has it."""
    for name in ("product_id", "sku"):
        if not is_absent(given.get(name)):
            return str(named(f"{field}.{name}", given[name], text))
    raise FieldError(f"{field}.product_id", "is required", "REQUIRED")


def _add_all(basket: Basket, products: Any) -> None:
    given: Sequence[Any] = products if isinstance(products, list) else []
    for place, each in enumerate(given):
        field = f"properties.products[{place}]"
        if not isinstance(each, dict):
            raise FieldError(field, "must be an object", "INVALID_FORMAT")
        basket.add(field, _product_id(field, each), each.get("quantity"), each.get("price"))
    if not given:
        raise FieldError("properties.products", "is required", "REQUIRED")


def _revenue(properties: Mapping[str, Any], basket: Basket) -> Any:
    """What was paid without tax and shipping.

    By the spec that is `revenue`, and `subtotal` is the same after discounts; `total` holds tax and shipping, so it
    counts only where both are told.
    """
    for name in ("revenue", "subtotal"):
        if properties.get(name) is not None:
            return basket.amount(f"properties.{name}", _amount(f"properties.{name}", properties[name]))
    parts = [properties.get(name) for name in ("total", "tax", "shipping")]
    if parts[0] is None:
        return None
    if None in parts:
        why = "is left out: it holds tax and shipping, which the message does not tell"
        basket.warnings.append(FieldError("properties.total", why, "NOT_KNOWN"))
        return None
    total, tax, shipping = (
        _amount(f"properties.{name}", value) for name, value in zip(("total", "tax", "shipping"), parts, strict=True)
    )
    if (paid := total - tax - shipping) < 0:
        raise FieldError("properties.total", "must not be below tax and shipping", "OUT_OF_RANGE")
    return basket.amount("properties.total", paid)


def _amount(field: str, value: Any) -> Decimal:
    found = nine_places(value)
    if not isinstance(found, Decimal) or not found.is_finite():
        raise FieldError(field, "not a number", "INVALID_FORMAT")
    if found < 0:
        raise FieldError(field, "must be 0 or more", "OUT_OF_RANGE")
    return found


def _reviewed(event: UserEvent, properties: Mapping[str, Any]) -> Crossed:
    """A review is a rating, a comment or both."""
    event.products.add(product_id=_product_id("properties", properties))
    rating, comment = properties.get("rating"), properties.get("review_body")
    made = []
    if not is_absent(rating):
        rated = _copy(event, ".rate")
        rated.type = UserEventType.USER_EVENT_TYPE_RATE
        rated.rating = named("properties.rating", rating, number)
        made.append(rated)
    if not is_absent(comment):
        commented = _copy(event, ".comment")
        commented.type = UserEventType.USER_EVENT_TYPE_COMMENT
        commented.comment = named("properties.review_body", comment, _required_text)
        made.append(commented)
    return Crossed(made) if made else Crossed(skipped="Product Reviewed without rating and text")


def _copy(event: UserEvent, suffix: str) -> UserEvent:
    made = UserEvent()
    made.CopyFrom(event)
    made.event_id = f"{event.event_id[: MAX_ID - len(suffix)]}{suffix}"
    return made


def _required_text(value: Any) -> str:
    found = text(value) if value is not None else ""
    if not found:
        raise FieldError("", "is required", "REQUIRED")
    return found
