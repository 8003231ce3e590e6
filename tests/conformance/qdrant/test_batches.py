"""UpdateBatch and the writes of payloads: how prices and stock change without touching a vector."""

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
    ids,
    names,
    near,
    product,
    store,
    value,
)

Part = pb.PointsUpdateOperation


def setting(selector: pb.PointsSelector, key: str | None = None, **payload) -> Part:
    fields = {name: value(given) for name, given in payload.items()}
    return Part(set_payload=Part.SetPayload(payload=fields, points_selector=selector, key=key))


def storing(*products: pb.PointStruct) -> Part:
    return Part(upsert=Part.PointStructList(points=products))


def deleting(*given: str) -> Part:
    return Part(delete_points=Part.DeletePoints(points=ids(*given)))


def matching(*given: str) -> pb.PointsSelector:
    return pb.PointsSelector(filter=pb.Filter(must=[has_id(*given)]))


async def apply(points, collection: str, *parts: Part) -> pb.UpdateBatchResponse:
    request = pb.UpdateBatchPoints(collection_name=collection, wait=True, operations=parts)
    return await points.UpdateBatch(request, timeout=SECONDS)


async def payloads(points, collection: str) -> dict[str, dict]:
    results = await found(points, collection, query=near(1, 0, 0, 0), using="dense")
    return {result.payload["name"].string_value: dict(result.payload) for result in results}


async def test_a_batch_is_applied_in_its_order_with_a_result_for_each_part(points, collection):
    await store(points, collection, product("a", brand="one"), product("b"))
    reply = await apply(
        points,
        collection,
        setting(ids("a"), brand="two"),
        storing(product("c", brand="x")),
        setting(ids("c"), brand="y"),
        deleting("b"),
        setting(ids("a"), brand="three", sales=3),
    )
    assert [result.status for result in reply.result] == [pb.UpdateStatus.Completed] * 5
    stored = await payloads(points, collection)
    assert stored["a"] == {"name": value("a"), "brand": value("three"), "sales": value(3)}
    assert stored["c"]["brand"] == value("y")
    assert set(stored) == {"a", "c"}


async def test_a_batch_of_a_thousand_prices_shows_in_filters_and_results(points, collection):
    await store(points, collection, *(product(f"p{n}", offers=[{"region": "cn", "price": 1.0}]) for n in range(500)))
    for price in (2.0, 3.0):
        parts = [setting(ids(f"p{n}"), offers=[{"region": "cn", "price": price + n}]) for n in range(500)]
        await apply(points, collection, *parts)
    cheap = pb.Condition(
        nested=pb.NestedCondition(key="offers", filter=pb.Filter(must=[field("price", range=pb.Range(lt=13.0))]))
    )
    found_now = await found(points, collection, cheap, query=near(1, 0, 0, 0), using="dense")
    shown = {one.payload["name"].string_value: one.payload["offers"] for one in found_now}
    assert shown == {f"p{n}": value([{"region": "cn", "price": 3.0 + n}]) for n in range(10)}


async def test_a_key_names_the_object_whose_fields_are_set(points, collection):
    await store(points, collection, product("a", card={"title": "milk", "price": 1}))
    await apply(points, collection, setting(ids("a"), key="card", price=2))
    assert (await payloads(points, collection))["a"]["card"] == value({"title": "milk", "price": 2})


async def test_a_missing_id_is_not_found_and_ends_the_batch_there(points, collection):
    await store(points, collection, product("a"), product("b"))
    parts = setting(ids("a"), brand="x"), setting(ids("never"), brand="x"), setting(ids("b"), brand="x")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await apply(points, collection, *parts)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    stored = await payloads(points, collection)
    assert "brand" in stored["a"]
    assert "brand" not in stored["b"]


async def test_a_filter_of_ids_changes_those_that_are_there_and_minds_none_that_is_not(points, collection):
    await store(points, collection, product("a"), product("b"))
    await apply(points, collection, setting(matching("never"), brand="x"), setting(matching("b", "gone"), brand="y"))
    assert await names(points, collection, any_of("brand", "x", "y"), query=near(1, 0, 0, 0), using="dense") == ["b"]


async def test_a_batch_overwrites_and_removes_fields_and_replaces_vectors(points, collection):
    await store(points, collection, product("a", brand="x", sales=1), product("b", brand="x", sales=1))
    whole = Part.OverwritePayload(payload={"name": value("a"), "sales": value(2)}, points_selector=ids("a"))
    less = Part.DeletePayload(keys=["brand"], points_selector=ids("b"))
    vectors = pb.Vectors(vectors=pb.NamedVectors(vectors={"dense": dense(0, 1, 0, 0)}))
    moved = Part.UpdateVectors(points=[pb.PointVectors(id=product("b").id, vectors=vectors)])
    await apply(
        points, collection, Part(overwrite_payload=whole), Part(delete_payload=less), Part(update_vectors=moved)
    )
    assert await payloads(points, collection) == {
        "a": {"name": value("a"), "sales": value(2)},
        "b": {"name": value("b"), "sales": value(1)},
    }
    assert (await names(points, collection, query=near(0, 1, 0, 0), using="dense"))[0] == "b"


async def test_payloads_are_overwritten_and_removed_by_requests_of_their_own(points, collection):
    await store(points, collection, product("a", brand="x", sales=1))
    less = pb.DeletePayloadPoints(collection_name=collection, wait=True, keys=["sales"], points_selector=ids("a"))
    await points.DeletePayload(less, timeout=SECONDS)
    assert (await payloads(points, collection))["a"] == {"name": value("a"), "brand": value("x")}
    whole = pb.SetPayloadPoints(
        collection_name=collection, wait=True, payload={"name": value("a")}, points_selector=ids("a")
    )
    await points.OverwritePayload(whole, timeout=SECONDS)
    assert (await payloads(points, collection))["a"] == {"name": value("a")}


async def test_a_filter_of_a_write_needs_its_index_in_a_batch_too(points, collection):
    await store(points, collection, product("a", colour="red"))
    unindexed = pb.PointsSelector(filter=pb.Filter(must=[any_of("colour", "red")]))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await apply(points, collection, setting(unindexed, brand="x"))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("order", [pb.Query(order_by=pb.OrderBy(key="sales")), None], ids=["ordered", "unordered"])
async def test_a_changed_payload_shows_in_queries_without_a_vector(points, collection, order):
    await store(points, collection, product("a", sales=1, brand="one"))
    for brand in ("two", "three"):
        await apply(points, collection, setting(ids("a"), brand=brand))
        (result,) = await found(points, collection, query=order)
        assert result.payload["brand"] == value(brand)
