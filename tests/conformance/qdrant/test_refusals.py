import math
import uuid

import grpc
import pytest
from qdrant_client import grpc as pb

from tests.conformance.qdrant.catalogue import (
    SECONDS,
    any_of,
    dense,
    field,
    found,
    has_id,
    identifier,
    near,
    near_words,
    product,
    sparse,
    store,
    value,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
MISSING = grpc.StatusCode.NOT_FOUND


async def refusal(call) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value


async def test_a_filter_on_a_field_without_index_is_refused_by_name(points, collection):
    error = await refusal(found(points, collection, any_of("colour", "red"), query=near(1, 0, 0, 0), using="dense"))
    assert error.code() == INVALID
    assert 'Index required but not found for "colour"' in error.details()


async def test_an_index_of_another_type_does_not_serve_a_filter(points, collection):
    condition = field("brand", range=pb.Range(gt=1.0))
    error = await refusal(found(points, collection, condition, query=near(1, 0, 0, 0), using="dense"))
    assert error.code() == INVALID
    assert '"brand"' in error.details()


async def test_a_nested_filter_needs_the_index_of_the_nested_field(points, collection):
    inside = pb.Filter(must=[field("currency", match=pb.Match(keyword="CNY"))])
    nested = pb.Condition(nested=pb.NestedCondition(key="offers", filter=inside))
    error = await refusal(found(points, collection, nested, query=near(1, 0, 0, 0), using="dense"))
    assert error.code() == INVALID


async def test_counting_scrolling_and_deleting_need_the_index_too(points, collection):
    filters = pb.Filter(must=[any_of("colour", "red")])
    calls = [
        points.Count(pb.CountPoints(collection_name=collection, filter=filters), timeout=SECONDS),
        points.Scroll(pb.ScrollPoints(collection_name=collection, filter=filters), timeout=SECONDS),
        points.Delete(
            pb.DeletePoints(collection_name=collection, points=pb.PointsSelector(filter=filters)),
            timeout=SECONDS,
        ),
    ]
    for call in calls:
        assert (await refusal(call)).code() == INVALID


async def test_an_index_made_later_serves_from_then_on(points, collection):
    await store(points, collection, product("a", colour="red"))
    index = pb.CreateFieldIndexCollection(
        collection_name=collection, field_name="colour", field_type=pb.FieldTypeKeyword, wait=True
    )
    await points.CreateFieldIndex(index, timeout=SECONDS)
    assert await found(points, collection, any_of("colour", "red"), query=near(1, 0, 0, 0), using="dense")


async def test_limits_of_strict_mode(points, collection):
    products = [product(f"p{n}") for n in range(501)]
    query = pb.QueryPoints(collection_name=collection, query=near(1, 0, 0, 0), using="dense")
    batch = pb.QueryBatchPoints(collection_name=collection, query_points=[query] * 5)
    calls = {
        "limit": found(points, collection, query=near(1, 0, 0, 0), using="dense", limit=501),
        "conditions": found(points, collection, *[has_id("a")] * 21, query=near(1, 0, 0, 0), using="dense"),
        "upsert": store(points, collection, *products),
        "batch": points.QueryBatch(batch, timeout=SECONDS),
    }
    for name, call in calls.items():
        assert (await refusal(call)).code() == INVALID, name
    await store(points, collection, *products[:500])
    assert len(await found(points, collection, query=near(1, 0, 0, 0), using="dense", limit=500)) == 500


async def test_an_unknown_collection_is_not_found_by_any_method(points, collections):
    name = "no-such-collection"
    calls = {
        "query": found(points, name, query=near(1, 0, 0, 0), using="dense"),
        "upsert": store(points, name, product("a")),
        "count": points.Count(pb.CountPoints(collection_name=name), timeout=SECONDS),
        "get": points.Get(pb.GetPoints(collection_name=name, ids=[identifier("a")]), timeout=SECONDS),
        "info": collections.Get(pb.GetCollectionInfoRequest(collection_name=name), timeout=SECONDS),
    }
    for method, call in calls.items():
        assert (await refusal(call)).code() == MISSING, method


@pytest.mark.parametrize(
    "vectors",
    [
        {"dense": dense(1, 0, 0)},
        {"unknown": dense(1, 0, 0, 0)},
        {"words": pb.Vector(sparse=pb.SparseVector(indices=[1, 1], values=[1.0, 2.0]))},
        {"words": pb.Vector(sparse=pb.SparseVector(indices=[1, 2], values=[1.0]))},
    ],
    ids=["dimension", "name", "index twice", "lengths"],
)
async def test_a_vector_that_does_not_fit_is_refused_and_nothing_of_its_batch_is_lost(points, collection, vectors):
    await store(points, collection, product("before"))
    error = await refusal(store(points, collection, product("bad", vectors)))
    assert error.code() == INVALID
    await store(points, collection, product("after"))
    count = await points.Count(pb.CountPoints(collection_name=collection, exact=True), timeout=SECONDS)
    assert count.result.count == 2


@pytest.mark.parametrize(
    ("query", "using"),
    [
        (near(1, 0, 0), "dense"),
        (near(1, 0, 0, 0), "unknown"),
        (near_words({1: 1.0}), "dense"),
        (near(1, 0, 0, 0), "words"),
    ],
    ids=["dimension", "name", "sparse for dense", "dense for sparse"],
)
async def test_a_query_that_does_not_fit_is_refused(points, collection, query, using):
    await store(points, collection, product("a"))
    assert (await refusal(found(points, collection, query=query, using=using))).code() == INVALID


async def test_an_id_that_is_no_uuid_is_refused(points, collection):
    point = pb.PointStruct(id=pb.PointId(uuid="milk"), payload={"name": value("milk")})
    point.vectors.vectors.vectors["words"].CopyFrom(sparse({1: 1.0}))
    assert (await refusal(store(points, collection, point))).code() == INVALID


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize(
    "wrap", [lambda n: n, lambda n: [1.0, n], lambda n: [{"price": n}]], ids=["", "list", "object"]
)
async def test_a_number_that_is_not_finite_is_refused_wherever_it_stands(points, collection, number, wrap):
    point = pb.PointStruct(id=identifier("milk"), payload={"name": value(wrap(number))})
    point.vectors.vectors.vectors["words"].CopyFrom(sparse({1: 1.0}))
    error = await refusal(store(points, collection, point))
    assert error.code() == INVALID
    assert "cannot convert to json number" in error.details()


async def test_an_unindexed_order_is_refused(points, collection):
    order = pb.Query(order_by=pb.OrderBy(key="colour"))
    assert (await refusal(found(points, collection, query=order))).code() == INVALID


async def test_a_zero_limit_is_refused(points, collection):
    error = await refusal(found(points, collection, query=near(1, 0, 0, 0), using="dense", limit=0))
    assert error.code() == INVALID


async def test_bad_names_are_refused(collections):
    for name in ("", "a/b", "x" * 256):
        request = pb.CreateCollection(collection_name=name)
        assert (await refusal(collections.Create(request, timeout=SECONDS))).code() == INVALID, name


async def test_missing_points_are_not_found_by_set_payload(points, collection):
    never = pb.PointsSelector(points=pb.PointsIdsList(ids=[pb.PointId(uuid=str(uuid.uuid4()))]))
    change = pb.SetPayloadPoints(
        collection_name=collection, wait=True, payload={"brand": value("x")}, points_selector=never
    )
    assert (await refusal(points.SetPayload(change, timeout=SECONDS))).code() == MISSING
