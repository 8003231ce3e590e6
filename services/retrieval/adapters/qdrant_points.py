"""Products as points of Qdrant."""

import uuid
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from qdrant_client import grpc as q

from services.retrieval import attributes, categories
from services.retrieval.adapters.cards import card_of, packed
from services.retrieval.adapters.qdrant_fields import (
    BRAND,
    CARD,
    CATEGORY_PATHS,
    CHANGE,
    CREATED,
    GROUP,
    ID,
    KEY,
    OFFER_AVAILABILITY,
    OFFER_CARDS,
    OFFER_CURRENCY,
    OFFER_PRICE,
    OFFER_REGION,
    OFFERS,
    OFFERS_DIGEST,
    RATING,
    RATING_COUNT,
    SALES,
    attribute_field,
    region_key,
)
from services.retrieval.adapters.qdrant_schema import DENSE, SPARSE
from services.retrieval.attributes import Declarations
from services.retrieval.geometry import CentredVector
from services.retrieval.index_version import IndexVersion
from services.retrieval.indexing_ports import IndexedProduct
from services.retrieval.product import NANOS, Product
from zhiyin.common.v1 import product_pb2

_NAMESPACE: Final = uuid.UUID("6f0c3a52-8f0e-5d5b-9a3c-2b1e7c4d9a10")
_DIGEST_DIGITS: Final = 16


def point_uuid(catalog: str, product_id: str) -> str:
    """The id of a product's point: the same on every replica and after every rebuild."""
    return str(uuid.uuid5(_NAMESPACE, f"{catalog}/{product_id}"))


def point_of(version: IndexVersion, indexed: IndexedProduct) -> q.PointStruct:
    """A product as a point; without a dense vector where there is none yet."""
    vectors: dict[str, q.Vector] = {}
    numbers, weights = indexed.document.words
    if numbers:
        vectors[SPARSE] = q.Vector(sparse=q.SparseVector(indices=numbers, values=weights))
    if indexed.vector is not None:
        vectors[DENSE] = q.Vector(dense=q.DenseVector(data=indexed.vector.direction.tolist()))
    return q.PointStruct(
        id=q.PointId(uuid=point_uuid(version.catalog, indexed.product.id)),
        payload=_payload(indexed, version.indexed),
        vectors=q.Vectors(vectors=q.NamedVectors(vectors=vectors)),
    )


def offer_payload(offers: Sequence[bytes]) -> dict[str, q.Value]:
    """Exactly the fields that a change of offers sets, from all of the product's offers, each a serialised Offer."""
    messages = [product_pb2.Offer.FromString(offer) for offer in offers]
    cards = {region_key(message.region): _text(packed(offer)) for message, offer in zip(messages, offers, strict=True)}
    return {
        OFFERS: _list([_offer(message) for message in messages]),
        OFFER_CARDS: q.Value(struct_value=q.Struct(fields=cards)),
        OFFERS_DIGEST: _text(offers_digest(offers)),
    }


def offers_digest(offers: Sequence[bytes]) -> str:
    """What tells one state of a product's offers from another: 16 hexadecimal digits of SHA-256, by region."""
    by_region = sorted(offers, key=lambda offer: product_pb2.Offer.FromString(offer).region)
    digest = sha256()
    for offer in by_region:
        digest.update(len(offer).to_bytes(4, "little") + offer)
    return digest.hexdigest()[:_DIGEST_DIGITS]


def key_of(product: Product, vector: CentredVector | None) -> str:
    """Id, group, length and centred length of a product, in that order; the lengths only where it has a vector.

    A space parts them, which no id contains.
    """
    parts = [product.id, group_of(product)]
    if vector is not None:
        parts += [repr(vector.length), repr(vector.centred_length)]
    return " ".join(parts)


def lengths_of(key: str) -> tuple[float, float] | None:
    """Length and centred length by a product's key; None where it has no vector."""
    parts = key.split(" ")
    return (float(parts[2]), float(parts[3])) if len(parts) > 2 else None


def group_of(product: Product) -> str:
    """What variants of one product have in common: the id of the primary one."""
    return product.primary_product_id or product.id


def _payload(indexed: IndexedProduct, declarations: Declarations) -> dict[str, q.Value]:
    product = indexed.product
    return {
        ID: _text(product.id),
        KEY: _text(key_of(product, indexed.vector)),
        CARD: _text(card_of(product_pb2.Product.FromString(indexed.content))),
        CHANGE: _integer(indexed.change),
        GROUP: _text(group_of(product)),
        **_facts(product),
        **_attributes(product, declarations),
        **offer_payload(indexed.offers),
    }


def _facts(product: Product) -> dict[str, q.Value]:
    """What filters, facets and orders compare; what is not known is left out."""
    facts: dict[str, q.Value] = {}
    if product.brand:
        facts[BRAND] = _text(product.brand)
    if product.categories:
        facts[CATEGORY_PATHS] = _list([_text(path) for path in categories.with_ancestors(product.categories)])
    if product.rating is not None and product.rating.count > 0:
        facts[RATING] = _number(product.rating.average)
        facts[RATING_COUNT] = _integer(product.rating.count)
    if product.sales_count is not None:
        facts[SALES] = _integer(product.sales_count)
    if product.create_time is not None:
        facts[CREATED] = _number(product.create_time.seconds + product.create_time.nanos / NANOS)
    return facts


def _attributes(product: Product, declarations: Declarations) -> dict[str, q.Value]:
    kept = {name: declared for name, declared in declarations.items() if declared.in_payload}
    if not kept:
        return {}
    values: Mapping[str, Sequence[str] | Sequence[float]] = attributes.indexed_values(product, kept)
    return {
        attribute_field(name): _list([_text(value) if isinstance(value, str) else _number(value) for value in entries])
        for name, entries in values.items()
        if entries
    }


def _offer(offer: product_pb2.Offer) -> q.Value:
    fields = {OFFER_REGION: _text(offer.region), OFFER_AVAILABILITY: _integer(offer.availability)}
    if offer.HasField("price"):
        fields[OFFER_CURRENCY] = _text(offer.price.currency_code)
        fields[OFFER_PRICE] = _number(offer.price.units + offer.price.nanos / NANOS)
    return q.Value(struct_value=q.Struct(fields=fields))


def _text(value: str) -> q.Value:
    return q.Value(string_value=value)


def _integer(value: int) -> q.Value:
    return q.Value(integer_value=value)


def _number(value: float) -> q.Value:
    return q.Value(double_value=value)


def _list(values: list[q.Value]) -> q.Value:
    return q.Value(list_value=q.ListValue(values=values))
