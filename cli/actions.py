"""What shoppers do, as the command line names it, and how it is written there."""

from enum import StrEnum
from typing import Final

from cli.feeds.prices import amount_of
from cli.problems import FieldError
from cli.rows import NumberStyle
from cli.running import USAGE, CommandFailed
from cli.values import currency_code, money, whole_number
from zhiyin.common.v1.user_event_pb2 import EventProduct, UserEventType
from zhiyin.gateway.v1.gateway_service_pb2 import SessionAction


class Action(StrEnum):
    """Types of events."""

    SEARCH = "search"
    VIEW = "view"
    CLICK = "click"
    ADD_TO_CART = "add-to-cart"
    REMOVE_FROM_CART = "remove-from-cart"
    PURCHASE = "purchase"
    RATE = "rate"
    COMMENT = "comment"
    SHARE = "share"
    DISMISS = "dismiss"


EVENT_TYPES: Final = {
    Action.SEARCH: UserEventType.USER_EVENT_TYPE_SEARCH,
    Action.VIEW: UserEventType.USER_EVENT_TYPE_DETAIL_PAGE_VIEW,
    Action.CLICK: UserEventType.USER_EVENT_TYPE_CLICK,
    Action.ADD_TO_CART: UserEventType.USER_EVENT_TYPE_ADD_TO_CART,
    Action.REMOVE_FROM_CART: UserEventType.USER_EVENT_TYPE_REMOVE_FROM_CART,
    Action.PURCHASE: UserEventType.USER_EVENT_TYPE_PURCHASE_COMPLETE,
    Action.RATE: UserEventType.USER_EVENT_TYPE_RATE,
    Action.COMMENT: UserEventType.USER_EVENT_TYPE_COMMENT,
    Action.SHARE: UserEventType.USER_EVENT_TYPE_SHARE,
    Action.DISMISS: UserEventType.USER_EVENT_TYPE_DISMISS,
}
_ACTIONS: Final = {number: action for action, number in EVENT_TYPES.items()}
_TEXTS: Final = (Action.SEARCH, Action.COMMENT)


def action_name(event_type: int) -> str:
    """The name of a type; its number where a newer gateway has another."""
    return str(_ACTIONS.get(UserEventType.ValueType(event_type), event_type))


def session_action(written: str) -> SessionAction:
    """`click=ID`, `search=red shoes`: one thing of this visit.

    Raises:
        CommandFailed: it is none.
    """
    name, found, value = written.partition("=")
    if not found or not value or name not in list(Action):
        raise CommandFailed(f"--session: write it as `click=ID` or `search=TEXT`; there are {', '.join(Action)}", USAGE)
    action = Action(name)
    if action in _TEXTS:
        return SessionAction(type=EVENT_TYPES[action], text=value)
    return SessionAction(type=EVENT_TYPES[action], product_id=value)


def event_product(written: str) -> EventProduct:
    """`ID`, `ID=2` for two units, `ID=2@3.50 USD` for two at that price each.

    Raises:
        CommandFailed: quantity or price are none.
    """
    rest, _, price = written.partition("@")
    product_id, _, quantity = rest.partition("=")
    product = EventProduct(product_id=product_id)
    try:
        if quantity:
            product.quantity = whole_number(quantity)
        if price:
            amount = amount_of(price, NumberStyle.POINT)
            product.price.CopyFrom(money(amount.value, currency_code(amount.currency)))
    except (FieldError, ValueError) as exc:
        raise CommandFailed("--product: write it as `ID`, `ID=2` or `ID=2@3.50 USD`", USAGE) from exc
    return product
