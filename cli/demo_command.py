"""What `zhiyin demo` does."""

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from google.protobuf.json_format import MessageToJson

from cli.catalogue_gateway import CatalogueGateway
from cli.demo_catalogue import demo_products
from cli.demo_households import (
    HOUSEHOLDS,
    Basket,
    baskets,
    busiest_household,
    events_of,
    purchases_of_most_bought,
    unknown_category,
    visitor_of,
)
from cli.demo_shop import (
    Shop,
    declare_attributes,
    first_page,
    head,
    show_filter,
    show_price_change,
    show_variants,
    wait_for_settings,
)
from cli.demo_visitor import Visitor, show_visitor, wait_until_counted
from cli.events_commands import EventImportOptions, import_events
from cli.import_command import ImportOptions, import_file
from cli.options import DEFAULT_GATEWAY
from cli.output import RESULTS, note, plain
from cli.running import CommandFailed
from cli.search_results import Page, pages_of, show_pages
from cli.stack_session import ended_by_signals, running_stack, show_addresses, stack_settings
from cli.trace_command import DEFAULT_SPANS, complete_trace, show_trace
from cli.trace_tree import trace_tree
from local.config import StackSettings
from local.program import is_serving
from zhiyin.gateway.v1.gateway_service_pb2 import SearchRequest

CATALOG: Final = "demo"
QUERIES: Final = ("milk", "牛奶", "dog food", "狗粮", "eggs", "鸡蛋")
"""The catalogue is English only: the Chinese queries find by meaning."""
PAGE_SIZE: Final = 4
TRACE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What a person can decide about the demonstration."""

    data_dir: Path | None
    port: int | None
    gateway: str
    """Used where it serves; else a stack is started."""
    spans: str
    products: int
    leave: bool
    """Whether to stop at the end instead of waiting for Ctrl-C."""


@dataclass(frozen=True, slots=True)
class _Place:
    gateway: str
    spans: str | None
    is_ours: bool


async def show_all(options: DemoOptions) -> int:
    """Shows everything and returns the exit status.

    Raises:
        CommandFailed: something did not work; the message says what.
        ServiceError: the gateway refused a search.
    """
    settings = stack_settings(options.data_dir, options.port)
    try:
        with ended_by_signals():
            async with _place(options, settings) as place:
                shop = Shop(place.gateway, CATALOG)
                version = await declare_attributes(shop)
                await _import(place, settings, options.products)
                await wait_for_settings(shop, version)
                page = await _search(shop)
                await show_filter(shop, PAGE_SIZE)
                await show_price_change(shop, await show_variants(shop, PAGE_SIZE))
                visitor = await _replay(place, settings, shop, options.products)
                await show_visitor(shop, visitor)
                await _trace(place, page)
                _hint(place, page, settings, visitor.name)
                if place.is_ours and not options.leave:
                    note("Everything stays up until Ctrl-C.", "bold green")
                    await asyncio.Event().wait()
    except asyncio.CancelledError:
        note("Everything is stopped.")
    return 0


@asynccontextmanager
async def _place(options: DemoOptions, settings: StackSettings) -> AsyncIterator[_Place]:
    if options.data_dir is None and options.port is None and await is_serving(options.gateway):
        note(f"A gateway serves at {options.gateway} already: the demonstration uses it.")
        yield _Place(options.gateway, options.spans, is_ours=False)
        return
    head("Starting Postgres, Qdrant, a receiver of traces and the five services")
    async with running_stack(settings) as stack:
        show_addresses(stack, settings)
        yield _Place(stack.addresses["gateway"], stack.spans_address, is_ours=True)


async def _import(place: _Place, settings: StackSettings, count: int) -> None:
    head(f"Importing what an American grocery sold best: {count:,} products")
    file = await asyncio.to_thread(_catalogue_file, settings.data_dir, count)
    note(f"zhiyin import {file} --catalog {CATALOG} --wait", "dim")
    if await import_file(ImportOptions(file, gateway=place.gateway, catalog=CATALOG, wait=True)) != 0:
        raise CommandFailed("the demonstration's catalogue did not go in whole")


def _catalogue_file(folder: Path, count: int) -> Path:
    path = folder / "demo-products.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            for product in demo_products(count):
                file.write(MessageToJson(product, indent=None, ensure_ascii=False) + "\n")
    except OSError as exc:
        raise CommandFailed(f"{path}: {exc.strerror}") from exc
    return path


async def _replay(place: _Place, settings: StackSettings, shop: Shop, count: int) -> Visitor:
    """Replays purchases as events; returns the visitor that the rest is about."""
    head(f"Replaying what {HOUSEHOLDS} real households bought in a year, moved to end now")
    products = await asyncio.to_thread(lambda: list(demo_products(count)))
    made = await asyncio.to_thread(baskets, [product.id for product in products])
    file = await asyncio.to_thread(_events_file, settings.data_dir, count, made)
    note(f"zhiyin events import {file} --catalog {CATALOG}", "dim")
    summary = await import_events(EventImportOptions(file, gateway=place.gateway, catalog=CATALOG))
    if summary.rejected:
        raise CommandFailed("some of the purchases did not go in")
    await wait_until_counted(shop, *purchases_of_most_bought(made))
    household = busiest_household(made)
    categories = {product.id: product.categories[0].split(" > ")[1] for product in products}
    return Visitor(visitor_of(household), unknown_category(made, household, categories).lower())


def _events_file(folder: Path, count: int, made: list[Basket]) -> Path:
    """Written once: the same purchase at another time would be another one, and is refused."""
    path = folder / f"demo-events-{count}.jsonl"
    if not path.exists():
        written = path.with_suffix(".new")
        try:
            with written.open("w", encoding="utf-8") as file:
                for event in events_of(made, datetime.now(UTC)):
                    file.write(MessageToJson(event, indent=None) + "\n")
            written.replace(path)
        except OSError as exc:
            raise CommandFailed(f"{path}: {exc.strerror}") from exc
    return path


async def _search(shop: Shop) -> Page:
    """The searches, each with its first results; the first one goes on to page two. Returns the last one."""
    async with shop.open() as gateway:
        first, *others = QUERIES
        page = await _show_search(gateway, first)
        await _show_next_page(gateway, first, page.response.next_page_token)
        for query in others:
            page = await _show_search(gateway, query)
        return page


async def _show_search(gateway: CatalogueGateway, query: str) -> Page:
    head(f"zhiyin search {shlex.quote(query)}")
    return await first_page(gateway, SearchRequest(query=query, page_size=PAGE_SIZE))


async def _show_next_page(gateway: CatalogueGateway, query: str, token: str) -> None:
    head("The next page, from the same frozen list, and what each score is made of")
    pages = await pages_of(gateway, SearchRequest(query=query, page_size=PAGE_SIZE, page_token=token), 1)
    show_pages(pages, explain=True)


async def _trace(place: _Place, page: Page) -> None:
    if place.spans is None:
        note(f"Your collector has the trace {page.trace_id}.")
        return
    head("The last search in Chinese, through every service")
    show_trace(page.trace_id, trace_tree(await complete_trace(place.spans, page.trace_id, TRACE_SECONDS)))


def _hint(place: _Place, page: Page, settings: StackSettings, visitor: str) -> None:
    head("What to try next")
    gateway = "" if place.gateway == DEFAULT_GATEWAY else f" --gateway {place.gateway}"
    spans = "" if place.spans in {None, DEFAULT_SPANS} else f" --spans {place.spans}"
    product = page.response.results[0].product.id
    if place.is_ours:
        RESULTS.print(plain(f"zhiyin up --data-dir {settings.data_dir}  # once this has ended", "bold"), soft_wrap=True)
    for command in (
        f"zhiyin search '有机苹果' --explain --catalog {CATALOG}{gateway}",
        f"zhiyin search 'ice cream' --max-price 3 --brand 'Store brand' --pages 2 --catalog {CATALOG}{gateway}",
        f"zhiyin search cheese --attribute 'weight=..0.25 kg' --facet brand --sort price --catalog {CATALOG}{gateway}",
        f"zhiyin similar {product} --catalog {CATALOG}{gateway}",
        f"zhiyin recommend --visitor {visitor} --language zh --explain --catalog {CATALOG}{gateway}",
        f"zhiyin recommend --page product --product {product} --catalog {CATALOG}{gateway}",
        f"zhiyin profile --visitor {visitor} --catalog {CATALOG}{gateway}",
        f"zhiyin stats {product} --catalog {CATALOG}{gateway}",
        f"zhiyin erase --visitor {visitor} --catalog {CATALOG}{gateway}",
        f"zhiyin show {product} --catalog {CATALOG}{gateway}",
        f"zhiyin index status --catalog {CATALOG}{gateway}",
        f"zhiyin trace {page.trace_id}{spans}",
        f"zhiyin import YOUR_PRODUCTS.csv{gateway}",
    ):
        RESULTS.print(plain(command, "bold"), soft_wrap=True)
