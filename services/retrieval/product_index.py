"""What searches ask of the index: the port, and the values that cross it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from services.retrieval.analysis import SparseVector
from services.retrieval.filters import ProductFilter
from services.retrieval.geometry import CentredVector, Vector
from services.retrieval.index_version import IndexVersion

BRAND, CATEGORY, PRICE, AVAILABILITY, RATING = "brand", "category", "price", "availability", "rating"
SALES, CREATED = "sales", "created"
"""Names of facts; those of attributes are `attributes.NAME`. Facets name their fields likewise."""


class Facts(NamedTuple):
    """What facets count and orders compare; of a product, only what was asked for is filled."""

    brand: str = ""
    categories: Sequence[str] = ()
    """Paths and all above them, normalised."""
    currency: str = ""
    """Of the region's price; empty = there is none."""
    price: float = 0.0
    availability: int = 0
    rating: float | None = None
    rating_count: int = 0
    sales: int | None = None
    created: float | None = None
    """Seconds since 1970."""
    attributes: Mapping[str, Sequence[str] | Sequence[float]] = {}
    """By name; numbers in the declared unit, a yes or no as `true` or `false`."""


NO_FACTS: Final = Facts()


class Hit(NamedTuple):
    """A product as a leg of the index returned it."""

    point: str
    """Id of its point in the index."""
    score: float
    product_id: str
    group: str
    """Id of the primary product: what variants have in common."""
    length: float
    """Length of the product's vector; NaN = it has none yet."""
    centred_length: float
    """The same once the mean is taken away."""
    facts: Facts = NO_FACTS
    fields: object = None
    """What ProductIndex.card reads."""


class Card(NamedTuple):
    """What a result shows, packed by the index's adapter and unpacked at the edge: opaque in between."""

    product: str
    offer: str
    """The region's offer; empty = none there."""


class LegQuery(NamedTuple):
    """What the legs look for: None for a leg that does not run."""

    direction: Vector | None
    words: SparseVector | None


class LegHits(NamedTuple):
    """What the legs found, best first; None for a leg that did not run."""

    dense: Sequence[Hit] | None
    lexical: Sequence[Hit] | None


class LegScores(NamedTuple):
    """Scores by point of what was asked for; what a leg has nothing to say of is left out."""

    dense: Mapping[str, float]
    lexical: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Window:
    """The best of each leg that pass a filter."""

    wanted: ProductFilter
    size: int
    """Products of each leg at most."""
    facts: frozenset[str] = frozenset()
    """Names of the facts to read."""
    cards: bool = False
    """Whether what results show is read too."""
    without_groups: Sequence[str] = ()
    """Products whose variants, and which themselves, are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredProduct:
    """A product as the index keeps it."""

    group: str
    vector: CentredVector | None
    """None = it waits for the encoder."""
    words: SparseVector


class VersionLookUp(Protocol):
    """Which index version of a catalogue searches use."""

    async def version(self, catalog: str) -> IndexVersion:
        """The active version, as it was some seconds ago at most.

        Raises:
            NotFound: the catalogue has none.
            Unavailable: the index is away.
        """

    async def version_now(self, catalog: str) -> IndexVersion:
        """The active version, looked up. Raises as `version`."""


class ProductIndex(VersionLookUp, Protocol):
    """Finds products."""

    async def find(
        self, version: IndexVersion, legs: LegQuery, region: str, windows: Sequence[Window]
    ) -> Sequence[LegHits]:
        """What each window shows, in one round trip.

        Raises:
            NotFound: the version is gone.
            Unavailable: the index is away or too slow.
        """

    async def scores(
        self, version: IndexVersion, legs: LegQuery, dense: Sequence[str], lexical: Sequence[str]
    ) -> LegScores:
        """Scores of the given points, by leg. Raises as `find`."""

    def card(self, hit: Hit, region: str) -> Card:
        """What a result shows of a hit in a window with cards. Nothing is asked: most hits are never shown."""


class StoredProducts(ProductIndex, Protocol):
    """An index that also tells what it keeps of a product."""

    async def stored(self, version: IndexVersion, product_id: str) -> StoredProduct | None:
        """A product; None where it is not there. Raises as `find`."""

    async def groups(self, version: IndexVersion, ids: Sequence[str]) -> Sequence[str]:
        """The groups of those products that are there, in no order. Raises as `find`."""
