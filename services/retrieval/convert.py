"""Products, offers and writes: between the messages of the API and the plain values of the domain."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp as TimestampMessage
from google.type.money_pb2 import Money as MoneyMessage

from services.common.errors import Violation
from services.retrieval.catalogue import IndexState, StoredProduct
from services.retrieval.listing import ListedProduct, PageQuery
from services.retrieval.merging import attribute_of
from services.retrieval.offers import OfferAction, OfferMerge, OfferResult, OfferUpdate
from services.retrieval.product import AttributeValue, Image, Money, Offer, Product, Rating, Timestamp
from services.retrieval.waiting import NotYetSearchable
from services.retrieval.writes import Draft, OfferDraft, Outcome, Patch, WriteResult, etag_of
from zhiyin.common.v1 import degradation_pb2, product_pb2, write_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

_OUTCOMES: Final = {
    Outcome.CREATED: write_pb2.WRITE_OUTCOME_CREATED,
    Outcome.UPDATED: write_pb2.WRITE_OUTCOME_UPDATED,
    Outcome.UNCHANGED: write_pb2.WRITE_OUTCOME_UNCHANGED,
    Outcome.REJECTED: write_pb2.WRITE_OUTCOME_REJECTED,
    Outcome.DELETED: write_pb2.WRITE_OUTCOME_DELETED,
    Outcome.NOT_FOUND: write_pb2.WRITE_OUTCOME_NOT_FOUND,
}
_ACTIONS: Final[dict[int, OfferAction]] = {
    write_pb2.OFFER_ACTION_UNSPECIFIED: OfferAction.SET,
    write_pb2.OFFER_ACTION_SET: OfferAction.SET,
    write_pb2.OFFER_ACTION_REMOVE: OfferAction.REMOVE,
}
_INDEX_STATES: Final = {
    IndexState.PENDING: pb.INDEX_STATE_PENDING,
    IndexState.WORDS_ONLY: pb.INDEX_STATE_WORDS_ONLY,
    IndexState.SEARCHABLE: pb.INDEX_STATE_SEARCHABLE,
}


def draft(message: product_pb2.Product) -> Draft:
    """A product to be written. What is stored is the message itself, so that nothing of it is lost."""
    stored = product_pb2.Product()
    stored.CopyFrom(message)
    return _draft(stored, product(message), [offer_draft(each) for each in message.offers], message.etag)


def patch(message: product_pb2.Product, paths: Sequence[str]) -> Patch:
    """Some fields of a product to be written; an update time that is given is one of them."""
    attributes = [name for path in paths if (name := attribute_of(path))]
    fields = {path for path in paths if not attribute_of(path)}
    if message.HasField("update_time"):
        fields.add("update_time")
    named = product_pb2.Product()
    named.CopyFrom(message)
    for descriptor in product_pb2.Product.DESCRIPTOR.fields:
        if descriptor.name not in fields:
            named.ClearField(descriptor.name)  # type: ignore[arg-type]  # the stub lists the names

    def apply(content: bytes) -> Draft:
        merged = product_pb2.Product.FromString(content)
        for field in fields:
            merged.ClearField(field)  # type: ignore[arg-type]  # the stub lists the names
        merged.MergeFrom(named)
        for name in attributes:
            merged.attributes.pop(name, None)
            if name in message.attributes:
                merged.attributes[name].CopyFrom(message.attributes[name])
        offers = [offer_draft(each) for each in message.offers] if "offers" in fields else None
        return _draft(merged, product(merged), offers, message.etag)

    return Patch(message.id, apply)


def _draft(stored: product_pb2.Product, plain: Product, offers: Sequence[OfferDraft] | None, etag: str) -> Draft:
    stored.ClearField("etag")
    stored.ClearField("offers")
    content = stored.SerializeToString(deterministic=True)
    return Draft(plain, content, sha256(content).digest(), etag, offers)


def product(message: product_pb2.Product) -> Product:
    """A product in plain values."""
    return Product(
        id=message.id,
        title=message.title,
        description=message.description,
        brand=message.brand,
        categories=tuple(message.categories),
        language_code=message.language_code,
        images=tuple(Image(image.uri, image.height, image.width) for image in message.images),
        uri=message.uri,
        sku=message.sku,
        gtin=message.gtin,
        primary_product_id=message.primary_product_id,
        rating=Rating(message.rating.average, message.rating.count) if message.HasField("rating") else None,
        sales_count=message.sales_count if message.HasField("sales_count") else None,
        create_time=_timestamp(message.create_time) if message.HasField("create_time") else None,
        update_time=_timestamp(message.update_time) if message.HasField("update_time") else None,
        attributes={name: _attribute(value) for name, value in message.attributes.items()},
        offers=tuple(offer(entry) for entry in message.offers),
    )


def offer(message: product_pb2.Offer) -> Offer:
    """An offer in plain values."""
    return Offer(
        region=message.region,
        price=money(message.price) if message.HasField("price") else None,
        original_price=money(message.original_price) if message.HasField("original_price") else None,
        availability=message.availability,
        quantity=message.quantity if message.HasField("quantity") else None,
        update_time=_timestamp(message.update_time) if message.HasField("update_time") else None,
    )


def offer_draft(message: product_pb2.Offer) -> OfferDraft:
    """An offer to be written, as it was sent."""
    return OfferDraft(offer(message), message.SerializeToString(deterministic=True))


def offer_update(message: write_pb2.OfferUpdate) -> OfferUpdate:
    """A change of one offer."""
    given = offer_draft(message.offer) if message.HasField("offer") else None
    return OfferUpdate(message.product_id, given, _ACTIONS.get(message.action, OfferAction.UNKNOWN))


def offer_merge(paths: Sequence[str]) -> OfferMerge:
    """How the fields that a mask names replace those of a stored offer."""

    def merge(given: OfferDraft, stored: bytes | None) -> OfferDraft:
        sent = product_pb2.Offer.FromString(given.content)
        merged = product_pb2.Offer(region=sent.region) if stored is None else product_pb2.Offer.FromString(stored)
        fields = {*paths, "update_time"} if sent.HasField("update_time") else set(paths)
        for descriptor in product_pb2.Offer.DESCRIPTOR.fields:
            target = merged if descriptor.name in fields else sent
            target.ClearField(descriptor.name)  # type: ignore[arg-type]  # the stub lists the names
        merged.MergeFrom(sent)
        return offer_draft(merged)

    return merge


def stored_product(stored: StoredProduct | ListedProduct) -> product_pb2.Product:
    """A product as it was sent, its offers by region, with the etag of its version."""
    message = product_pb2.Product.FromString(stored.content or b"")
    for each in stored.offers:
        message.offers.add().ParseFromString(each)
    message.etag = etag_of(stored.change)
    return message


def product_id(listed: ListedProduct) -> product_pb2.Product:
    """A product's id and etag."""
    return product_pb2.Product(id=listed.product_id, etag=etag_of(listed.change))


def write_result(result: WriteResult) -> write_pb2.ProductWriteResult:
    """What became of one item of a write."""
    return write_pb2.ProductWriteResult(
        product_id=result.product_id,
        outcome=_OUTCOMES[result.outcome],
        violations=[_violation(violation) for violation in result.violations],
        etag="" if result.change is None or result.outcome is Outcome.DELETED else etag_of(result.change),
    )


def page_query(request: pb.ListProductsRequest) -> PageQuery:
    """Which products a page shows."""
    ids_only = request.view == product_pb2.PRODUCT_VIEW_ID
    return PageQuery(request.page_size, request.after_product_id, request.primary_product_id, ids_only=ids_only)


def offer_result(result: OfferResult) -> write_pb2.OfferWriteResult:
    """What became of one change of an offer."""
    product_id, region = result.key
    return write_pb2.OfferWriteResult(
        product_id=product_id,
        region=region,
        outcome=_OUTCOMES[result.outcome],
        violations=[_violation(violation) for violation in result.violations],
    )


def not_yet_searchable(verdict: NotYetSearchable | None) -> list[degradation_pb2.Degradation]:
    """The degradation of a wait that ended without success."""
    if verdict is None:
        return []
    kind = degradation_pb2.DEGRADATION_KIND_NOT_YET_SEARCHABLE
    return [degradation_pb2.Degradation(kind=kind, component=verdict.component, reason=verdict.reason)]


def index_state(state: IndexState) -> "pb.IndexState.ValueType":
    """Where a product stands in the index."""
    return _INDEX_STATES[state]


def _violation(violation: Violation) -> write_pb2.ItemViolation:
    return write_pb2.ItemViolation(field=violation.field, reason=violation.reason, description=violation.description)


def _attribute(message: product_pb2.AttributeValue) -> AttributeValue:
    flag = message.flag if message.HasField("flag") else None
    return AttributeValue(tuple(message.texts), tuple(message.numbers), message.unit, flag)


def money(message: MoneyMessage) -> Money:
    """An amount in plain values."""
    return Money(message.currency_code, message.units, message.nanos)


def _timestamp(message: TimestampMessage) -> Timestamp:
    return Timestamp(message.seconds, message.nanos)
