"""Between the messages of the API and the plain values of the domain."""

from base64 import b64decode
from hashlib import sha256
from math import isnan
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp as TimestampMessage
from google.type.money_pb2 import Money as MoneyMessage

from services.common.errors import Violation
from services.retrieval.catalogue import Draft, IndexState, Outcome, WriteResult, etag_of
from services.retrieval.filters import PriceRange, ProductFilter
from services.retrieval.product import AttributeValue, Image, Money, Offer, Product, Rating, Timestamp
from services.retrieval.search import EncodingCost, Missing, ScoredProduct, SearchResult
from services.retrieval.waiting import NotYetSearchable
from zhiyin.common.v1 import degradation_pb2, filter_pb2, model_pb2, product_pb2, write_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

_OUTCOMES: Final = {
    Outcome.CREATED: write_pb2.WRITE_OUTCOME_CREATED,
    Outcome.UPDATED: write_pb2.WRITE_OUTCOME_UPDATED,
    Outcome.UNCHANGED: write_pb2.WRITE_OUTCOME_UNCHANGED,
    Outcome.REJECTED: write_pb2.WRITE_OUTCOME_REJECTED,
    Outcome.DELETED: write_pb2.WRITE_OUTCOME_DELETED,
    Outcome.NOT_FOUND: write_pb2.WRITE_OUTCOME_NOT_FOUND,
}
_INDEX_STATES: Final = {
    IndexState.PENDING: pb.INDEX_STATE_PENDING,
    IndexState.WORDS_ONLY: pb.INDEX_STATE_WORDS_ONLY,
    IndexState.SEARCHABLE: pb.INDEX_STATE_SEARCHABLE,
}
_DEGRADATIONS: Final = {
    "LEXICAL_ONLY": degradation_pb2.DEGRADATION_KIND_LEXICAL_ONLY,
    "SEMANTIC_ONLY": degradation_pb2.DEGRADATION_KIND_SEMANTIC_ONLY,
    "SCORES_INCOMPLETE": degradation_pb2.DEGRADATION_KIND_SCORES_INCOMPLETE,
}


def draft(message: product_pb2.Product) -> Draft:
    """A product to be written. What is stored is the message itself, so that nothing of it is lost."""
    stored = product_pb2.Product()
    stored.CopyFrom(message)
    stored.ClearField("etag")
    content = stored.SerializeToString(deterministic=True)
    return Draft(product(message), content, sha256(content).digest(), message.etag)


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
        price=_money(message.price) if message.HasField("price") else None,
        original_price=_money(message.original_price) if message.HasField("original_price") else None,
        availability=message.availability,
        quantity=message.quantity if message.HasField("quantity") else None,
        update_time=_timestamp(message.update_time) if message.HasField("update_time") else None,
    )


def product_filter(message: filter_pb2.ProductFilter) -> ProductFilter:
    """A filter in plain values."""
    price = message.price
    return ProductFilter(
        brands=tuple(message.brands),
        categories=tuple(message.categories),
        price=PriceRange(
            _money(price.min) if price.HasField("min") else None,
            _money(price.max) if price.HasField("max") else None,
        )
        if message.HasField("price")
        else None,
        availabilities=tuple(message.availabilities),
    )


def stored_product(content: bytes, change: int) -> product_pb2.Product:
    """A product as it was sent, with the etag of its version."""
    message = product_pb2.Product.FromString(content)
    message.etag = etag_of(change)
    return message


def write_result(result: WriteResult) -> write_pb2.ProductWriteResult:
    """What became of one item of a write."""
    return write_pb2.ProductWriteResult(
        product_id=result.product_id,
        outcome=_OUTCOMES[result.outcome],
        violations=[_violation(violation) for violation in result.violations],
        etag="" if result.change is None or result.outcome is Outcome.DELETED else etag_of(result.change),
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


def search_response(result: SearchResult) -> pb.SearchCandidatesResponse:
    """Candidates with what a result shows of them."""
    response = pb.SearchCandidatesResponse(
        index_version=f"{result.version.catalog}.{result.version.number}",
        degradations=[_degradation(missing) for missing in result.missing],
    )
    if result.cost is not None:
        _fill_usage(response.usage, result.cost)
    for found in result.products:
        _fill_found(response.found.add(), found)
    return response


def fill_summary(message: product_pb2.ProductSummary, card: str, packed_offer: str) -> None:
    """What a result shows of a product, from what the index keeps of it."""
    message.CopyFrom(pb.FoundProduct.FromString(b64decode(card)).summary)
    if packed_offer:
        message.offer.ParseFromString(b64decode(packed_offer))


def _fill_found(message: pb.FoundProduct, found: ScoredProduct) -> None:
    message.ParseFromString(b64decode(found.card))
    scores = message.candidate.scores
    if not isnan(found.centred_cosine):
        scores.cosine = found.cosine
        scores.centred_cosine = found.centred_cosine
        scores.dot_product = found.dot_product
    if not isnan(found.lexical):
        scores.lexical = found.lexical
    if found.offer:
        offer_message = message.summary.offer
        offer_message.ParseFromString(b64decode(found.offer))
        message.candidate.signals.availability = offer_message.availability


def _fill_usage(message: model_pb2.ModelUsage, cost: EncodingCost) -> None:
    message.model.name = cost.model.name
    message.model.revision = cost.model.revision
    message.model.dims = cost.model.dims
    message.tokens = cost.tokens
    message.queue_time.FromNanoseconds(int(cost.queue_seconds * 1e9))
    message.compute_time.FromNanoseconds(int(cost.compute_seconds * 1e9))


def _degradation(missing: Missing) -> degradation_pb2.Degradation:
    return degradation_pb2.Degradation(
        kind=_DEGRADATIONS[missing.kind], component=missing.component, reason=missing.reason
    )


def _violation(violation: Violation) -> write_pb2.ItemViolation:
    return write_pb2.ItemViolation(field=violation.field, reason=violation.reason, description=violation.description)


def _attribute(message: product_pb2.AttributeValue) -> AttributeValue:
    flag = message.flag if message.HasField("flag") else None
    return AttributeValue(tuple(message.texts), tuple(message.numbers), message.unit, flag)


def _money(message: MoneyMessage) -> Money:
    return Money(message.currency_code, message.units, message.nanos)


def _timestamp(message: TimestampMessage) -> Timestamp:
    return Timestamp(message.seconds, message.nanos)
