"""Products as points of Qdrant, and filters as its conditions."""

import uuid
from typing import Final

from qdrant_client import grpc as q

from services.retrieval import categories
from services.retrieval.adapters.cards import card_of, offer_card_of, offer_field
from services.retrieval.adapters.qdrant_schema import DENSE, SPARSE
from services.retrieval.filters import ProductFilter
from services.retrieval.indexing import IndexedProduct
from services.retrieval.product import Offer
from zhiyin.common.v1 import product_pb2

_NAMESPACE: Final = uuid.UUID("6f0c3a52-8f0e-5d5b-9a3c-2b1e7c4d9a10")
ID, CARD, LENGTH, CENTRED_LENGTH = "id", "card", "length", "centred_length"


def point_uuid(catalog: str, product_id: str) -> str:
    """The id of a product's point: the same on every replica and after every rebuild."""
    return str(uuid.uuid5(_NAMESPACE, f"{catalog}/{product_id}"))


def shown_fields(region: str) -> q.WithPayloadSelector:
    """What a search reads of a point: enough for scores, result and the region's offer."""
    fields = [ID, CARD, LENGTH, CENTRED_LENGTH, offer_field(region)]
    return q.WithPayloadSelector(include=q.PayloadIncludeSelector(fields=fields))


def point_of(catalog: str, indexed: IndexedProduct) -> q.PointStruct:
    """A product as a point; without a dense vector where there is none yet."""
    vectors: dict[str, q.Vector] = {}
    numbers, weights = indexed.document.words
    if numbers:
        vectors[SPARSE] = q.Vector(sparse=q.SparseVector(indices=numbers, values=weights))
    payload = _payload(indexed)
    if indexed.vector is not None:
        vectors[DENSE] = q.Vector(dense=q.DenseVector(data=indexed.vector.direction.tolist()))
        payload[LENGTH] = q.Value(double_value=indexed.vector.length)
        payload[CENTRED_LENGTH] = q.Value(double_value=indexed.vector.centred_length)
    return q.PointStruct(
        id=q.PointId(uuid=point_uuid(catalog, indexed.product.id)),
        payload=payload,
        vectors=q.Vectors(vectors=q.NamedVectors(vectors=vectors)),
    )


def condition_of(wanted: ProductFilter, region: str) -> q.Filter | None:
    """A filter in Qdrant's terms; None where everything may be found."""
    must: list[q.Condition] = []
    if wanted.brands:
        must.append(_any_keyword("brand", list(wanted.brands)))
    if wanted.categories:
        must.append(_any_keyword("category_paths", [categories.normalise(path) for path in wanted.categories]))
    if wanted.price is not None or wanted.availabilities:
        must.append(_offer_condition(wanted, region))
    return q.Filter(must=must) if must else None


def _offer_condition(wanted: ProductFilter, region: str) -> q.Condition:
    """One offer has to meet all of it: the price of one region says nothing of another one's stock."""
    must = [_field("region", match=q.Match(keyword=region))]
    price = wanted.price
    if price is not None:
        must.append(_field("currency", match=q.Match(keyword=price.currency)))
        bounds = q.Range()
        if price.lowest is not None:
            bounds.gte = price.lowest.amount
        if price.highest is not None:
            bounds.lte = price.highest.amount
        must.append(_field("price", range=bounds))
    if wanted.availabilities:
        known = q.RepeatedIntegers(integers=list(wanted.availabilities))
        must.append(_field("availability", match=q.Match(integers=known)))
    return q.Condition(nested=q.NestedCondition(key="offers", filter=q.Filter(must=must)))


def _any_keyword(key: str, values: list[str]) -> q.Condition:
    return _field(key, match=q.Match(keywords=q.RepeatedStrings(strings=values)))


def _field(key: str, *, match: q.Match | None = None, range: q.Range | None = None) -> q.Condition:  # noqa: A002
    return q.Condition(field=q.FieldCondition(key=key, match=match, range=range))


def _payload(indexed: IndexedProduct) -> dict[str, q.Value]:
    product = indexed.product
    message = product_pb2.Product.FromString(indexed.content)
    payload = {ID: _text(product.id), CARD: _text(card_of(message))}
    if product.brand:
        payload["brand"] = _text(product.brand)
    if product.categories:
        payload["category_paths"] = _list([_text(path) for path in categories.with_ancestors(product.categories)])
    if product.offers:
        payload["offers"] = _list([_offer(offer) for offer in product.offers])
    for offer in message.offers:
        payload[offer_field(offer.region)] = _text(offer_card_of(offer))
    return payload


def _offer(offer: Offer) -> q.Value:
    fields = {"region": _text(offer.region), "availability": q.Value(integer_value=offer.availability)}
    if offer.price is not None:
        fields["currency"] = _text(offer.price.currency)
        fields["price"] = q.Value(double_value=offer.price.amount)
    return q.Value(struct_value=q.Struct(fields=fields))


def _text(value: str) -> q.Value:
    return q.Value(string_value=value)


def _list(values: list[q.Value]) -> q.Value:
    return q.Value(list_value=q.ListValue(values=values))
