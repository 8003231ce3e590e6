"""What real households bought, as events: the purchases of the Complete Journey data, moved to end now.

A basket is one event, without prices. Of products that the demonstration's catalogue lacks nothing is said.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cli.demo_catalogue import data_folder
from cli.running import CommandFailed
from zhiyin.common.v1.user_event_pb2 import EventProduct, UserEvent, UserEventType

HOUSEHOLDS: Final = 80
LAST_PURCHASE: Final = timedelta(minutes=5)
"""How long ago the last purchase of all is made to be."""
LATELY: Final = timedelta(days=60)
_COLUMNS: Final = ("household_id", "basket_id", "product_id", "quantity", "transaction_timestamp")


@dataclass(frozen=True, slots=True)
class Basket:
    """What a household bought at once."""

    basket_id: int
    household: int
    time: datetime
    """By the shop's clock, which has no zone."""
    units: Mapping[str, int]
    """By product."""


def baskets(product_ids: Collection[str], households: int = HOUSEHOLDS) -> list[Basket]:
    """The baskets of the first households by number, which are no special ones; the oldest basket first.

    Raises:
        CommandFailed: the wheel is not installed.
    """
    lines = pq.read_table(data_folder() / "transactions.parquet", columns=list(_COLUMNS))
    lines = lines.filter(pc.is_in(lines["product_id"], pa.array([int(product_id) for product_id in product_ids])))
    chosen = sorted(lines["household_id"].unique().to_pylist())[:households]
    lines = lines.filter(pc.is_in(lines["household_id"], pa.array(chosen)))
    found = lines.sort_by([("transaction_timestamp", "ascending"), ("basket_id", "ascending")])
    # Nanoseconds would come as a type of pandas.
    place = found.schema.get_field_index("transaction_timestamp")
    found = found.set_column(place, "transaction_timestamp", found["transaction_timestamp"].cast(pa.timestamp("s")))
    return _grouped(found.to_pylist())


def events_of(made: Sequence[Basket], now: datetime) -> Iterator[UserEvent]:
    """An event for each basket, the last one a few minutes before `now`, all others as long before it as they were."""
    moved = now - LAST_PURCHASE - made[-1].time.replace(tzinfo=UTC)
    for basket in made:
        event = UserEvent(
            event_id=f"basket-{basket.basket_id}",
            type=UserEventType.USER_EVENT_TYPE_PURCHASE_COMPLETE,
            visitor_id=visitor_of(basket.household),
            products=[EventProduct(product_id=name, quantity=units) for name, units in basket.units.items()],
        )
        event.event_time.FromDatetime((basket.time.replace(tzinfo=UTC) + moved).replace(microsecond=0))
        yield event


def visitor_of(household: int) -> str:
    """The pseudonym of a household."""
    return f"household-{household}"


def busiest_household(made: Sequence[Basket]) -> int:
    """The household that came most often lately."""
    since = made[-1].time - LATELY
    lately = Counter(basket.household for basket in made if basket.time > since)
    return min(lately, key=lambda household: (-lately[household], household))


def unknown_category(made: Sequence[Basket], household: int, categories: Mapping[str, str]) -> str:
    """The category that others buy most and a household never did; `categories` by product.

    Raises:
        CommandFailed: it bought from all.
    """
    bought = Counter[str]()
    own = set[str]()
    for basket in made:
        names = {categories[product_id] for product_id in basket.units}
        bought.update(names)
        own |= names if basket.household == household else set()
    left = {name: count for name, count in bought.items() if name not in own}
    if not left:
        raise CommandFailed("the household bought from every category: there is nothing new to look for")
    return min(left, key=lambda name: (-left[name], name))


def purchases_of_most_bought(made: Sequence[Basket]) -> tuple[str, int]:
    """The product that is in most baskets, and in how many."""
    ((product_id, count),) = Counter(name for basket in made for name in basket.units).most_common(1)
    return product_id, count


def _grouped(lines: Sequence[Mapping[str, Any]]) -> list[Basket]:
    units: dict[int, dict[str, int]] = {}
    firsts: dict[int, Mapping[str, Any]] = {}
    for line in lines:
        basket_id, product_id = line["basket_id"], str(line["product_id"])
        firsts.setdefault(basket_id, line)
        basket = units.setdefault(basket_id, {})
        # What is brought back later is written as no units.
        basket[product_id] = basket.get(product_id, 0) + max(1, line["quantity"])
    return [
        Basket(basket_id, first["household_id"], first["transaction_timestamp"], units[basket_id])
        for basket_id, first in firsts.items()
    ]
