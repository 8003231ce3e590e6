"""What the indexer carries, and whom it needs for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from services.common.errors import ServiceError
from services.retrieval.documents import Document
from services.retrieval.geometry import CentredVector
from services.retrieval.index_version import IndexVersion, Model
from services.retrieval.product import Product

VersionKey: TypeAlias = tuple[str, int]
"""Catalogue and number of an index version."""


@dataclass(frozen=True, slots=True)
class PendingChange:
    """An entry of the outbox, with the product as it stands."""

    catalog: str
    version: int
    """Number of the index version that has not got the change."""
    product_id: str
    change: int
    """Number of the entry; it is done only if the entry still has it afterwards."""
    product_change: int
    """Number of the product's last change; 0 where it was deleted."""
    content: bytes | None
    """The product's message, without offers; None = it was deleted."""
    product: Product | None
    words_indexed: bool
    """The index finds this change by words already."""
    trace_parent: str | None
    """W3C trace context of the call that wrote it."""

    @property
    def key(self) -> VersionKey:
        """The index version."""
        return self.catalog, self.version


@dataclass(frozen=True, slots=True)
class KeptVector:
    """A vector that was encoded before, as float16 bytes."""

    text_digest: bytes
    data: bytes
    """Empty where the encoder refused the text."""


@dataclass(frozen=True, slots=True, eq=False)
class IndexedProduct:
    """A product to be written to the index."""

    pending: PendingChange
    content: bytes
    product: Product
    document: Document
    vector: CentredVector | None
    """None = found by words only."""
    offers: Sequence[bytes] = ()
    """Its offers, each a serialised message, by region; read immediately before they are written."""

    @property
    def change(self) -> int:
        """Number of the product's change."""
        return self.pending.product_change


class Outbox(Protocol):
    """Changes that index versions have not got yet."""

    async def take(
        self, limit: int, *, without_vectors: Sequence[str], without: Sequence[str]
    ) -> Sequence[PendingChange]:
        """Up to `limit` changes, in the order in which they are worth trying.

        Active versions come before those that are kept for going back, and those before builds; in a version, what
        nothing finds yet before what waits for a vector, else the oldest first.

        Args:
            limit: most changes.
            without_vectors: model revisions whose encoder is away: what only waits for their vectors is left out.
            without: names of versions that are left out wholly, `catalog.number`.
        """

    async def settle(self, done: Sequence[PendingChange], words_only: Sequence[PendingChange]) -> None:
        """Takes `done` out and marks `words_only`, each only where the entry is still the same."""

    async def give_up(self, change: PendingChange, reason: str) -> None:
        """Marks a change that the index refuses; it is not taken again until the product changes."""


class OfferReader(Protocol):
    """Offers in the system of record."""

    async def offers(self, catalog: str, ids: Sequence[str]) -> Mapping[str, Sequence[bytes]]:
        """Serialised offers of products that have any, by product id, in the order of their regions."""


class VectorStore(Protocol):
    """Vectors kept in the system of record: an unchanged text is not encoded again, not even into a new index."""

    async def kept(self, catalog: str, revision: str, ids: Sequence[str]) -> Mapping[str, KeptVector]:
        """Vectors by product id."""

    async def keep(self, catalog: str, revision: str, vectors: Mapping[str, KeptVector]) -> None:
        """Keeps vectors by product id, in place of older ones."""


class DocumentEncoder(Protocol):
    """Turns product texts into vectors."""

    async def encode_documents(self, texts: Sequence[str], model: Model) -> Sequence[bytes]:
        """One float16 vector per text, in order. Raises ServiceError."""


class IndexWriter(Protocol):
    """Writes to one collection of the index."""

    async def write(self, version: IndexVersion, products: Sequence[IndexedProduct]) -> None:
        """Writes products, each in place of an older one; durable on return. Raises ServiceError."""

    async def write_offers(self, version: IndexVersion, offers: Mapping[str, Sequence[bytes]]) -> None:
        """Replaces the offers of products that the index has, by product id; durable on return. Raises ServiceError."""

    async def remove(self, version: IndexVersion, ids: Sequence[str]) -> None:
        """Removes products; durable on return. Raises ServiceError."""


class Versions(Protocol):
    """Which index versions there are."""

    async def version(self, catalog: str, number: int) -> IndexVersion | None:
        """A version whose collection exists; None where it is deleted.

        The first one of a catalogue is made where there is none. Raises ServiceError.
        """


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What one pass did."""

    taken: int = 0
    indexed: int = 0
    words_only: int = 0
    removed: int = 0
    encoded: int = 0
    reused: int = 0
    given_up: int = 0

    def __add__(self, other: "BatchReport") -> "BatchReport":
        return BatchReport(
            self.taken + other.taken,
            self.indexed + other.indexed,
            self.words_only + other.words_only,
            self.removed + other.removed,
            self.encoded + other.encoded,
            self.reused + other.reused,
            self.given_up + other.given_up,
        )

    @property
    def has_progress(self) -> bool:
        """Whether anything went on, so that there may be more to do at once."""
        return self.indexed + self.words_only + self.removed + self.given_up > 0


class IndexingMeter(Protocol):
    """Hears what the indexer does, for logs and metrics."""

    def gave_up(self, change: PendingChange, reason: str) -> None:
        """A change was given up."""

    def text_refused(self, product_id: str) -> None:
        """The encoder refused a product's text; it is found by words only until its text changes."""

    def offers_refused(self, product_id: str) -> None:
        """The index refused a product's offers; it keeps showing the ones before until they change."""

    def part_away(self, part: str, error: ServiceError, seconds: float) -> None:
        """A part failed; it is left alone for some seconds."""
