"""What a shop does with its catalogue, as the demonstration shows it.

Attributes are declared, results filtered and counted, sizes of one product shown as one result, and a price changed.
"""

import asyncio
import shlex
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from google.type.money_pb2 import Money
from rich.rule import Rule

from cli.admin_gateway import IndexGateway, SettingsGateway
from cli.attribute_conditions import attribute_conditions
from cli.catalogue_gateway import CatalogueGateway
from cli.facets import facet_spec
from cli.gateway import connected
from cli.list_command import products_table
from cli.output import RESULTS, note, plain
from cli.patience import Patience
from cli.progress import progress_shown
from cli.running import CommandFailed
from cli.search_options import FilterOptions, product_filter, variant_mode
from cli.search_results import Page, amount, pages_of, show_pages
from cli.settings_commands import changes
from cli.settings_following import settled
from cli.values import money
from zhiyin.common.v1.catalog_settings_pb2 import AttributeDeclaration, AttributeType, AttributeUse, CatalogSettings
from zhiyin.common.v1.degradation_pb2 import DegradationKind
from zhiyin.common.v1.filter_pb2 import PriceRange, ProductFilter
from zhiyin.common.v1.product_pb2 import Offer
from zhiyin.common.v1.write_pb2 import OfferUpdate, WaitUntil, WriteOutcome
from zhiyin.gateway.v1.gateway_service_pb2 import ListProductsRequest, SearchRequest

CURRENCY: Final = "USD"
FILTERED: Final = "milk"
ATTRIBUTE: Final = "volume=..1 l"
FACETS: Final = ("brand", "price=0..1,1..2,2..5,5..", "volume=0..0.25,0.25..0.5,0.5..1")
IN_SEVERAL_SIZES: Final = "ketchup"
TILL_NAME: Final = "catsup"
"""What the till calls it."""
REDUCTION: Final = Decimal("0.75")
EFFECT_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.02
ATTEMPTS: Final = 15
PAUSE_SECONDS: Final = 1.0
SEARCH_SECONDS: Final = 10.0
_USES: Final = (AttributeUse.ATTRIBUTE_USE_FILTERABLE, AttributeUse.ATTRIBUTE_USE_FACETABLE)
_NUMBERS: Final = {"weight": "g", "volume": "l", "pieces": ""}


@dataclass(frozen=True, slots=True)
class Shop:
    """A catalogue at a gateway."""

    target: str
    catalog: str

    @asynccontextmanager
    async def open(self) -> AsyncIterator[CatalogueGateway]:
        """Connects when first called."""
        async with connected(CatalogueGateway, self.target, catalog=self.catalog, seconds=SEARCH_SECONDS) as gateway:
            yield gateway


def head(text: str) -> None:
    """Begins a chapter."""
    RESULTS.print(Rule(plain(text, "bold")))


async def first_page(gateway: CatalogueGateway, request: SearchRequest) -> Page:
    """The first page, shown; asked for again while a busy machine's encoder is not through with products or query.

    Raises:
        CommandFailed: it is empty.
    """
    for attempt in range(ATTEMPTS):
        (page,) = await pages_of(gateway, request, 1)
        if attempt == ATTEMPTS - 1 or (page.response.results and not _lacks_meaning(page)):
            break
        note("The encoder is not through yet on this machine: searching again.", "yellow")
        await asyncio.sleep(PAUSE_SECONDS)
    show_pages([page], explain=False)
    if not page.response.results:
        raise CommandFailed("the search found nothing")
    return page


def _lacks_meaning(page: Page) -> bool:
    kinds = {each.kind for each in page.response.degradations}
    return DegradationKind.DEGRADATION_KIND_LEXICAL_ONLY in kinds


async def declare_attributes(shop: Shop) -> int:
    """Declares the sizes of packages; returns the version of the settings."""
    head("Declaring attributes: what is in a package, as a number with a unit")
    attributes = [
        AttributeDeclaration(name=name, type=AttributeType.ATTRIBUTE_TYPE_NUMBER, unit=unit, uses=_USES)
        for name, unit in _NUMBERS.items()
    ]
    async with connected(SettingsGateway, shop.target, catalog=shop.catalog, seconds=SEARCH_SECONDS) as peer:
        made = await peer.update(CatalogSettings(attributes=attributes))
    for line in changes(CatalogSettings(), made):
        RESULTS.print(line)
    return made.version


async def wait_for_settings(shop: Shop, version: int) -> None:
    """Comes back when searches go by them."""
    async with (
        connected(SettingsGateway, shop.target, catalog=shop.catalog, seconds=SEARCH_SECONDS) as settings,
        connected(IndexGateway, shop.target, catalog=shop.catalog, seconds=SEARCH_SECONDS) as index,
    ):
        with progress_shown("products") as show:
            await settled(settings, index, version, Patience(SEARCH_SECONDS), show)


async def show_filter(shop: Shop, page_size: int) -> None:
    """A filter on an attribute, in a unit of the searcher's own, and what the results have."""
    facets = " ".join(f"--facet {shlex.quote(each)}" for each in FACETS)
    head("Only what is up to a litre and in stock, and what the results have")
    note(f"zhiyin search {FILTERED} --attribute {shlex.quote(ATTRIBUTE)} --in-stock {facets}", "dim")
    async with connected(SettingsGateway, shop.target, catalog=shop.catalog, seconds=SEARCH_SECONDS) as peer:
        conditions = attribute_conditions([ATTRIBUTE], await peer.settings())
    chosen = product_filter(FilterOptions([], [], None, None, CURRENCY, in_stock=True), conditions)
    request = SearchRequest(
        query=FILTERED, page_size=page_size, filter=chosen, facets=[facet_spec(each) for each in FACETS]
    )
    async with shop.open() as gateway:
        await first_page(gateway, request)


async def show_variants(shop: Shop, page_size: int) -> Page:
    """One product in several sizes: shown once, the others counted. Returns the page."""
    head(f"zhiyin search {IN_SEVERAL_SIZES}: one product in several sizes is one result")
    async with shop.open() as gateway:
        page = await first_page(gateway, SearchRequest(query=IN_SEVERAL_SIZES, page_size=page_size))
        shown = next((each.product for each in page.response.results if each.other_variant_count), None)
        if shown is None:
            raise CommandFailed("no result has variants")
        primary = shown.primary_product_id or shown.id
        note(f"zhiyin list --variants-of {primary} --catalog {shop.catalog}", "dim")
        variants = await gateway.page(ListProductsRequest(primary_product_id=primary))
    RESULTS.print(products_table([*variants.products]))
    return page


async def show_price_change(shop: Shop, page: Page) -> None:
    """Reduces the price of the first result, measures until a filter finds it, and puts the price back.

    Raises:
        CommandFailed: the change was refused, or no filter found it in time.
    """
    product = next((each.product for each in page.response.results if each.product.offer.HasField("price")), None)
    if product is None:
        raise CommandFailed("no result has a price")
    reduced, before = _reduced(product.offer.price), Offer()
    before.CopyFrom(product.offer)
    head("A price change that takes effect, without encoding anything")
    note(f"zhiyin offers set {product.id} --price '{amount(reduced).plain}'  # was {amount(before.price).plain}", "dim")
    async with shop.open() as gateway:
        if await _is_found(gateway, product.id, reduced):
            raise CommandFailed("the filter found the reduced price before it was set")
        started = time.perf_counter()
        await _set_price(gateway, product.id, reduced)
        try:
            committed = time.perf_counter() - started
            await _until_found(gateway, product.id, reduced)
            seconds = time.perf_counter() - started
        finally:
            await _set_price(gateway, product.id, before.price)
    RESULTS.print(
        plain(
            f"{product.title}: on disk after {committed * 1000:.0f} ms, found by --max-price {amount(reduced).plain} "
            f"after {seconds * 1000:.0f} ms; the price is back to {amount(before.price).plain}"
        ),
        soft_wrap=True,
    )


def _reduced(price: Money) -> Money:
    value = (Decimal(price.units) + Decimal(price.nanos).scaleb(-9)) * REDUCTION
    return money(max(Decimal("0.01"), value.quantize(Decimal("0.01"))), price.currency_code)


async def _set_price(gateway: CatalogueGateway, product_id: str, price: Money) -> None:
    update = OfferUpdate(product_id=product_id, offer=Offer(price=price))
    reply = await gateway.update_offers([update], ["price"], WaitUntil.WAIT_UNTIL_COMMITTED)
    if reply.results[0].outcome != WriteOutcome.WRITE_OUTCOME_UPDATED:
        raise CommandFailed("the price was not changed")


async def _until_found(gateway: CatalogueGateway, product_id: str, price: Money) -> None:
    try:
        async with asyncio.timeout(EFFECT_SECONDS):
            while not await _is_found(gateway, product_id, price):  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as exc:
        raise CommandFailed(f"no filter found the new price within {EFFECT_SECONDS:g} s") from exc


async def _is_found(gateway: CatalogueGateway, product_id: str, price: Money) -> bool:
    """Whether a filter up to that price finds the product itself, and not just a variant of it."""
    request = SearchRequest(
        query=TILL_NAME,
        page_size=100,
        filter=ProductFilter(price=PriceRange(max=price)),
        variants=variant_mode(separate=True),
    )
    reply = await gateway.search(request)
    return any(result.product.id == product_id for result in reply.results)
