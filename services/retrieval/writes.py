"""What a write does to a product that is stored: decided from both alone, under the product's lock."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from services.common.errors import Violation
from services.retrieval.product import Offer, Product, moment_of


class Outcome(Enum):
    """What became of one item of a write."""

    CREATED = auto()
    UPDATED = auto()
    UNCHANGED = auto()
    REJECTED = auto()
    DELETED = auto()
    NOT_FOUND = auto()


@dataclass(frozen=True, slots=True)
class OfferDraft:
    """An offer that somebody wants stored."""

    offer: Offer
    content: bytes
    """The message as it was sent."""


@dataclass(frozen=True, slots=True)
class StoredOffer:
    """An offer that is stored, or was."""

    content: bytes | None
    """None = it was removed at `update_time`, and an older update must not bring it back."""
    update_time: datetime | None

    def is_newer_than(self, moment: datetime | None) -> bool:
        """Whether an update of that time comes too late. One without a time never does."""
        return moment is not None and self.update_time is not None and moment < self.update_time


@dataclass(frozen=True, slots=True)
class OfferRow:
    """An offer as it is to be stored; without content and time it leaves no trace."""

    product_id: str
    region: str
    content: bytes | None
    """None = removed."""
    update_time: datetime | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A product that somebody wants stored."""

    product: Product
    content: bytes
    """The message as it was sent, without its etag and its offers."""
    digest: bytes
    """SHA-256 of `content`."""
    etag: str = ""
    """The version that the caller thinks is stored; empty = any."""
    offers: Sequence[OfferDraft] | None = ()
    """All of its offers; None = those that are stored stay."""

    @property
    def update_time(self) -> datetime | None:
        """When the shop changed the product, whole microseconds."""
        return moment_of(self.product.update_time)


@dataclass(frozen=True, slots=True)
class Patch:
    """Some fields of a product that somebody wants changed."""

    product_id: str
    apply: Callable[[bytes], Draft]
    """Makes the whole product of the stored message and these fields."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """What a write is compared with."""

    change: int
    digest: bytes
    update_time: datetime | None
    content: bytes = b""
    """The stored message without its offers; empty where it was not asked for."""
    offers: Mapping[str, StoredOffer] = field(default_factory=dict)
    """By region."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of one item."""

    product_id: str
    outcome: Outcome
    change: int | None = None
    """Version of the product after the call; None where there is none."""
    violations: Sequence[Violation] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about one item."""

    result: WriteResult
    """As far as it is known: a product that is to be stored gets its change then."""
    draft: Draft | None = None
    """The product to be stored; None = it stays as it is."""
    offers: Sequence[OfferRow] = ()
    """The offers to be stored."""


def decide(draft: Draft, stored: StoredVersion | None) -> Decision:
    """What a valid draft does to what is stored."""
    product_id = draft.product.id
    known = {} if stored is None else stored.offers
    offers = _offer_rows(product_id, draft.offers, known)
    # Before the etag: a write that is repeated because its answer was lost has changed the etag itself.
    if stored is not None and stored.digest == draft.digest and not offers:
        return Decision(WriteResult(product_id, Outcome.UNCHANGED, stored.change))
    if draft.etag and (stored is None or draft.etag != etag_of(stored.change)):
        return refuse(product_id, stored, [Violation("etag", "is not that of the stored product", "ETAG_MISMATCH")])
    if stored is None:
        return Decision(WriteResult(product_id, Outcome.CREATED), draft, offers)
    stale = [*_stale(draft, stored), *_stale_offers(draft.offers or (), known)]
    if stale:
        return refuse(product_id, stored, stale)
    result = WriteResult(product_id, Outcome.UPDATED, stored.change)
    return Decision(result, None if stored.digest == draft.digest else draft, offers)


def refuse(product_id: str, stored: StoredVersion | None, violations: Sequence[Violation]) -> Decision:
    """The decision that an item is rejected."""
    change = None if stored is None else stored.change
    return Decision(WriteResult(product_id, Outcome.REJECTED, change, violations))


def etag_of(change: int) -> str:
    """The etag of a product's version: opaque to callers."""
    return f"{change:x}"


def _stale(draft: Draft, stored: StoredVersion) -> Iterator[Violation]:
    if draft.update_time is not None and stored.update_time is not None and draft.update_time < stored.update_time:
        yield Violation("update_time", "is older than that of the stored product", "STALE")


def _stale_offers(drafts: Sequence[OfferDraft], stored: Mapping[str, StoredOffer]) -> Iterator[Violation]:
    for position, draft in enumerate(drafts):
        known = stored.get(draft.offer.region)
        if known is None or known.content == draft.content:
            continue
        if known.is_newer_than(moment_of(draft.offer.update_time)):
            yield Violation(f"offers[{position}].update_time", "is older than that of the stored offer", "STALE")


def _offer_rows(
    product_id: str, drafts: Sequence[OfferDraft] | None, stored: Mapping[str, StoredOffer]
) -> list[OfferRow]:
    """Offers that differ from the stored ones, and removals of those that are not named any more."""
    if drafts is None:
        return []
    rows = [
        OfferRow(product_id, draft.offer.region, draft.content, moment_of(draft.offer.update_time))
        for draft in drafts
        if (known := stored.get(draft.offer.region)) is None or known.content != draft.content
    ]
    named = {draft.offer.region for draft in drafts}
    gone = [region for region, known in stored.items() if known.content is not None and region not in named]
    return rows + [OfferRow(product_id, region, None, None) for region in gone]
