"""Google Analytics 4: rows of the BigQuery export (`events_YYYYMMDD`) as JSON lines.

Field names and their meaning are those of Google's "BigQuery Export schema".
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from cli.events.rows import MAX_ID, Basket, Crossed, currency_of, derived_id, is_absent, named, pseudonym
from cli.problems import FieldError
from cli.values import text, whole_number
from zhiyin.common.v1.user_event_pb2 import EventProduct, UserEvent, UserEventType

SOURCE: Final = "ga4"
_PER_ITEM: Final = {
    "view_item": UserEventType.USER_EVENT_TYPE_DETAIL_PAGE_VIEW,
    "select_item": UserEventType.USER_EVENT_TYPE_CLICK,
}
_BASKETS: Final = {
    "add_to_cart": UserEventType.USER_EVENT_TYPE_ADD_TO_CART,
    "remove_from_cart": UserEventType.USER_EVENT_TYPE_REMOVE_FROM_CART,
    "purchase": UserEventType.USER_EVENT_TYPE_PURCHASE_COMPLETE,
}
_SEARCHES: Final = ("search", "view_search_results")
_NOT_SET: Final = "(not set)"
_IDENTITY: Final = (
    "event_name",
    "event_timestamp",
    "user_pseudo_id",
    "user_id",
    "event_bundle_sequence_id",
    "batch_page_id",
    "batch_ordering_id",
    "batch_event_index",
    "event_params",
    "items",
)
"""What tells two rows apart; an export has no id of an event."""


class Ga4:
    """The crosswalk."""

    def __init__(self, currency: str) -> None:
        """`currency` is that of rows which name none."""
        self._currency = currency

    def crossed(self, row: Mapping[str, Any]) -> Crossed:
        """The events of a row.

        Raises:
            FieldError: a field that an event needs is not what it has to be.
        """
        written = row.get("event_name")
        name = written if isinstance(written, str) else ""
        if name not in {*_PER_ITEM, *_BASKETS, *_SEARCHES, "share"}:
            return Crossed(skipped=name[:MAX_ID] or "without event_name")
        parameters = _parameters(row.get("event_params"))
        event = _common(row, parameters)
        if not event.visitor_id:
            return Crossed(skipped="without user_pseudo_id")
        if name in _SEARCHES:
            event.type, event.query = UserEventType.USER_EVENT_TYPE_SEARCH, _search_term(parameters)
            return Crossed([event])
        if name == "share":
            return _shared(event, parameters)
        currency = currency_of("event_params.currency", parameters.get("currency"), self._currency)
        if name in _PER_ITEM:
            event.type = _PER_ITEM[name]
            return _one_for_each(event, _fill(Basket(currency), row.get("items"), has_amounts=False))
        event.type = _BASKETS[name]
        basket = _fill(Basket(currency), row.get("items"), has_amounts=True)
        event.products.extend(basket.products)
        if name == "purchase":
            _set_revenue(event, row.get("ecommerce"), basket, currency)
        return Crossed([event], basket.warnings)


def _common(row: Mapping[str, Any], parameters: Mapping[str, Any]) -> UserEvent:
    # A visitor who withheld consent has no pseudonym of a device, but may be logged in.
    user = pseudonym("user_id", row.get("user_id"))
    visitor = pseudonym("user_pseudo_id", row.get("user_pseudo_id")) or user
    # Google counts sessions by visitor: two visitors may have the same number.
    session = parameters.get("ga_session_id")
    event = UserEvent(
        event_id=derived_id(SOURCE, {name: row.get(name) for name in _IDENTITY}),
        visitor_id=visitor,
        user_id=user,
        session_id=f"{visitor}.{session}" if session is not None else "",
        attribution_token=str(parameters.get("attribution_token") or ""),
    )
    transaction = _record(row.get("ecommerce")).get("transaction_id")
    if row["event_name"] == "purchase" and not _is_unset(transaction):
        # A receipt that is loaded again is the same purchase.
        event.event_id = derived_id(f"{SOURCE}-purchase", str(transaction))
    event.event_time.CopyFrom(named("event_timestamp", row.get("event_timestamp"), _microseconds))
    return event


def _microseconds(value: Any) -> Timestamp:
    found, timestamp = whole_number(value), Timestamp()
    try:
        timestamp.FromMicroseconds(found)
        timestamp.ToDatetime()
    except (ValueError, OverflowError):
        raise FieldError("", "not microseconds since 1970") from None
    return timestamp


def _parameters(given: Any) -> dict[str, Any]:
    """The value of each parameter; of its four kinds one is there."""
    found = {}
    for each in given if isinstance(given, list) else ():
        value = _record(_record(each).get("value"))
        kinds = (value.get(f"{kind}_value") for kind in ("string", "int", "float", "double"))
        found[str(_record(each).get("key"))] = next((kind for kind in kinds if kind is not None), None)
    return found


def _search_term(parameters: Mapping[str, Any]) -> str:
    term = parameters.get("search_term")
    if is_absent(term):
        raise FieldError("event_params.search_term", "is required", "REQUIRED")
    return str(named("event_params.search_term", term, text))


def _shared(event: UserEvent, parameters: Mapping[str, Any]) -> Crossed:
    """What was shared is a product where it has the id of one."""
    item = parameters.get("item_id")
    if _is_unset(item):
        return Crossed(skipped="share without item_id")
    event.type = UserEventType.USER_EVENT_TYPE_SHARE
    event.products.add(product_id=named("event_params.item_id", item, text))
    return Crossed([event])


def _fill(basket: Basket, items: Any, *, has_amounts: bool) -> Basket:
    """The items of a row; views and clicks are of no quantity, and their prices are what the page said."""
    for place, each in enumerate(items if isinstance(items, list) else ()):
        item, field = _record(each), f"items[{place}]"
        if _is_unset(item.get("item_id")):
            raise FieldError(f"{field}.item_id", "is required", "REQUIRED")
        product_id = named(f"{field}.item_id", item["item_id"], text)
        quantity, price = (item.get(name) if has_amounts else None for name in ("quantity", "price"))
        basket.add(field, product_id, quantity, price)
    if not basket.products:
        raise FieldError("items", "is required", "REQUIRED")
    return basket


def _one_for_each(event: UserEvent, basket: Basket) -> Crossed:
    """Views and clicks are of one product each."""
    products: Sequence[EventProduct] = basket.products
    events = []
    for place, product in enumerate(products):
        made = UserEvent()
        made.CopyFrom(event)
        made.products.add(product_id=product.product_id)
        made.event_id += f".{place}" if len(products) > 1 else ""
        events.append(made)
    return Crossed(events, basket.warnings)


def _set_revenue(event: UserEvent, ecommerce: Any, basket: Basket, currency: str) -> None:
    """`purchase_revenue` is what the shop sent as `value`: by Google's definition without tax and shipping."""
    record = _record(ecommerce)
    revenue, dollars = record.get("purchase_revenue"), record.get("purchase_revenue_in_usd")
    if revenue is None and dollars is None:
        return
    if (not currency or revenue is None) and dollars is not None:
        event.revenue.CopyFrom(Basket("USD").amount("ecommerce.purchase_revenue_in_usd", _not_negative(dollars)))
    elif (amount := basket.amount("ecommerce.purchase_revenue", _not_negative(revenue))) is not None:
        event.revenue.CopyFrom(amount)


def _not_negative(value: Any) -> Any:
    if isinstance(value, int | Decimal) and value < 0:
        raise FieldError("ecommerce.purchase_revenue", "must be 0 or more", "OUT_OF_RANGE")
    return value


def _is_unset(value: Any) -> bool:
    return is_absent(value) or value == _NOT_SET


def _record(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
