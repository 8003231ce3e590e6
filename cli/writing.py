"""How an import writes a batch: whole products, or only the fields that the file has columns for.

A field without a column is not known to the file, which is not the same as an empty cell. So of products that exist
only the file's fields are written, and offers one by one, so that those of other regions stay; products that do not
exist yet are written whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from cli.importing import WRITTEN, Upsert, is_not_yet_searchable
from zhiyin.common.v1.product_pb2 import Offer, Product
from zhiyin.common.v1.write_pb2 import (
    ItemViolation,
    OfferUpdate,
    OfferWriteResult,
    ProductWriteResult,
    WaitUntil,
    WriteOutcome,
)
from zhiyin.gateway.v1.gateway_service_pb2 import UpdateOffersResponse, UpsertProductsResponse

_OFFERS: Final = "offers"
_OFFER_FIELD: Final = "offers."
_OFFER_FIELDS: Final = ("price", "original_price", "availability", "quantity")


class WholeWrites(Protocol):
    """Writes whole products."""

    async def upsert(self, products: Sequence[Product], wait_until: "WaitUntil.ValueType") -> UpsertProductsResponse:
        """A result per product."""


class PartialWrites(WholeWrites, Protocol):
    """Also writes parts of products that exist."""

    async def update(
        self, products: Sequence[Product], fields: Sequence[str], wait_until: "WaitUntil.ValueType"
    ) -> UpsertProductsResponse:
        """A result per product; NOT_FOUND is a violation."""

    async def update_offers(
        self, updates: Sequence[OfferUpdate], fields: Sequence[str], wait_until: "WaitUntil.ValueType"
    ) -> UpdateOffersResponse:
        """A result per update."""


class Waiting:
    """Waits for each batch until searches find it, but no longer once the index is seen to lag behind."""

    def __init__(self, *, searchable: bool) -> None:
        self.until = WaitUntil.WAIT_UNTIL_SEARCHABLE if searchable else WaitUntil.WAIT_UNTIL_COMMITTED

    def note(self, response: UpsertProductsResponse) -> UpsertProductsResponse:
        """Looks at what came of a batch."""
        if is_not_yet_searchable(response):
            self.until = WaitUntil.WAIT_UNTIL_COMMITTED
        return response


def whole_writer(gateway: WholeWrites, waiting: Waiting) -> Upsert:
    """Writes whole products."""

    async def write(products: Sequence[Product]) -> UpsertProductsResponse:
        return waiting.note(await gateway.upsert(products, waiting.until))

    return write


class PartialWriter:
    """Writes the fields of a file. May be called again with the same products."""

    def __init__(self, gateway: PartialWrites, waiting: Waiting, fields: Sequence[str], region: str = "") -> None:
        """`fields` are paths of Product, `offers` or `offers.price` among them; `region` is that of empty cells."""
        self._gateway = gateway
        self._waiting = waiting
        self._fields = tuple(name for name in fields if name.partition(".")[0] != _OFFERS)
        given = tuple(name.removeprefix(_OFFER_FIELD) for name in fields if name.startswith(_OFFER_FIELD))
        self._offer_fields = _OFFER_FIELDS if _OFFERS in fields else given
        # Of a list of offers that is empty it is not known whose cells are.
        self._emptied = None if _OFFERS in fields else Offer(region=region)

    async def write(self, products: Sequence[Product]) -> UpsertProductsResponse:
        """One batch; a result per product."""
        results = {product.id: refused for product in products if (refused := _refused(product))}
        response = UpsertProductsResponse()
        if self._fields and (good := _still_good(products, results)):
            bare = [_without_offers(product) for product in good]
            self._take(results, response, await self._gateway.update(bare, self._fields, self._waiting.until))
        if self._offer_fields:
            await self._write_offers(_still_good(products, results), results, response)
        if new := [product for product in products if _is_not_found(results.get(product.id))]:
            self._take(results, response, await self._gateway.upsert(new, self._waiting.until))
        response.results.extend(results.get(product.id) or _unchanged(product) for product in products)
        return self._waiting.note(response)

    async def _write_offers(
        self, products: Sequence[Product], results: dict[str, ProductWriteResult], response: UpsertProductsResponse
    ) -> None:
        updates = [
            OfferUpdate(product_id=product.id, offer=offer) for product in products for offer in self._offers(product)
        ]
        # A product has at most 250 offers and a call 5,000 updates.
        for start in range(0, len(updates), 5_000):
            part = updates[start : start + 5_000]
            written = await self._gateway.update_offers(part, self._offer_fields, self._waiting.until)
            response.degradations.extend(written.degradations)
            for result in written.results:
                results[result.product_id] = _merged(results.get(result.product_id), result)

    def _offers(self, product: Product) -> Sequence[Offer]:
        """The offers of a row; an empty one where all its cells are."""
        return product.offers or ([self._emptied] if self._emptied is not None else [])

    def _take(
        self,
        results: dict[str, ProductWriteResult],
        response: UpsertProductsResponse,
        written: UpsertProductsResponse,
    ) -> None:
        results.update({result.product_id: result for result in written.results})
        response.degradations.extend(written.degradations)


def _refused(product: Product) -> ProductWriteResult | None:
    """A product with two offers of one region, which has the whole call refused; None for any other."""
    seen: set[str] = set()
    for place, offer in enumerate(product.offers):
        if offer.region in seen:
            violation = ItemViolation(
                field=f"offers[{place}].region",
                description="must not repeat: one offer per region",
                reason="DUPLICATE",
            )
            outcome = WriteOutcome.WRITE_OUTCOME_REJECTED
            return ProductWriteResult(product_id=product.id, outcome=outcome, violations=[violation])
        seen.add(offer.region)
    return None


def _without_offers(product: Product) -> Product:
    bare = Product()
    bare.CopyFrom(product)
    bare.ClearField("offers")
    return bare


def _still_good(products: Sequence[Product], results: Mapping[str, ProductWriteResult]) -> list[Product]:
    return [product for product in products if not (found := results.get(product.id)) or found.outcome in WRITTEN]


def _is_not_found(result: ProductWriteResult | None) -> bool:
    return result is not None and (
        result.outcome == WriteOutcome.WRITE_OUTCOME_NOT_FOUND
        or (result.outcome == WriteOutcome.WRITE_OUTCOME_REJECTED and _reasons(result.violations) == {"NOT_FOUND"})
    )


def _reasons(violations: Iterable[ItemViolation]) -> set[str]:
    return {violation.reason for violation in violations}


def _unchanged(product: Product) -> ProductWriteResult:
    return ProductWriteResult(product_id=product.id, outcome=WriteOutcome.WRITE_OUTCOME_UNCHANGED)


def _merged(before: ProductWriteResult | None, offer: OfferWriteResult) -> ProductWriteResult:
    """The stronger of two outcomes: refused, not found, changed, unchanged."""
    outcome = offer.outcome
    if outcome == WriteOutcome.WRITE_OUTCOME_CREATED:
        # A new offer changes a product that exists.
        outcome = WriteOutcome.WRITE_OUTCOME_UPDATED
    found = ProductWriteResult(product_id=offer.product_id, outcome=outcome, violations=offer.violations)
    if before is None:
        return found
    strength = (
        WriteOutcome.WRITE_OUTCOME_REJECTED,
        WriteOutcome.WRITE_OUTCOME_NOT_FOUND,
        WriteOutcome.WRITE_OUTCOME_CREATED,
        WriteOutcome.WRITE_OUTCOME_UPDATED,
        WriteOutcome.WRITE_OUTCOME_UNCHANGED,
    )
    stronger = min(before, found, key=lambda result: strength.index(result.outcome))
    stronger.violations.extend(found.violations if stronger is before and found.violations else [])
    return stronger
