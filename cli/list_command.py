"""`zhiyin list`: a catalogue, page by page."""

from typing import Annotated

import typer
from rich.table import Table

from cli.catalogue_gateway import open_catalogue
from cli.index_report import as_dict
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption, TimeoutOption
from cli.output import RESULTS, plain, write_json
from cli.running import run
from cli.search_options import NextOption, PageSizeOption, PagesOption
from cli.search_results import amount
from zhiyin.common.v1.product_pb2 import Offer, Product, ProductView
from zhiyin.gateway.v1.gateway_service_pb2 import ListProductsRequest


def list_products(
    *,
    page_size: PageSizeOption = 20,
    pages: PagesOption = 1,
    next_token: NextOption = "",
    variants_of: Annotated[str, typer.Option("--variants-of", help="Only this product and its variants.")] = "",
    only_ids: Annotated[bool, typer.Option("--ids", help="Only the ids, one a line.")] = False,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 10.0,
    as_json: JsonOption = False,
) -> None:
    """List the products of a catalogue by id. With --json each product is a line, and the last line has the token."""

    async def work() -> int:
        request = ListProductsRequest(
            page_size=page_size,
            page_token=next_token,
            primary_product_id=variants_of,
            view=ProductView.PRODUCT_VIEW_ID if only_ids else ProductView.PRODUCT_VIEW_FULL,
        )
        async with open_catalogue(gateway, catalog=catalog, seconds=timeout) as peer:
            for shown in range(1, pages + 1):
                page = await peer.page(request)
                _show([*page.products], only_ids=only_ids, as_json=as_json)
                request.page_token = page.next_page_token
                if not page.next_page_token or shown == pages:
                    break
        _show_end(request.page_token, quiet=only_ids, as_json=as_json)
        return 0

    run(work)


def _show(products: list[Product], *, only_ids: bool, as_json: bool) -> None:
    if as_json:
        for product in products:
            write_json({"product": as_dict(product)})
    elif only_ids:
        for product in products:
            RESULTS.print(plain(product.id), soft_wrap=True)
    else:
        RESULTS.print(products_table(products))


def _show_end(token: str, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        write_json({"next_page_token": token})
    elif token and not quiet:
        RESULTS.print(
            plain("there are more: --pages N, or --next with the next_page_token of --json", "dim"), soft_wrap=True
        )


def products_table(products: list[Product]) -> Table:
    """One row a product."""
    table = Table(header_style="bold")
    for title in ("id", "title", "brand", "variant of", "offers"):
        table.add_column(title, overflow="fold")
    for product in products:
        table.add_row(
            plain(product.id),
            plain(product.title),
            plain(product.brand),
            plain(product.primary_product_id),
            plain("; ".join(_offer(offer) for offer in product.offers)),
        )
    return table


def _offer(offer: Offer) -> str:
    price = amount(offer.price).plain if offer.HasField("price") else "no price"
    return f"{offer.region} {price}".strip()
