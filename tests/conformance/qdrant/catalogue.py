"""A small catalogue as retrieval stores it, and short ways to write Qdrant's messages."""

import uuid

from qdrant_client import grpc as pb

SECONDS = 10.0

INDEXES = {
    "brand": pb.FieldTypeKeyword,
    "sales": pb.FieldTypeInteger,
    "rating": pb.FieldTypeFloat,
    "created": pb.FieldTypeDatetime,
    "owner": pb.FieldTypeUuid,
    "offers[].price": pb.FieldTypeFloat,
    "offers[].region": pb.FieldTypeKeyword,
    "offers[].availability": pb.FieldTypeInteger,
}


def creation(name: str) -> pb.CreateCollection:
    """A strict collection: `dense` (cosine, 4), `dot` (dot, 2), `words` (sparse with IDF)."""
    dense_vectors = {
        "dense": pb.VectorParams(size=4, distance=pb.Cosine),
        "dot": pb.VectorParams(size=2, distance=pb.Dot),
    }
    words = {"words": pb.SparseVectorParams(modifier=pb.Idf)}
    return pb.CreateCollection(
        collection_name=name,
        vectors_config=pb.VectorsConfig(params_map=pb.VectorParamsMap(map=dense_vectors)),
        sparse_vectors_config=pb.SparseVectorConfig(map=words),
        strict_mode_config=pb.StrictModeConfig(
            enabled=True,
            unindexed_filtering_retrieve=False,
            unindexed_filtering_update=False,
            max_query_limit=500,
            upsert_max_batchsize=500,
            search_max_batchsize=4,
            filter_max_conditions=20,
        ),
    )


def identifier(name: str) -> pb.PointId:
    return pb.PointId(uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, name)))


def dense(*data: float) -> pb.Vector:
    return pb.Vector(dense=pb.DenseVector(data=data))


def sparse(weights: dict[int, float]) -> pb.Vector:
    return pb.Vector(sparse=pb.SparseVector(indices=list(weights), values=list(weights.values())))


def value(given) -> pb.Value:
    if isinstance(given, list):
        return pb.Value(list_value=pb.ListValue(values=[value(item) for item in given]))
    if isinstance(given, dict):
        return pb.Value(struct_value=pb.Struct(fields={name: value(item) for name, item in given.items()}))
    kinds = {str: "string_value", bool: "bool_value", int: "integer_value", float: "double_value"}
    return pb.Value(null_value=pb.NULL_VALUE) if given is None else pb.Value(**{kinds[type(given)]: given})


def product(name: str, vectors: dict[str, pb.Vector] | None = None, **payload) -> pb.PointStruct:
    """A product; without vectors it has the same ones as all others."""
    named = vectors or {"dense": dense(1, 0, 0, 0), "words": sparse({7: 1.0})}
    return pb.PointStruct(
        id=identifier(name),
        vectors=pb.Vectors(vectors=pb.NamedVectors(vectors=named)),
        payload={"name": value(name)} | {field: value(given) for field, given in payload.items()},
    )


async def store(points, collection: str, *products: pb.PointStruct) -> None:
    request = pb.UpsertPoints(collection_name=collection, wait=True, points=products)
    await points.Upsert(request, timeout=SECONDS)


async def names(points, collection: str, *must: pb.Condition, **query) -> list[str]:
    """Names of the products that a query finds, in its order."""
    return [result.payload["name"].string_value for result in await found(points, collection, *must, **query)]


async def found(points, collection: str, *must: pb.Condition, **query) -> list[pb.ScoredPoint]:
    filters = pb.Filter(must=must) if must else None
    request = pb.QueryPoints(
        collection_name=collection,
        filter=filters,
        **{"limit": 100, "with_payload": pb.WithPayloadSelector(enable=True)} | query,
    )
    reply = await points.Query(request, timeout=SECONDS)
    return list(reply.result)


def near(*data: float) -> pb.Query:
    return pb.Query(nearest=pb.VectorInput(dense=pb.DenseVector(data=data)))


def near_words(weights: dict[int, float]) -> pb.Query:
    words = pb.SparseVector(indices=list(weights), values=list(weights.values()))
    return pb.Query(nearest=pb.VectorInput(sparse=words))


def field(key: str, **condition) -> pb.Condition:
    return pb.Condition(field=pb.FieldCondition(key=key, **condition))


def any_of(key: str, *texts: str) -> pb.Condition:
    return field(key, match=pb.Match(keywords=pb.RepeatedStrings(strings=texts)))


def has_id(*given: str) -> pb.Condition:
    return pb.Condition(has_id=pb.HasIdCondition(has_id=[identifier(name) for name in given]))


def ids(*given: str) -> pb.PointsSelector:
    return pb.PointsSelector(points=pb.PointsIdsList(ids=[identifier(name) for name in given]))
