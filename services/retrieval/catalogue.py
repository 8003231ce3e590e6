"""Writing and reading the catalogue: what is written, in which order, and when it is on disk."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from services.common.errors import Aborted, NotFound, Violation
from services.retrieval.attributes import Declarations, attribute_violations
from services.retrieval.merging import product_mask_violations
from services.retrieval.requests import batch_violations, require
from services.retrieval.signals import IndexingSignals
from services.retrieval.validation import ProductLimits, product_id_violations, product_violations
from services.retrieval.writes import (
    Decision,
    Draft,
    OfferRow,
    Outcome,
    Patch,
    StoredVersion,
    WriteResult,
    decide,
    refuse,
)

_ROUNDS: Final = 3
"""Times that a write is decided anew because somebody else created the same product meanwhile."""
_WRITTEN: Final = frozenset({Outcome.CREATED, Outcome.UPDATED})


class IndexState(Enum):
    """Where a product stands in the index."""

    PENDING = auto()
    WORDS_ONLY = auto()
    SEARCHABLE = auto()


@dataclass(frozen=True, slots=True)
class StoredProduct:
    """A product as it was sent, and where it stands."""

    content: bytes
    """The message without its etag and its offers."""
    offers: Sequence[bytes]
    """The messages of its offers, by region."""
    change: int
    index_state: IndexState


class CatalogueTransaction(Protocol):
    """Changes of one catalogue that are on disk together, with their entries in the outbox, or not at all."""

    async def declarations(self) -> Declarations:
        """The attributes that the latest settings declare; they do not change before the end."""

    async def lock(self, ids: Sequence[str], *, with_content: bool) -> Mapping[str, StoredVersion]:
        """What is stored under these ids; nobody else changes it before the end."""

    async def insert(self, drafts: Sequence[Draft]) -> Mapping[str, int]:
        """Stores new products; the change of each by id. Ids that exist by now are left out."""

    async def update(self, drafts: Sequence[Draft]) -> Mapping[str, int]:
        """Replaces locked products; the change of each by id."""

    async def store_offers(self, rows: Sequence[OfferRow], indexed: Sequence[str]) -> None:
        """Stores offers of locked products; those of the products `indexed` are to be carried to the index."""

    async def delete(self, ids: Sequence[str]) -> Mapping[str, int]:
        """Deletes products with their offers; the change of each that existed, by id."""


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

    def require_mask(self, paths: Sequence[str]) -> None:
        """Nothing, where every path of a mask names something that can be written.

        Raises:
            InvalidArgument: names the others by position.
        """
        require(list(product_mask_violations(paths, self._limits)))

    async def upsert(self, catalog: str, items: Sequence[Draft | Patch]) -> list[WriteResult]:
        """Creates, replaces or changes products; one result per item, in order. Accepted ones are on disk.

        Raises:
            InvalidArgument: the batch is empty, too large, or names an id twice.
            Aborted: products were created and deleted by others faster than this call could follow.
            Unavailable: the database is away.
        """
        ids = [_id_of(item) for item in items]
        require(list(batch_violations("products", ids, self._batch, inner=".id")))
        results: dict[str, WriteResult] = {}
        refused: dict[int, WriteResult] = {}
        valid: dict[str, Draft | Patch] = {}
        for position, (product_id, item) in enumerate(zip(ids, items, strict=True)):
            violations = self._violations(item)
            if violations:
                refused[position] = WriteResult(product_id, Outcome.REJECTED, None, violations)
            else:
                valid[product_id] = item
        if valid:
            results = await self._store_valid(catalog, valid)
        return [refused.get(position) or results[product_id] for position, product_id in enumerate(ids)]

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

    async def _store_valid(self, catalog: str, items: Mapping[str, Draft | Patch]) -> dict[str, WriteResult]:
        results: dict[str, WriteResult] = {}
        async with self._store.transaction(catalog) as transaction:
            declarations = await transaction.declarations()
            for _ in range(_ROUNDS):
                open_items = {product_id: items[product_id] for product_id in sorted(items.keys() - results.keys())}
                if not open_items:
                    break
                patched = any(isinstance(item, Patch) for item in open_items.values())
                stored = await transaction.lock(list(open_items), with_content=patched)
                decided = [
                    self._decide(item, stored.get(product_id), declarations) for product_id, item in open_items.items()
                ]
                results |= await _carry_out(transaction, decided)
            if len(results) < len(items):
                raise Aborted("products changed while they were written", reason="CONCURRENT_WRITES")
        if any(result.outcome in _WRITTEN for result in results.values()):
            self._signals.wake_indexer()
        return results

    def _violations(self, item: Draft | Patch) -> list[Violation]:
        if isinstance(item, Patch):
            return list(product_id_violations("id", item.product_id))
        return product_violations(item.product, self._limits)

    def _decide(self, item: Draft | Patch, stored: StoredVersion | None, declarations: Declarations) -> Decision:
        violations: list[Violation] = []
        if isinstance(item, Patch):
            if stored is None:
                return Decision(WriteResult(item.product_id, Outcome.NOT_FOUND))
            item = item.apply(stored.content)
            violations += product_violations(item.product, self._limits)
        violations += attribute_violations(item.product, declarations)
        return refuse(item.product.id, stored, violations) if violations else decide(item, stored)


async def _carry_out(transaction: CatalogueTransaction, decided: Sequence[Decision]) -> dict[str, WriteResult]:
    """Stores what was decided. A product that somebody else has created meanwhile is left for the next round."""
    created = [d.draft for d in decided if d.draft is not None and d.result.outcome is Outcome.CREATED]
    updated = [d.draft for d in decided if d.draft is not None and d.result.outcome is Outcome.UPDATED]
    changes: dict[str, int] = {}
    if created:
        changes |= await transaction.insert(created)
    if updated:
        changes |= await transaction.update(updated)
    settled = [d for d in decided if d.draft is None or d.result.product_id in changes]
    rows = [row for decision in settled for row in decision.offers]
    if rows:
        # A new product's offers go to the index with it; those of others need not wait for its words and vector.
        known = [d.result.product_id for d in settled if d.offers and d.result.outcome is Outcome.UPDATED]
        await transaction.store_offers(rows, known)
    return {d.result.product_id: _settled(d.result, changes) for d in settled}


def _settled(result: WriteResult, changes: Mapping[str, int]) -> WriteResult:
    change = changes.get(result.product_id, result.change)
    return WriteResult(result.product_id, result.outcome, change, result.violations)


def _id_of(item: Draft | Patch) -> str:
    return item.product_id if isinstance(item, Patch) else item.product.id


def _deletion(product_id: str, violations: Sequence[Violation], deleted: Mapping[str, int]) -> WriteResult:
    if violations:
        return WriteResult(product_id, Outcome.REJECTED, None, violations)
    if product_id in deleted:
        return WriteResult(product_id, Outcome.DELETED, deleted[product_id])
    return WriteResult(product_id, Outcome.NOT_FOUND)
