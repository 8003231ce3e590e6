"""What feedback has counted of products, in memory: a row per product of a catalogue.

A copy of what feedback keeps, never the record of it: a replica that has just started knows nothing until it has read
the feed to its end, and says so. Memory is bounded: where there are more products than may be kept, those of the
least popularity leave first, and then count as hardly seen, which is about right.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np

from services.ranker.candidates import Candidates, FloatArray

_KEPT_SHARE: Final = 0.95
"""Share of the limit that is left once products had to leave, so that this happens rarely."""
_FIRST_ROWS: Final = 1024
DEFAULT_CATALOG: Final = "default"


@dataclass(frozen=True, slots=True)
class ProductCounts:
    """What is counted of one product."""

    catalog: str
    product_id: str
    purchases: float
    """Units bought."""
    actions: float
    """Events of all kinds with the product."""
    impressions: float
    """Times it was shown."""
    popularity: float
    """Weighted, decayed actions as of when it last changed; decides who leaves where memory is short."""

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is counted, as after an erasure."""
        return self.purchases == self.actions == self.impressions == 0


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What is counted of some products; arrays of shape (n,).

    0 where nothing is counted; NaN everywhere while the feed has not been read to its end once: nothing is known then.
    """

    purchases: FloatArray
    actions: FloatArray
    impressions: FloatArray


def with_counts(candidates: Candidates, counted: Counted) -> Candidates:
    """Candidates whose sales are those that the shop imported, as a prior, and those counted since.

    Ratings stay what the shop says: what shoppers rated here is part of that or not, which nobody can tell.
    """
    bought = counted.purchases > 0
    sales = np.where(bought, np.nan_to_num(candidates.sales_count) + counted.purchases, candidates.sales_count)
    return replace(candidates, sales_count=sales)


class Statistics(Protocol):
    """Where the ranker looks counts up, in a request."""

    def counted(self, catalog: str, product_ids: Sequence[str]) -> Counted:
        """What is counted of these products of the catalogue, empty = `default`."""
        ...


class StatisticsTable:
    """A Statistics of at most `max_products` products in all."""

    def __init__(self, max_products: int, clock: Callable[[], float]) -> None:
        self._max_products = max_products
        self._clock = clock
        self._rows: dict[str, dict[str, int]] = {}
        """Row of each product, by catalogue."""
        self._keys: list[tuple[str, str] | None] = []
        """Catalogue and product of each row; None = the row is free."""
        self._free: list[int] = []
        # Columns: purchases, actions, impressions, popularity. The last row stays 0: that of products not kept.
        self._values = np.zeros((_FIRST_ROWS, 4))
        self._current_at: float | None = None

    @property
    def product_count(self) -> int:
        """Products that are kept."""
        return len(self._keys) - len(self._free)

    @property
    def age_seconds(self) -> float | None:
        """Seconds since the feed was last read to its end; None = it never was."""
        return None if self._current_at is None else max(0.0, self._clock() - self._current_at)

    def counted(self, catalog: str, product_ids: Sequence[str]) -> Counted:
        """What is counted of these products of the catalogue, empty = `default`."""
        if self._current_at is None:
            unknown = np.full(len(product_ids), np.nan)
            return Counted(unknown, unknown, unknown)
        nowhere = len(self._values) - 1
        rows = self._rows.get(catalog or DEFAULT_CATALOG, {})
        found = self._values[[rows.get(product_id, nowhere) for product_id in product_ids]]
        return Counted(found[:, 0], found[:, 1], found[:, 2])

    def apply(self, changes: Iterable[ProductCounts]) -> None:
        """Takes each product as it is now; one of which nothing is counted leaves."""
        for change in changes:
            if change.is_nothing:
                self._remove(change.catalog, change.product_id)
            else:
                values = (change.purchases, change.actions, change.impressions, change.popularity)
                row = self._row(change.catalog, change.product_id)
                self._values[row] = values
        if self.product_count > self._max_products:
            self._evict(self.product_count - int(self._max_products * _KEPT_SHARE))

    def mark_current(self) -> None:
        """Notes that the feed has been read to its end just now."""
        self._current_at = self._clock()

    def clear(self) -> None:
        """Forgets everything, for reading the feed from its beginning."""
        self._rows.clear()
        self._keys.clear()
        self._free.clear()
        self._values = np.zeros((_FIRST_ROWS, 4))
        self._current_at = None

    def _row(self, catalog: str, product_id: str) -> int:
        rows = self._rows.setdefault(catalog, {})
        row = rows.get(product_id)
        if row is None:
            row = rows[product_id] = self._free_row()
            self._keys[row] = catalog, product_id
        return row

    def _free_row(self) -> int:
        if self._free:
            return self._free.pop()
        self._keys.append(None)
        if len(self._keys) == len(self._values):
            self._values = np.concatenate([self._values, np.zeros_like(self._values)])
        return len(self._keys) - 1

    def _remove(self, catalog: str, product_id: str) -> None:
        row = self._rows.get(catalog, {}).pop(product_id, None)
        if row is not None:
            self._values[row] = 0.0
            self._keys[row] = None
            self._free.append(row)

    def _evict(self, count: int) -> None:
        popularity = self._values[: len(self._keys), 3].copy()
        popularity[self._free] = np.inf
        for row in np.argpartition(popularity, count - 1)[:count].tolist():
            key = self._keys[row]
            if key is not None:
                self._remove(*key)
