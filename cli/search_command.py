"""`zhiyin search` and `zhiyin similar`."""

from enum import StrEnum
from typing import Annotated, Final

import typer

from cli.admin_gateway import SettingsGateway
from cli.attribute_conditions import attribute_conditions
from cli.facets import facet_spec
from cli.gateway import connected, open_gateway
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption, TimeoutOption
from cli.output import write_json
from cli.pages import page_json
from cli.running import run
from cli.search_options import (
    AttributeOption,
    BrandOption,
    CategoryOption,
    CurrencyOption,
    FilterOptions,
    InStockOption,
    MaxPriceOption,
    MinPriceOption,
    NextOption,
    PageSizeOption,
    PagesOption,
    RegionOption,
    SeparateOption,
    VisitorOption,
    product_filter,
    variant_mode,
)
from cli.search_results import Page, pages_of, show_pages
from zhiyin.common.v1.filter_pb2 import AttributeCondition
from zhiyin.common.v1.result_set_pb2 import RelaxationMode, SortOrder
from zhiyin.gateway.v1 import gateway_service_pb2 as pb


class Sort(StrEnum):
    """Orders of results, as the command line names them."""

    RELEVANCE = "relevance"
    PRICE = "price"
    PRICE_DESC = "price-desc"
    NEWEST = "newest"
    SALES = "sales"
    RATING = "rating"


_ORDERS: Final = {
    Sort.RELEVANCE: SortOrder.SORT_ORDER_RELEVANCE,
    Sort.PRICE: SortOrder.SORT_ORDER_PRICE_ASCENDING,
    Sort.PRICE_DESC: SortOrder.SORT_ORDER_PRICE_DESCENDING,
    Sort.NEWEST: SortOrder.SORT_ORDER_NEWEST,
    Sort.SALES: SortOrder.SORT_ORDER_BEST_SELLING,
    Sort.RATING: SortOrder.SORT_ORDER_BEST_RATED,
}
ExplainOption = Annotated[bool, typer.Option("--explain", help="Show what each score is made of.")]


def search(
    query: Annotated[str, typer.Argument(help="What a shopper would write, in any language.", show_default=False)],
    *,
    page_size: PageSizeOption = 10,
    pages: PagesOption = 1,
    next_token: NextOption = "",
    brand: BrandOption = None,
    category: CategoryOption = None,
    min_price: MinPriceOption = None,
    max_price: MaxPriceOption = None,
    currency: CurrencyOption = "USD",
    in_stock: InStockOption = False,
    attribute: AttributeOption = None,
    facet: Annotated[
        list[str] | None,
        typer.Option("--facet", help="Count results by `brand`, `price=0..10,10..50`, an attribute; can be repeated."),
    ] = None,
    sort: Annotated[Sort, typer.Option("--sort", help="Order of the results.")] = Sort.RELEVANCE,
    relax: Annotated[
        bool, typer.Option("--relax", help="Where nothing fits, drop parts of the filter and say which.")
    ] = False,
    separate_variants: SeparateOption = False,
    region: RegionOption = "",
    visitor: VisitorOption = "",
    explain: ExplainOption = False,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Search a catalogue."""

    async def work() -> int:
        options = FilterOptions(brand or [], category or [], min_price, max_price, currency, in_stock)
        request = pb.SearchRequest(
            query=query,
            region=region,
            page_size=page_size,
            page_token=next_token,
            visitor_id=visitor,
            facets=[facet_spec(each) for each in facet or []],
            order=_ORDERS[sort],
            relaxation=_relaxation(relax=relax),
            variants=variant_mode(separate=separate_variants),
        )
        conditions = await conditions_of(attribute, gateway, catalog, timeout)
        if (chosen := product_filter(options, conditions)) is not None:
            request.filter.CopyFrom(chosen)
        async with open_gateway(gateway, catalog=catalog, seconds=timeout) as peer:
            _show(await pages_of(peer, request, pages), explain=explain, as_json=as_json)
        return 0

    run(work)


def similar(
    product_id: Annotated[str, typer.Argument(help="Id of the product.", show_default=False)],
    *,
    page_size: PageSizeOption = 10,
    pages: PagesOption = 1,
    next_token: NextOption = "",
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="Leave out this product and its variants; can be repeated.")
    ] = None,
    brand: BrandOption = None,
    category: CategoryOption = None,
    min_price: MinPriceOption = None,
    max_price: MaxPriceOption = None,
    currency: CurrencyOption = "USD",
    in_stock: InStockOption = False,
    attribute: AttributeOption = None,
    separate_variants: SeparateOption = False,
    region: RegionOption = "",
    visitor: VisitorOption = "",
    explain: ExplainOption = False,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """List the products that are similar to one, by what they say."""

    async def work() -> int:
        options = FilterOptions(brand or [], category or [], min_price, max_price, currency, in_stock)
        request = pb.ListSimilarProductsRequest(
            product_id=product_id,
            region=region,
            page_size=page_size,
            page_token=next_token,
            visitor_id=visitor,
            excluded_product_ids=exclude or [],
            variants=variant_mode(separate=separate_variants),
        )
        conditions = await conditions_of(attribute, gateway, catalog, timeout)
        if (chosen := product_filter(options, conditions)) is not None:
            request.filter.CopyFrom(chosen)
        async with open_gateway(gateway, catalog=catalog, seconds=timeout) as peer:
            _show(await pages_of(peer, request, pages), explain=explain, as_json=as_json)
        return 0

    run(work)


def _relaxation(*, relax: bool) -> "RelaxationMode.ValueType":
    return RelaxationMode.RELAXATION_MODE_RELAX_FILTER if relax else RelaxationMode.RELAXATION_MODE_STRICT


async def conditions_of(
    options: list[str] | None, target: str, catalog: str, seconds: float
) -> list[AttributeCondition]:
    """What `--attribute` says. The settings are read only where it is there: `42` may be a number or a text."""
    if not options:
        return []
    async with connected(SettingsGateway, target, catalog=catalog, seconds=seconds) as peer:
        return attribute_conditions(options, await peer.settings())


def _show(found: list[Page], *, explain: bool, as_json: bool) -> None:
    if as_json:
        write_json({"pages": [page_json(page) for page in found]})
    else:
        show_pages(found, explain=explain)
