"""Products that exist but are not in the file, marked out of stock. Only if asked, and never beyond a limit."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from cli.rows import BadRow, Row
from cli.seen_ids import SeenIds
from zhiyin.common.v1.product_pb2 import Availability, Offer, Product
from zhiyin.common.v1.write_pb2 import OfferUpdate, WaitUntil, WriteOutcome
from zhiyin.gateway.v1.gateway_service_pb2 import UpdateOffersResponse

_UPDATES: Final = 1_000


class Catalogue(Protocol):
    """What exists, and its offers."""

    def products(self) -> AsyncIterator[Sequence[Product]]:
        """All products, page by page."""

    async def update_offers(
        self, updates: Sequence[OfferUpdate], fields: Sequence[str], wait_until: "WaitUntil.ValueType"
    ) -> UpdateOffersResponse:
        """A result per update."""


class NotMarked(Exception):
    """No product was marked, and the message says why."""


@dataclass(slots=True)
class Tally:
    """Which products a file holds."""

    ids: SeenIds = field(default_factory=SeenIds)
    unidentified: int = 0
    """Rows whose id could not be read."""

    def of(self, rows: Iterator[Row | BadRow]) -> Iterator[Row | BadRow]:
        """The rows as they are, counted in passing."""
        for row in rows:
            product_id = str(row.values.get("id", "")).strip() if isinstance(row, Row) else ""
            if product_id:
                self.ids.add(product_id)
            else:
                self.unidentified += 1
            yield row

    def refuse_if_unsure(self, *, is_cut_short: bool) -> None:
        """Refuses where it is not known what the file lacks.

        Raises:
            NotMarked: it was not read to its end, or ids in it could not be read.
        """
        if self.unidentified or is_cut_short:
            what = f"{self.unidentified:,} rows have no readable id" if self.unidentified else "the file is cut short"
            raise NotMarked(f"{what}, so what the file lacks is not known: no product was marked unavailable")


@dataclass(frozen=True, slots=True)
class Missing:
    """What exists and is not in the file."""

    existing: int
    """Products that the file speaks for."""
    absent: int
    """Those of them that the file lacks."""
    places: tuple[tuple[str, str], ...]
    """Product and region of each offer to mark; those that are out of stock already need none."""

    @property
    def percent(self) -> float:
        """Share of the products that would be marked."""
        return 100 * len({product_id for product_id, _ in self.places}) / self.existing if self.existing else 0.0

    def refuse_beyond(self, percent: float) -> None:
        """Refuses where more than this share of the products would be marked.

        Raises:
            NotMarked: it is more.
        """
        if self.percent > percent:
            raise NotMarked(
                f"the file lacks {self.absent:,} of {self.existing:,} products; marking {self.percent:.1f} % "
                f"is beyond the limit of {percent:g} % (--mark-missing-limit): none was marked"
            )


async def find_missing(catalogue: Catalogue, seen: SeenIds, region: str) -> Missing:
    """Compares the catalogue with the file.

    A file for one region speaks for the products that have an offer there; any other one for all products and offers.

    Raises:
        ServiceError: the catalogue could not be listed.
    """
    existing = absent = 0
    places: list[tuple[str, str]] = []
    async for page in catalogue.products():
        for product in page:
            offers = [offer for offer in product.offers if not region or offer.region == region]
            if region and not offers:
                continue
            existing += 1
            if product.id not in seen:
                absent += 1
                places.extend((product.id, offer.region) for offer in offers or [Offer()] if _is_open(offer))
    return Missing(existing, absent, tuple(places))


async def mark_unavailable(catalogue: Catalogue, missing: Missing) -> int:
    """Marks the offers out of stock and returns how many products that changed.

    Raises:
        ServiceError: a call failed; the offers before it are marked. Marking again is harmless.
    """
    changed: set[str] = set()
    for start in range(0, len(missing.places), _UPDATES):
        updates = [
            OfferUpdate(
                product_id=product_id,
                offer=Offer(region=region, availability=Availability.AVAILABILITY_OUT_OF_STOCK),
            )
            for product_id, region in missing.places[start : start + _UPDATES]
        ]
        response = await catalogue.update_offers(updates, ["availability"], WaitUntil.WAIT_UNTIL_COMMITTED)
        changed.update(result.product_id for result in response.results if result.outcome in _CHANGED)
    return len(changed)


_CHANGED: Final = (WriteOutcome.WRITE_OUTCOME_CREATED, WriteOutcome.WRITE_OUTCOME_UPDATED)


def _is_open(offer: Offer) -> bool:
    return offer.availability != Availability.AVAILABILITY_OUT_OF_STOCK
