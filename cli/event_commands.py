"""`zhiyin event`: one thing that a shopper did. `zhiyin stats`: what came of all of them."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import typer
from google.protobuf.json_format import MessageToDict
from rich.table import Table

from cli.actions import EVENT_TYPES, Action, event_product
from cli.feeds.prices import amount_of
from cli.gateway import connected, new_trace
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption, TimeoutOption
from cli.output import RESULTS, plain, write_json
from cli.problems import FieldError
from cli.rows import NumberStyle
from cli.running import FAILED, USAGE, CommandFailed, run
from cli.shopper_gateway import ShopperGateway
from cli.values import currency_code, moment, money
from zhiyin.common.v1.user_event_pb2 import EventOutcome, EventResult, UserEvent
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

KEPT: Final = (EventOutcome.EVENT_OUTCOME_ACCEPTED, EventOutcome.EVENT_OUTCOME_DUPLICATE)
"""Outcomes of events that are on disk."""
_IN_ONE_CALL: Final = 500
_COUNTED: Final = {
    "views": Action.VIEW,
    "clicks": Action.CLICK,
    "to cart": Action.ADD_TO_CART,
    "bought": Action.PURCHASE,
}


def event(
    action: Annotated[Action, typer.Argument(help="What was done.", show_default=False)],
    *,
    visitor: Annotated[str, typer.Option("--visitor", help="Pseudonym of the visitor; no personal data.")],
    product: Annotated[
        list[str] | None,
        typer.Option("--product", help="`ID`, `ID=2` for two units, `ID=2@3.50 USD`; can be repeated."),
    ] = None,
    user: Annotated[str, typer.Option("--user", help="Pseudonym of the account, where logged in.")] = "",
    session: Annotated[str, typer.Option("--session", help="The visit.")] = "",
    query: Annotated[str, typer.Option("--query", help="What was searched for.")] = "",
    comment: Annotated[str, typer.Option("--comment", help="What was written.")] = "",
    rating: Annotated[float | None, typer.Option("--rating", help="0 to 5.")] = None,
    revenue: Annotated[
        str | None, typer.Option("--revenue", help="What was paid, without tax and shipping: `12.90 EUR`.")
    ] = None,
    attribution: Annotated[
        str, typer.Option("--attribution", help="`attribution_token` of the list in which the product was shown.")
    ] = "",
    event_id: Annotated[str, typer.Option("--id", help="Id of the event; none = a new one.")] = "",
    time: Annotated[str | None, typer.Option("--time", help="When, RFC 3339; none = now.")] = None,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Record one thing that a shopper did; done means on disk."""

    async def work() -> int:
        made = UserEvent(
            event_id=event_id or str(uuid.uuid4()),
            type=EVENT_TYPES[action],
            visitor_id=visitor,
            user_id=user,
            session_id=session,
            attribution_token=attribution,
            products=[event_product(each) for each in product or []],
            query=query,
            comment=comment,
            rating=rating,
        )
        _set_time_and_revenue(made, time, revenue)
        async with connected(ShopperGateway, gateway, catalog=catalog, seconds=timeout) as peer:
            with new_trace():
                (result,) = await peer.record([made])
        if as_json:
            write_json(MessageToDict(result, preserving_proto_field_name=True))
        else:
            RESULTS.print(plain(_outcome(result)), soft_wrap=True)
        return 0 if result.outcome in KEPT else FAILED

    run(work)


def stats(
    product_ids: Annotated[list[str], typer.Argument(help="Ids of the products.", show_default=False)],
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Show what shoppers did with products: counts, rates, popularity. What programs did is left out."""

    async def work() -> int:
        ids, found = list(dict.fromkeys(product_ids)), list[pb.ProductStatistics]()
        async with connected(ShopperGateway, gateway, catalog=catalog, seconds=timeout) as peer:
            for start in range(0, len(ids), _IN_ONE_CALL):
                found.extend(await peer.statistics(ids[start : start + _IN_ONE_CALL]))
        if as_json:
            write_json({"statistics": [MessageToDict(each, preserving_proto_field_name=True) for each in found]})
        else:
            RESULTS.print(_table(found))
        return 0

    run(work)


def _set_time_and_revenue(made: UserEvent, time: str | None, revenue: str | None) -> None:
    try:
        if time is not None:
            made.event_time.CopyFrom(moment(time))
    except FieldError as exc:
        raise CommandFailed(f"--time: {exc.description}", USAGE) from exc
    try:
        if revenue is not None:
            amount = amount_of(revenue, NumberStyle.POINT)
            made.revenue.CopyFrom(money(amount.value, currency_code(amount.currency)))
    except FieldError as exc:
        raise CommandFailed(f"--revenue: {exc.description}; write it as `12.90 EUR`", USAGE) from exc


def _outcome(result: EventResult) -> str:
    name = EventOutcome.Name(result.outcome).removeprefix("EVENT_OUTCOME_").lower()
    why = "; ".join(f"{violation.field}: {violation.description}" for violation in result.violations)
    if result.outcome == EventOutcome.EVENT_OUTCOME_CONFLICT:
        why = "an event of this id and visitor is on disk and says something else"
    return f"{result.event_id}: {name}{f' ({why})' if why else ''}"


def _table(statistics: Sequence[pb.ProductStatistics]) -> Table:
    table = Table(header_style="bold")
    table.add_column("product")
    for name in ("shown", *_COUNTED, "units", "clicks/shown", "carts/view", "bought/view", "trending", "popular"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in statistics:
        table.add_row(plain(each.product_id), *_cells(each))
    return table


def _cells(each: pb.ProductStatistics) -> list[str]:
    counts: Mapping[int, pb.ActionCount] = {count.type: count for count in each.actions}
    none = pb.ActionCount()
    rates = (each.click_through_rate, each.add_to_cart_rate, each.purchase_rate)
    return [
        f"{each.impression_count:,}",
        *(f"{counts.get(EVENT_TYPES[action], none).count:,}" for action in _COUNTED.values()),
        f"{counts.get(EVENT_TYPES[Action.PURCHASE], none).quantity:,}",
        *(f"{rate:.2%}" for rate in rates),
        f"{each.trending_score:.2f}",
        f"{each.popularity_score:.2f}",
    ]
