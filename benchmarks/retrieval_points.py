"""A synthetic catalogue as retrieval's index holds it, for Qdrant's API and for the bare engine.

Vectors of 384 dimensions around centres, words by Zipf's law, a payload of about 1 kB. Any size, the same every time.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray
from qdrant_client import grpc as q

DIMS: Final = 384
LEG_LIMIT: Final = 200
"""Results of a leg; retrieval's default."""
DENSE, SPARSE, COLLECTION = "text", "words", "bench"
SHOWN: Final = ("id", "card", "length", "centred_length", "offer_cn")
INDEXES: Final = {
    "brand": q.FieldType.FieldTypeKeyword,
    "offers[].region": q.FieldType.FieldTypeKeyword,
    "offers[].price": q.FieldType.FieldTypeFloat,
    "offers[].availability": q.FieldType.FieldTypeInteger,
}
_CENTRES: Final = 500
_WORDS_EACH: Final = 12
_VOCABULARY: Final = 50_000
_NAMESPACE: Final = uuid.UUID("6f0c3a52-8f0e-5d5b-9a3c-2b1e7c4d9a11")

Words = tuple[list[int], list[float]]


@dataclass(frozen=True, slots=True)
class Texts:
    """Vectors, (n, 384) float32, and words of n texts, each with ascending indices."""

    vectors: NDArray[np.float32]
    words: Sequence[Words]


def texts(count: int, seed: int) -> Texts:
    """Texts of products or of queries."""
    chosen = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((_CENTRES, DIMS), np.float32)
    around = centres[chosen.integers(0, _CENTRES, count)] + 0.7 * chosen.standard_normal((count, DIMS), np.float32)
    vectors = around / np.linalg.norm(around, axis=1, keepdims=True)
    indices = [np.unique(chosen.zipf(1.3, _WORDS_EACH) % _VOCABULARY) for _ in range(count)]
    return Texts(vectors, [(each.tolist(), [1.0] * len(each)) for each in indices])


def portions(count: int, size: int) -> Iterator[tuple[range, Texts]]:
    """Numbers and texts of all products, `size` at a time."""
    for start in range(0, count, size):
        yield range(start, min(start + size, count)), texts(min(size, count - start), seed=start + 1)


def point_id(number: int) -> str:
    """The id of a product's point."""
    return str(uuid.uuid5(_NAMESPACE, str(number)))


def payload(number: int) -> dict[str, Any]:
    """What a point holds besides vectors."""
    offers = [
        {"region": region, "currency": "CNY", "price": float((number * 37 + place) % 1000), "availability": 1}
        for place, region in enumerate(("cn", "us"))
    ]
    return {
        "id": f"product-{number}",
        "card": f"{number} " + "x" * 600,
        "brand": f"brand {number % 100}",
        "length": 1.0,
        "centred_length": 0.5,
        "offers": offers,
        "offer_cn": "y" * 120,
    }


def message(number: int, vector: NDArray[np.float32], words: Words) -> q.PointStruct:
    """A product for Qdrant's API."""
    vectors = {
        DENSE: q.Vector(dense=q.DenseVector(data=vector.tolist())),
        SPARSE: q.Vector(sparse=q.SparseVector(indices=words[0], values=words[1])),
    }
    return q.PointStruct(
        id=q.PointId(uuid=point_id(number)),
        vectors=q.Vectors(vectors=q.NamedVectors(vectors=vectors)),
        payload={name: value(given) for name, given in payload(number).items()},
    )


def value(given: Any) -> q.Value:
    """A value of a payload."""
    if isinstance(given, list):
        return q.Value(list_value=q.ListValue(values=[value(each) for each in given]))
    if isinstance(given, dict):
        return q.Value(struct_value=q.Struct(fields={name: value(each) for name, each in given.items()}))
    if isinstance(given, str):
        return q.Value(string_value=given)
    return q.Value(integer_value=given) if isinstance(given, int) else q.Value(double_value=given)


def bare_point(number: int, vector: NDArray[np.float32], words: Words) -> edge.Point:
    """The same product for the bare engine."""
    return edge.Point(point_id(number), {DENSE: vector.tolist(), SPARSE: edge.SparseVector(*words)}, payload(number))


def both_legs(vector: NDArray[np.float32], words: Words, *, filtered: bool) -> q.QueryBatchPoints:
    """The query that retrieval makes for one search."""
    selector = q.WithPayloadSelector(include=q.PayloadIncludeSelector(fields=SHOWN))
    legs = {
        DENSE: q.VectorInput(dense=q.DenseVector(data=vector.tolist())),
        SPARSE: q.VectorInput(sparse=q.SparseVector(indices=words[0], values=words[1])),
    }
    queries = [
        q.QueryPoints(
            collection_name=COLLECTION,
            query=q.Query(nearest=nearest),
            using=using,
            filter=_filter() if filtered else None,
            limit=LEG_LIMIT,
            with_payload=selector,
        )
        for using, nearest in legs.items()
    ]
    return q.QueryBatchPoints(collection_name=COLLECTION, query_points=queries)


def bare_both_legs(vector: NDArray[np.float32], words: Words, *, filtered: bool) -> edge.QueryBatchRequest:
    """The same query for the bare engine."""
    legs = {DENSE: vector.tolist(), SPARSE: edge.SparseVector(*words)}
    return edge.QueryBatchRequest(
        [
            edge.QueryRequest(
                limit=LEG_LIMIT,
                query=edge.Query.Nearest(nearest, using=using),
                filter=_bare_filter() if filtered else None,
                with_payload=edge.PayloadSelector.Include(list(SHOWN)),
            )
            for using, nearest in legs.items()
        ]
    )


def _filter() -> q.Filter:
    """An offer of one region within a tenth of the prices."""
    region = q.FieldCondition(key="region", match=q.Match(keyword="cn"))
    price = q.FieldCondition(key="price", range=q.Range(gte=300.0, lte=400.0))
    inside = q.Filter(must=[q.Condition(field=region), q.Condition(field=price)])
    return q.Filter(must=[q.Condition(nested=q.NestedCondition(key="offers", filter=inside))])


def _bare_filter() -> edge.Filter:
    region = edge.FieldCondition("region", match=edge.MatchValue("cn"))
    price = edge.FieldCondition("price", range=edge.RangeFloat(gte=300.0, lte=400.0))
    return edge.Filter(must=[edge.NestedCondition("offers", edge.Filter(must=[region, price]))])
