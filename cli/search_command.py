"""`zhiyin search`."""

from typing import Annotated

import typer
from google.type.money_pb2 import Money

from cli.gateway import open_gateway
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption, TimeoutOption
from cli.output import write_json
from cli.problems import FieldError
from cli.running import USAGE, CommandFailed, run
from cli.search_results import page_json, pages_of, show_pages
from cli.values import currency_code, money
from zhiyin.common.v1.filter_pb2 import PriceRange, ProductFilter
from zhiyin.common.v1.product_pb2 import Availability
from zhiyin.gateway.v1 import gateway_service_pb2 as pb


def search(
    query: Annotated[str, typer.Argument(help="What a shopper would write, in any language.", show_default=False)],
    *,
    page_size: Annotated[int, typer.Option("--page-size", min=1, help="Results on one page.")] = 10,
    pages: Annotated[int, typer.Option("--pages", min=1, help="Pages to show, one after the other.")] = 1,
    next_token: Annotated[str, typer.Option("--next", help="Go on behind a page: its `next_page_token`.")] = "",
    brand: Annotated[list[str] | None, typer.Option("--brand", help="Only this brand; can be repeated.")] = None,
    category: Annotated[
        list[str] | None, typer.Option("--category", help="Only below this path, `A > B`; can be repeated.")
    ] = None,
    min_price: Annotated[str | None, typer.Option("--min-price", help="Lowest price.")] = None,
    max_price: Annotated[str | None, typer.Option("--max-price", help="Highest price.")] = None,
    currency: Annotated[str, typer.Option("--currency", help="Currency of the prices, ISO 4217.")] = "USD",
    available: Annotated[bool, typer.Option("--available", help="Only what can be bought now.")] = False,
    region: Annotated[str, typer.Option("--region", help="Region of offers.")] = "",
    visitor: Annotated[str, typer.Option("--visitor", help="Pseudonym of a visitor; results are then personal.")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Show what each score is made of.")] = False,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Search a catalogue."""

    async def work() -> int:
        chosen = product_filter(
            brands=brand or [],
            categories=category or [],
            min_price=min_price,
            max_price=max_price,
            currency=currency,
            available=available,
        )
        request = pb.SearchRequest(query=query, region=region, page_size=page_size, visitor_id=visitor)
        request.page_token = next_token
        if chosen is not None:
            request.filter.CopyFrom(chosen)
        async with open_gateway(gateway, catalog=catalog, seconds=timeout) as peer:
            found = await pages_of(peer, request, pages)
        if as_json:
            write_json({"pages": [page_json(page) for page in found]})
        else:
            show_pages(found, explain=explain)
        return 0

    run(work)


def product_filter(
    *,
    brands: list[str],
    categories: list[str],
    min_price: str | None,
    max_price: str | None,
    currency: str,
    available: bool,
) -> ProductFilter | None:
    """The filter that the options ask for; None where they ask for none.

    Raises:
        CommandFailed: a price or the currency is none.
    """
    chosen = ProductFilter(brands=brands, categories=categories)
    if min_price is not None or max_price is not None:
        price = PriceRange()
        if min_price is not None:
            price.min.CopyFrom(_price("--min-price", min_price, currency))
        if max_price is not None:
            price.max.CopyFrom(_price("--max-price", max_price, currency))
        chosen.price.CopyFrom(price)
    if available:
        chosen.availabilities.append(Availability.AVAILABILITY_IN_STOCK)
    return chosen if chosen.ByteSize() else None


def _price(option: str, value: str, currency: str) -> Money:
    try:
        return money(value, currency_code(currency))
    except FieldError as exc:
        raise CommandFailed(f"{option}, --currency: {exc.description}", USAGE) from exc
