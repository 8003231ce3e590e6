"""Changes of prices and stock: an offer at a time, without touching texts or vectors."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from services.common.errors import Violation
from services.retrieval.merging import offer_mask_violations
from services.retrieval.product import Offer, moment_of
from services.retrieval.requests import batch_violations, require
from services.retrieval.signals import IndexingSignals
from services.retrieval.validation import ProductLimits, offer_violations, product_id_violations
from services.retrieval.writes import OfferDraft, OfferRow, Outcome, StoredOffer

OfferKey = tuple[str, str]
"""Product id and region."""
OfferMerge = Callable[[OfferDraft, bytes | None], OfferDraft]
"""Makes the whole offer of some fields of a new one and the stored message; None = nothing is stored."""
_REGION: Final = Violation("offer.region", "the product has as many offers as it may have", "TOO_MANY")
_STALE: Final = Violation("offer.update_time", "is older than that of the stored offer", "STALE")


class OfferAction(Enum):
    """What an update does with an offer."""

    SET = auto()
    REMOVE = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class OfferUpdate:
    """A change of one offer."""

    product_id: str
    draft: OfferDraft | None
    """None = the update has none."""
    action: OfferAction = OfferAction.SET

    @property
    def key(self) -> OfferKey:
        """What it changes."""
        return self.product_id, "" if self.draft is None else self.draft.offer.region


@dataclass(frozen=True, slots=True)
class OfferResult:
    """What became of one update."""

    key: OfferKey
    outcome: Outcome
    violations: Sequence[Violation] = ()

    @property
    def is_there(self) -> bool:
        """Whether the update holds: searches are to find it."""
        return self.outcome not in {Outcome.REJECTED, Outcome.NOT_FOUND}


@dataclass(frozen=True, slots=True)
class OfferDecision:
    """What is to be done about one update."""

    outcome: Outcome
    row: OfferRow | None = None
    """The offer to be stored; None = it stays as it is."""
    violations: Sequence[Violation] = ()


class OfferTransaction(Protocol):
    """Changes of one catalogue's offers that are on disk together, with their entries for the index, or not at all."""

    async def lock_products(self, ids: Sequence[str]) -> Collection[str]:
        """Those of the products that exist; nobody else changes them or their offers before the end."""

    async def find(self, keys: Sequence[OfferKey]) -> Mapping[OfferKey, StoredOffer]:
        """What is stored of these offers."""

    async def count(self, product_ids: Sequence[str]) -> Mapping[str, int]:
        """How many offers each product has; those that have none may be left out."""

    async def store(self, rows: Sequence[OfferRow]) -> None:
        """Stores offers, and has them carried to the index."""


class OfferStore(Protocol):
    """Where offers are kept."""

    def transaction(self, catalog: str) -> AbstractAsyncContextManager[OfferTransaction]:
        """Opens a transaction; leaving it without an exception commits."""


class Offers:
    """The offers of all products."""

    def __init__(self, store: OfferStore, signals: IndexingSignals, limits: ProductLimits, batch: int) -> None:
        self._store = store
        self._signals = signals
        self._limits = limits
        self._batch = batch

    def require_mask(self, paths: Sequence[str]) -> None:
        """Nothing, where every path of a mask names something that can be written.

        Raises:
            InvalidArgument: names the others by position.
        """
        require(list(offer_mask_violations(paths)))

    async def update(
        self, catalog: str, updates: Sequence[OfferUpdate], merge: OfferMerge | None = None
    ) -> list[OfferResult]:
        """Changes offers; one result per update, in order. Accepted ones are on disk.

        With `merge` an update holds some fields of an offer only, and the others stay.

        Raises:
            InvalidArgument: the batch is empty, too large, or names an offer twice.
            Unavailable: the database is away.
        """
        require(list(batch_violations("updates", [u.key for u in updates], self._batch, inner=".offer.region")))
        refused = {
            update.key: violations for update in updates if (violations := list(_violations(update, self._limits)))
        }
        valid = [update for update in updates if update.key not in refused]
        decided = await self._write(catalog, valid, merge) if valid else {}
        return [
            OfferResult(key, Outcome.REJECTED, refused[key])
            if (key := update.key) in refused
            else OfferResult(key, decided[key].outcome, decided[key].violations)
            for update in updates
        ]

    async def _write(
        self, catalog: str, updates: Sequence[OfferUpdate], merge: OfferMerge | None
    ) -> Mapping[OfferKey, OfferDecision]:
        async with self._store.transaction(catalog) as transaction:
            there = await transaction.lock_products(sorted({update.product_id for update in updates}))
            open_updates = [update for update in updates if update.product_id in there]
            stored = await transaction.find([update.key for update in open_updates])
            decided = dict.fromkeys((update.key for update in updates), OfferDecision(Outcome.NOT_FOUND))
            for update in open_updates:
                decided[update.key] = self._decide(update, stored.get(update.key), merge)
            decided |= await self._beyond_limit(transaction, decided)
            rows = [decision.row for decision in decided.values() if decision.row is not None]
            if rows:
                await transaction.store(rows)
        if rows:
            self._signals.wake_indexer()
        return decided

    def _decide(self, update: OfferUpdate, stored: StoredOffer | None, merge: OfferMerge | None) -> OfferDecision:
        draft = update.draft
        if draft is None:
            raise ValueError("an update without an offer is refused before")
        if update.action is OfferAction.REMOVE:
            return decide_removal(update.product_id, draft.offer, stored)
        if merge is not None:
            whole = merge(draft, None if stored is None else stored.content)
            violations = list(offer_violations("offer", whole.offer, self._limits))
            if violations:
                return OfferDecision(Outcome.REJECTED, None, violations)
            return decide_offer(update.product_id, draft.offer, whole, stored, is_partial=True)
        return decide_offer(update.product_id, draft.offer, draft, stored)

    async def _beyond_limit(
        self, transaction: OfferTransaction, decided: Mapping[OfferKey, OfferDecision]
    ) -> dict[OfferKey, OfferDecision]:
        """New offers that their product has no room for, refused instead."""
        created = [key for key, decision in decided.items() if decision.outcome is Outcome.CREATED]
        if not created:
            return {}
        count = Counter(await transaction.count(sorted({product_id for product_id, _ in created})))
        count.subtract(key[0] for key, decision in decided.items() if decision.outcome is Outcome.DELETED)
        refused = {}
        for key in created:
            if count[key[0]] < self._limits.offers:
                count[key[0]] += 1
            else:
                refused[key] = OfferDecision(Outcome.REJECTED, None, [_REGION])
        return refused


def decide_offer(
    product_id: str, sent: Offer, whole: OfferDraft, stored: StoredOffer | None, *, is_partial: bool = False
) -> OfferDecision:
    """What an offer does to the stored one. `sent` is the update, `whole` what would be stored.

    A partial one without a time leaves the stored time, that of a removal as well.
    """
    is_there = stored is not None and stored.content is not None
    if stored is not None and stored.content == whole.content:
        return OfferDecision(Outcome.UNCHANGED)
    if stored is not None and stored.is_newer_than(moment_of(sent.update_time)):
        return OfferDecision(Outcome.REJECTED, None, [_STALE])
    moment = moment_of(sent.update_time)
    if is_partial and moment is None and stored is not None:
        moment = stored.update_time
    row = OfferRow(product_id, sent.region, whole.content, moment)
    return OfferDecision(Outcome.UPDATED if is_there else Outcome.CREATED, row)


def decide_removal(product_id: str, sent: Offer, stored: StoredOffer | None) -> OfferDecision:
    """What a removal does. One with a time is remembered, also where nothing is stored yet.

    So an older update that arrives later does not bring the offer back.
    """
    moment = moment_of(sent.update_time)
    row = OfferRow(product_id, sent.region, None, moment)
    if stored is not None and stored.content is not None:
        if stored.is_newer_than(moment):
            return OfferDecision(Outcome.REJECTED, None, [_STALE])
        return OfferDecision(Outcome.DELETED, row)
    known = None if stored is None else stored.update_time
    is_later = moment is not None and (known is None or moment > known)
    return OfferDecision(Outcome.NOT_FOUND, row if is_later else None)


def _violations(update: OfferUpdate, limits: ProductLimits) -> Iterator[Violation]:
    yield from product_id_violations("product_id", update.product_id)
    if update.action is OfferAction.UNKNOWN:
        yield Violation("action", "must be a value of the enum", "OUT_OF_RANGE")
    if update.draft is None:
        yield Violation("offer", "must be given", "REQUIRED")
    else:
        yield from offer_violations("offer", update.draft.offer, limits)
