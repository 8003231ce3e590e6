"""A shopper, as the demonstration shows it: what is recommended, and how soon a click changes it."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cli.actions import EVENT_TYPES, Action
from cli.demo_shop import ATTEMPTS, PAUSE_SECONDS, SEARCH_SECONDS, Shop, first_page, head
from cli.event_commands import KEPT
from cli.gateway import connected
from cli.output import RESULTS, note, plain
from cli.pages import Fetched, fetch_pages
from cli.progress import progress_shown
from cli.recommendations import Recommended, show_recommendations
from cli.running import CommandFailed
from cli.shopper_gateway import ShopperGateway
from zhiyin.common.v1.degradation_pb2 import DegradationKind
from zhiyin.common.v1.user_event_pb2 import UserEvent
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

PLACES: Final = 10
COUNTING_SECONDS: Final = 60.0
CHANGE_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.02
_UNFINISHED: Final = (
    DegradationKind.DEGRADATION_KIND_NOT_PERSONALISED,
    DegradationKind.DEGRADATION_KIND_WITHOUT_CO_OCCURRENCE,
    DegradationKind.DEGRADATION_KIND_WITHOUT_CONTENT,
    DegradationKind.DEGRADATION_KIND_NOT_RANKED,
)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whom the demonstration is about."""

    name: str
    """Pseudonym."""
    looks_for: str
    """What it never bought."""


@dataclass(frozen=True, slots=True)
class Click:
    """A click, and the list in which the product was shown."""

    product_id: str
    title: str
    attribution_token: str


async def wait_until_counted(shop: Shop, product_id: str, purchases: int) -> None:
    """Comes back when the statistics hold all purchases of a product; on a busy machine the rest follows later."""
    started = time.perf_counter()
    async with connected(ShopperGateway, shop.target, catalog=shop.catalog, seconds=SEARCH_SECONDS) as gateway:
        with progress_shown("purchases of the product that is bought most are counted") as show:
            while (counted := await _purchases(gateway, product_id)) < purchases:
                show(counted, purchases)
                if time.perf_counter() - started > COUNTING_SECONDS:
                    note(f"{counted:,} of {purchases:,} purchases are counted; the others follow.", "yellow")
                    return
                await asyncio.sleep(10 * POLL_SECONDS)
    note(f"Everything was counted {time.perf_counter() - started:.1f} s after the last event was on disk.")


async def show_visitor(shop: Shop, visitor: Visitor) -> None:
    """Recommends, records a click, and shows the list again as soon as the click has changed it.

    Raises:
        CommandFailed: it changed nothing in time.
    """
    async with connected(ShopperGateway, shop.target, catalog=shop.catalog, seconds=SEARCH_SECONDS) as gateway:
        head(f"What {visitor.name} bought decides what it is recommended, each product with its reason")
        note(f"zhiyin recommend --visitor {visitor.name} --page-size {PLACES} --catalog {shop.catalog}", "dim")
        before = await _recommended(gateway, visitor.name)
        show_recommendations([before], explain=False)
        click = await _look_for_something_new(shop, visitor)
        recorded = await _record(gateway, visitor.name, click)
        after = await _until_changed(gateway, visitor.name, click)
        seconds = time.perf_counter() - recorded
        show_recommendations([after], explain=False)
    shown = {each.product.id for each in before.response.recommendations}
    new = [each for each in after.response.recommendations if each.product.id not in shown]
    text = f"{len(new)} of {PLACES} places are new {seconds * 1000:.0f} ms after the click was on disk"
    RESULTS.print(plain(text, "bold"), soft_wrap=True)


async def _purchases(gateway: ShopperGateway, product_id: str) -> int:
    (found,) = await gateway.statistics([product_id])
    return next((each.count for each in found.actions if each.type == EVENT_TYPES[Action.PURCHASE]), 0)


async def _recommended(gateway: ShopperGateway, visitor: str) -> Recommended:
    """The list; asked for again while a busy machine is too slow for all of it."""
    for attempt in range(ATTEMPTS):
        page = await _one_list(gateway, visitor)
        if attempt == ATTEMPTS - 1 or _is_whole(page):
            break
        note("A part was too slow for this machine's load: asking again.", "yellow")
        await asyncio.sleep(PAUSE_SECONDS)
    if not page.response.recommendations:
        raise CommandFailed("nothing was recommended")
    return page


async def _one_list(gateway: ShopperGateway, visitor: str) -> Fetched[pb.RecommendResponse]:
    request = pb.RecommendRequest(visitor_id=visitor, page_size=PLACES)
    (page,) = await fetch_pages(gateway.recommend, request, 1)
    return page


async def _look_for_something_new(shop: Shop, visitor: Visitor) -> Click:
    head(f"It looks for {visitor.looks_for}, which it never bought, and clicks on the first result")
    async with shop.open() as catalogue:
        page = await first_page(
            catalogue, pb.SearchRequest(query=visitor.looks_for, page_size=3, visitor_id=visitor.name)
        )
    product = page.response.results[0].product
    return Click(product.id, product.title, page.response.attribution_token)


async def _record(gateway: ShopperGateway, visitor: str, click: Click) -> float:
    """Records the click; when it was on disk, by the clock of `time.perf_counter`."""
    note(f"zhiyin event click --visitor {visitor} --product {click.product_id} --attribution ...", "dim")
    event = UserEvent(
        event_id=str(uuid.uuid4()),
        type=EVENT_TYPES[Action.CLICK],
        visitor_id=visitor,
        attribution_token=click.attribution_token,
    )
    event.products.add(product_id=click.product_id)
    started = time.perf_counter()
    (result,) = await gateway.record([event])
    answered = time.perf_counter()
    if result.outcome not in KEPT:
        raise CommandFailed("the click was refused")
    note(f"The click on “{click.title}” was on disk after {(answered - started) * 1000:.1f} ms.")
    return answered


async def _until_changed(gateway: ShopperGateway, visitor: str, click: Click) -> Recommended:
    """The first list, made of the same sources, of which something is there because of the click."""
    head("The same list after the click")
    end = time.perf_counter() + CHANGE_SECONDS
    while True:
        page = await _one_list(gateway, visitor)
        if _is_whole(page) and _is_because_of(page.response.recommendations, click.product_id):
            return page
        if time.perf_counter() > end:
            show_recommendations([page], explain=False)
            raise CommandFailed(f"the click changed nothing within {CHANGE_SECONDS:g} s")
        await asyncio.sleep(POLL_SECONDS)


def _is_whole(page: Recommended) -> bool:
    return {each.kind for each in page.response.degradations}.isdisjoint(_UNFINISHED)


def _is_because_of(recommendations: Sequence[pb.Recommendation], product_id: str) -> bool:
    return any(each.reason.product_id == product_id for each in recommendations)
