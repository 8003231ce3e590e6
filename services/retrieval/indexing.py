"""Carries changes from the outbox to the index: read, encode, write, and only then take out of the outbox.

A change is carried at least once. What is written is always the product as it stands now, and one process at a time
writes, so an older version never replaces a newer one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Protocol

import numpy as np

from services.common.errors import FailedPrecondition, InvalidArgument, NotFound, PeerTimeout, ServiceError, Unavailable
from services.retrieval.documents import Document, DocumentRules, document_of
from services.retrieval.geometry import CentredVector, centre
from services.retrieval.index_version import IndexVersion, Model
from services.retrieval.pauses import Pause
from services.retrieval.product import Product

_MOST_TEXTS: Final = 256
"""Texts that the encoder takes in one call."""


@dataclass(frozen=True, slots=True)
class PendingChange:
    """An entry of the outbox, with the product as it stands."""

    catalog: str
    product_id: str
    change: int
    """Number of the product's last change; the entry is done only if it is still the last one afterwards."""
    content: bytes | None
    """The product's message; None = it was deleted."""
    product: Product | None
    words_indexed: bool
    """The index finds this change by words already."""
    trace_parent: str | None
    """W3C trace context of the call that wrote it."""


@dataclass(frozen=True, slots=True)
class KeptVector:
    """A vector that was encoded before, as float16 bytes."""

    text_digest: bytes
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class IndexedProduct:
    """A product to be written to the index."""

    pending: PendingChange
    content: bytes
    product: Product
    document: Document
    vector: CentredVector | None
    """None = found by words only."""


class Outbox(Protocol):
    """Changes that the index has not got yet."""

    async def take(self, limit: int, *, vectors_too: bool, without: Sequence[str]) -> Sequence[PendingChange]:
        """Up to `limit` changes, those that nothing finds yet before those that wait for a vector, else oldest first.

        `vectors_too` = False leaves the latter out; so does `without` all changes of some catalogues.
        """

    async def settle(self, done: Sequence[PendingChange], words_only: Sequence[PendingChange]) -> None:
        """Takes `done` out and marks `words_only`, each only where it still is the product's last change."""

    async def give_up(self, change: PendingChange, reason: str) -> None:
        """Marks a change that the index refuses; it is not taken again until the product changes."""


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

    async def remove(self, version: IndexVersion, ids: Sequence[str]) -> None:
        """Removes products; durable on return. Raises ServiceError."""


class Versions(Protocol):
    """Which index versions there are."""

    async def active(self, catalog: str) -> IndexVersion:
        """The active version of a catalogue, made if it is the first; its collection exists. Raises ServiceError."""


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


class IndexingMeter(Protocol):
    """Hears what the indexer does, for logs and metrics."""

    def gave_up(self, change: PendingChange, reason: str) -> None:
        """A change was given up."""

    def text_refused(self, product_id: str) -> None:
        """The encoder refused a product's text; it is found by words only until its text changes."""

    def part_away(self, part: str, error: ServiceError, seconds: float) -> None:
        """A part failed; it is left alone for some seconds."""


class BatchIndexer:
    """Indexes one batch of changes."""

    def __init__(
        self,
        outbox: Outbox,
        vectors: VectorStore,
        versions: Versions,
        encoder: DocumentEncoder,
        writer: IndexWriter,
        meter: IndexingMeter,
        rules: DocumentRules,
        pause: Pause,
    ) -> None:
        self._outbox = outbox
        self._vectors = vectors
        self._versions = versions
        self._encoder = encoder
        self._writer = writer
        self._meter = meter
        self._rules = rules
        self._pause = pause
        self._texts_at_once = _MOST_TEXTS

    async def take(self, limit: int) -> Sequence[PendingChange]:
        """The next changes worth trying. Raises Unavailable where the database is away."""
        return await self._outbox.take(
            limit, vectors_too=not self._pause.holds("encoder"), without=self._pause.held("catalog:")
        )

    async def index(self, changes: Sequence[PendingChange]) -> BatchReport:
        """Indexes changes, catalogue by catalogue.

        Raises:
            ServiceError: the database or the index is away; what was not settled is taken again.
        """
        report = BatchReport(taken=len(changes))
        by_catalog = sorted(changes, key=lambda change: change.catalog)
        for catalog, group in groupby(by_catalog, key=lambda change: change.catalog):
            try:
                version = await self._versions.active(catalog)
            except ServiceError as error:
                # A first version needs the encoder. Other catalogues do not wait for this one.
                self._hold(f"catalog:{catalog}", error)
                continue
            try:
                report = _sum(report, await self._index_catalog(version, list(group)))
            except (Unavailable, NotFound):
                # The whole index is away, or a collection is gone, which the next check makes anew.
                raise
            except ServiceError as error:
                self._hold(f"catalog:{catalog}", error)
                continue
            self._pause.end(f"catalog:{catalog}")
        return report

    async def _index_catalog(self, version: IndexVersion, changes: Sequence[PendingChange]) -> BatchReport:
        documents = {
            change.product_id: document_of(change.product, self._rules)
            for change in changes
            if change.product is not None
        }
        kept, encoded = await self._vectors_of(version, documents)
        products = [
            IndexedProduct(change, change.content, change.product, document, _centred(kept, change, version))
            for change in changes
            if change.product is not None and change.content is not None
            for document in (documents[change.product_id],)
        ]
        removed = [change for change in changes if change.product is None]
        # A change that waits for its vector, and still has none, is written already.
        to_write = [p for p in products if p.product.id in kept or not p.pending.words_indexed]
        given_up = await self._write(version, to_write)
        if removed:
            await self._writer.remove(version, [change.product_id for change in removed])
        written = [p.pending for p in to_write if p.pending not in given_up]
        done = [change for change in written if change.product_id in kept]
        words_only = [change for change in written if change.product_id not in kept]
        await self._outbox.settle([*done, *removed], words_only)
        return BatchReport(
            indexed=len(done),
            words_only=len(words_only),
            removed=len(removed),
            encoded=encoded,
            reused=len(done) - encoded,
            given_up=len(given_up),
        )

    async def _vectors_of(
        self, version: IndexVersion, documents: Mapping[str, Document]
    ) -> tuple[dict[str, KeptVector], int]:
        """Vectors by product id, as many as there are; and how many of them were encoded now."""
        if not documents:
            return {}, 0
        kept = await self._vectors.kept(version.catalog, version.model.revision, list(documents))
        current = {
            product_id: kept[product_id]
            for product_id, document in documents.items()
            if product_id in kept and kept[product_id].text_digest == document.text_digest
        }
        absent = [product_id for product_id in documents if product_id not in current][: self._texts_at_once]
        if not absent or self._pause.holds("encoder"):
            return current, 0
        try:
            fresh = await self._encode(version.model, {product_id: documents[product_id] for product_id in absent})
        except ServiceError as error:
            if isinstance(error, PeerTimeout):
                # Fewer at once, so that a slow encoder gets on, if slowly; those left out wait for the next pass.
                self._texts_at_once = max(1, len(absent) // 2)
            self._hold("encoder", error)
            return current, 0
        await self._vectors.keep(version.catalog, version.model.revision, fresh)
        self._pause.end("encoder")
        self._texts_at_once = min(_MOST_TEXTS, 2 * self._texts_at_once)
        return current | fresh, len(fresh)

    async def _encode(self, model: Model, documents: Mapping[str, Document]) -> dict[str, KeptVector]:
        """Encodes documents; a text that the encoder refuses is left out, and the others do not suffer for it."""
        ids = list(documents)
        try:
            vectors = await self._encoder.encode_documents([documents[i].text for i in ids], model)
        except InvalidArgument:
            if len(ids) == 1:
                self._meter.text_refused(ids[0])
                return {ids[0]: KeptVector(documents[ids[0]].text_digest, b"")}
            half = len(ids) // 2
            first, second = ids[:half], ids[half:]
            return {
                **await self._encode(model, {i: documents[i] for i in first}),
                **await self._encode(model, {i: documents[i] for i in second}),
            }
        return {i: KeptVector(documents[i].text_digest, data) for i, data in zip(ids, vectors, strict=True)}

    async def _write(self, version: IndexVersion, products: Sequence[IndexedProduct]) -> list[PendingChange]:
        """Writes products; returns what was given up, one product that the index refuses and nothing else."""
        if not products:
            return []
        try:
            await self._writer.write(version, products)
        except InvalidArgument as error:
            if len(products) == 1:
                await self._outbox.give_up(products[0].pending, error.reason)
                self._meter.gave_up(products[0].pending, error.reason)
                return [products[0].pending]
            half = len(products) // 2
            return [*await self._write(version, products[:half]), *await self._write(version, products[half:])]
        return []

    def _hold(self, part: str, error: ServiceError) -> None:
        # A wrong model does not become right in a moment.
        at_least = 5.0 if isinstance(error, FailedPrecondition) else 0.0
        seconds = self._pause.begin(part, max(error.retry_after or 0.0, at_least))
        self._meter.part_away(part, error, seconds)


def _centred(kept: Mapping[str, KeptVector], change: PendingChange, version: IndexVersion) -> CentredVector | None:
    vector = kept.get(change.product_id)
    if vector is None or not vector.data:
        return None
    return centre(np.frombuffer(vector.data, "<f2").astype(np.float32), version.mean)


def _sum(one: BatchReport, other: BatchReport) -> BatchReport:
    return BatchReport(
        one.taken + other.taken,
        one.indexed + other.indexed,
        one.words_only + other.words_only,
        one.removed + other.removed,
        one.encoded + other.encoded,
        one.reused + other.reused,
        one.given_up + other.given_up,
    )
