"""Writing and reading the catalogue: what a write does to what is stored, and when it is on disk."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final, Protocol

from services.common.errors import Aborted, NotFound, Violation
from services.retrieval.product import Product
from services.retrieval.requests import batch_violations, require
from services.retrieval.signals import IndexingSignals
from services.retrieval.validation import ProductLimits, product_id_violations, product_violations

_ROUNDS: Final = 3
"""Times that a write is decided anew because somebody else created the same product meanwhile."""


class Outcome(Enum):
    """What became of one item of a write."""

    CREATED = auto()
    UPDATED = auto()
    UNCHANGED = auto()
    REJECTED = auto()
    DELETED = auto()
    NOT_FOUND = auto()


class IndexState(Enum):
    """Where a product stands in the index."""

    PENDING = auto()
    WORDS_ONLY = auto()
    SEARCHABLE = auto()


@dataclass(frozen=True, slots=True)
class Draft:
    """A product that somebody wants stored."""

    product: Product
    content: bytes
    """The message as it was sent, without its etag."""
    digest: bytes
    """SHA-256 of `content`."""
    etag: str = ""
    """The version that the caller thinks is stored; empty = any."""

    @property
    def update_time(self) -> datetime | None:
        """When the shop changed the product, whole microseconds."""
        moment = self.product.update_time
        return None if moment is None else moment.to_datetime()


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """What a write is compared with."""

    change: int
    digest: bytes
    update_time: datetime | None


@dataclass(frozen=True, slots=True)
class StoredProduct:
    """A product as it was sent, and where it stands."""

    content: bytes
    change: int
    index_state: IndexState


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of one item."""

    product_id: str
    outcome: Outcome
    change: int | None = None
    """Version of the product after the call; None where there is none."""
    violations: Sequence[Violation] = ()


class CatalogueTransaction(Protocol):
    """Changes of one catalogue that are on disk together, with their entries in the outbox, or not at all."""

    async def lock(self, ids: Sequence[str]) -> Mapping[str, StoredVersion]:
        """What is stored under these ids; nobody else changes it before the end."""

    async def insert(self, drafts: Sequence[Draft]) -> Mapping[str, int]:
        """Stores new products; the change of each by id. Ids that exist by now are left out."""

    async def update(self, drafts: Sequence[Draft]) -> Mapping[str, int]:
        """Replaces locked products; the change of each by id."""

    async def delete(self, ids: Sequence[str]) -> Mapping[str, int]:
        """Deletes products; the change of each that existed, by id."""


class CatalogueStore(Protocol):
    """Where products are kept."""

    def transaction(self, catalog: str) -> AbstractAsyncContextManager[CatalogueTransaction]:
        """Opens a transaction; leaving it without an exception commits."""

    async def find(self, catalog: str, product_id: str) -> StoredProduct | None:
        """One product; None where there is none."""


class Catalogue:
    """The catalogues of a shop."""

    def __init__(self, store: CatalogueStore, signals: IndexingSignals, limits: ProductLimits, batch: int) -> None:
        self._store = store
        self._signals = signals
        self._limits = limits
        self._batch = batch

    async def upsert(self, catalog: str, drafts: Sequence[Draft]) -> list[WriteResult]:
        """Creates or replaces products; one result per draft, in order. Accepted ones are on disk.

        Raises:
            InvalidArgument: the batch is empty, too large, or names an id twice.
            Aborted: products were created and deleted by others faster than this call could follow.
            Unavailable: the database is away.
        """
        require(list(batch_violations("products", [d.product.id for d in drafts], self._batch, inner=".id")))
        results: dict[int, WriteResult] = {}
        valid: dict[str, Draft] = {}
        for position, draft in enumerate(drafts):
            violations = product_violations(draft.product, self._limits)
            if violations:
                results[position] = WriteResult(draft.product.id, Outcome.REJECTED, None, violations)
            else:
                valid[draft.product.id] = draft
        written = await self._store_valid(catalog, valid) if valid else {}
        return [results.get(position) or written[draft.product.id] for position, draft in enumerate(drafts)]

    async def delete(self, catalog: str, ids: Sequence[str]) -> list[WriteResult]:
        """Deletes products; one result per id, in order.

        Raises:
            InvalidArgument: the batch is empty, too large, or names an id twice.
            Unavailable: the database is away.
        """
        require(list(batch_violations("product_ids", ids, self._batch)))
        refused = {product_id: list(product_id_violations("id", product_id)) for product_id in ids}
        valid = sorted(product_id for product_id, violations in refused.items() if not violations)
        deleted: Mapping[str, int] = {}
        if valid:
            async with self._store.transaction(catalog) as transaction:
                deleted = await transaction.delete(valid)
        if deleted:
            self._signals.wake_indexer()
        return [_deletion(product_id, refused[product_id], deleted) for product_id in ids]

    async def get(self, catalog: str, product_id: str) -> StoredProduct:
        """A product as it was imported.

        Raises:
            InvalidArgument: the id is none.
            NotFound: there is no such product.
            Unavailable: the database is away.
        """
        require(list(product_id_violations("product_id", product_id)))
        found = await self._store.find(catalog, product_id)
        if found is None:
            raise NotFound("there is no such product", reason="PRODUCT_NOT_FOUND", metadata={"product_id": product_id})
        return found

    async def _store_valid(self, catalog: str, drafts: Mapping[str, Draft]) -> dict[str, WriteResult]:
        results: dict[str, WriteResult] = {}
        async with self._store.transaction(catalog) as transaction:
            for _ in range(_ROUNDS):
                open_ids = sorted(drafts.keys() - results.keys())
                if not open_ids:
                    break
                results |= await _write(transaction, {product_id: drafts[product_id] for product_id in open_ids})
            if len(results) < len(drafts):
                raise Aborted("products changed while they were written", reason="CONCURRENT_WRITES")
        if any(result.outcome in {Outcome.CREATED, Outcome.UPDATED} for result in results.values()):
            self._signals.wake_indexer()
        return results


def decide(draft: Draft, stored: StoredVersion | None) -> WriteResult:
    """What a valid draft does to what is stored. For CREATED and UPDATED the change is not known yet."""
    product_id = draft.product.id
    # Before the etag: a write that is repeated because its answer was lost has changed the etag itself.
    if stored is not None and stored.digest == draft.digest:
        return WriteResult(product_id, Outcome.UNCHANGED, stored.change)
    if draft.etag and (stored is None or draft.etag != etag_of(stored.change)):
        return _refused(product_id, stored, "etag", "is not that of the stored product", "ETAG_MISMATCH")
    if stored is None:
        return WriteResult(product_id, Outcome.CREATED)
    if draft.update_time is not None and stored.update_time is not None and draft.update_time < stored.update_time:
        return _refused(product_id, stored, "update_time", "is older than that of the stored product", "STALE")
    return WriteResult(product_id, Outcome.UPDATED)


def etag_of(change: int) -> str:
    """The etag of a product's version: opaque to callers."""
    return f"{change:x}"


async def _write(transaction: CatalogueTransaction, drafts: Mapping[str, Draft]) -> dict[str, WriteResult]:
    stored = await transaction.lock(list(drafts))
    decided = {product_id: decide(draft, stored.get(product_id)) for product_id, draft in drafts.items()}
    created = [drafts[i] for i, result in decided.items() if result.outcome is Outcome.CREATED]
    updated = [drafts[i] for i, result in decided.items() if result.outcome is Outcome.UPDATED]
    changes: dict[str, int] = {}
    if created:
        changes |= await transaction.insert(created)
    if updated:
        changes |= await transaction.update(updated)
    return {
        product_id: WriteResult(product_id, result.outcome, changes[product_id]) if product_id in changes else result
        for product_id, result in decided.items()
        # One that somebody else created meanwhile is left for the next round.
        if product_id in changes or result.outcome in {Outcome.UNCHANGED, Outcome.REJECTED}
    }


def _refused(product_id: str, stored: StoredVersion | None, field: str, description: str, reason: str) -> WriteResult:
    change = None if stored is None else stored.change
    return WriteResult(product_id, Outcome.REJECTED, change, [Violation(field, description, reason)])


def _deletion(product_id: str, violations: Sequence[Violation], deleted: Mapping[str, int]) -> WriteResult:
    if violations:
        return WriteResult(product_id, Outcome.REJECTED, None, violations)
    if product_id in deleted:
        return WriteResult(product_id, Outcome.DELETED, deleted[product_id])
    return WriteResult(product_id, Outcome.NOT_FOUND)
