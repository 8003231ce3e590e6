"""`zhiyin recommend`."""

from enum import StrEnum
from typing import Annotated, Final

import typer

from cli.actions import session_action
from cli.gateway import connected
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption, TimeoutOption
from cli.output import write_json
from cli.pages import fetch_pages, page_json
from cli.recommendations import show_recommendations
from cli.running import run
from cli.search_command import ExplainOption, conditions_of
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
    product_filter,
    variant_mode,
)
from cli.shopper_gateway import ShopperGateway
from zhiyin.gateway.v1 import gateway_service_pb2 as pb


class ShopPage(StrEnum):
    """Where recommendations are shown, as the command line names it."""

    HOME = "home"
    PRODUCT = "product"
    CART = "cart"
    AFTER_PURCHASE = "after-purchase"


_PAGES: Final = {
    ShopPage.HOME: pb.RecommendationPage.RECOMMENDATION_PAGE_HOME,
    ShopPage.PRODUCT: pb.RecommendationPage.RECOMMENDATION_PAGE_PRODUCT,
    ShopPage.CART: pb.RecommendationPage.RECOMMENDATION_PAGE_CART,
    ShopPage.AFTER_PURCHASE: pb.RecommendationPage.RECOMMENDATION_PAGE_AFTER_PURCHASE,
}


def recommend(
    *,
    visitor: Annotated[str, typer.Option("--visitor", help="Pseudonym of the visitor; none = a new one.")] = "",
    user: Annotated[str, typer.Option("--user", help="Pseudonym of the account, where logged in.")] = "",
    page: Annotated[ShopPage, typer.Option("--page", help="Where the products are shown.")] = ShopPage.HOME,
    product: Annotated[
        list[str] | None, typer.Option("--product", help="Product of the page or the cart; can be repeated.")
    ] = None,
    session: Annotated[
        list[str] | None,
        typer.Option(
            "--session", help="What was done in this visit, newest first: `click=ID`, `search=TEXT`; can be repeated."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="Leave out this product and its variants; can be repeated.")
    ] = None,
    across_categories: Annotated[
        bool, typer.Option("--across-categories", help="Only from categories that the visitor has not been to.")
    ] = False,
    purchased: Annotated[
        bool, typer.Option("--buy-again", help="Also what the visitor bought lately: for things that are used up.")
    ] = False,
    language: Annotated[str, typer.Option("--language", help="Language of the reasons: zh, en.")] = "",
    policy: Annotated[str, typer.Option("--policy", help="Name of the ranking policy.")] = "",
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
    separate_variants: SeparateOption = False,
    region: RegionOption = "",
    explain: ExplainOption = False,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Recommend products to a visitor, known or new, each with its reason."""

    async def work() -> int:
        options = FilterOptions(brand or [], category or [], min_price, max_price, currency, in_stock)
        request = pb.RecommendRequest(
            page=_PAGES[page],
            product_ids=product or [],
            visitor_id=visitor,
            user_id=user,
            session=[session_action(each) for each in session or []],
            region=region,
            page_size=page_size,
            page_token=next_token,
            policy=policy,
            excluded_product_ids=exclude or [],
            variants=variant_mode(separate=separate_variants),
            scope=_scope(across_categories=across_categories),
            language_code=language,
            purchased=_purchased(are_allowed=purchased),
        )
        conditions = await conditions_of(attribute, gateway, catalog, timeout)
        if (chosen := product_filter(options, conditions)) is not None:
            request.filter.CopyFrom(chosen)
        async with connected(ShopperGateway, gateway, catalog=catalog, seconds=timeout) as peer:
            found = await fetch_pages(peer.recommend, request, pages)
        if as_json:
            write_json({"pages": [page_json(each) for each in found]})
        else:
            show_recommendations(found, explain=explain)
        return 0

    run(work)


def _scope(*, across_categories: bool) -> "pb.RecommendationScope.ValueType":
    if across_categories:
        return pb.RecommendationScope.RECOMMENDATION_SCOPE_ACROSS_CATEGORIES
    return pb.RecommendationScope.RECOMMENDATION_SCOPE_ALL


def _purchased(*, are_allowed: bool) -> "pb.PurchasedProducts.ValueType":
    if are_allowed:
        return pb.PurchasedProducts.PURCHASED_PRODUCTS_ALLOWED
    return pb.PurchasedProducts.PURCHASED_PRODUCTS_EXCLUDED
