from qdrant_client import grpc as pb

from tests.conformance.qdrant.catalogue import (
    SECONDS,
    any_of,
    dense,
    found,
    identifier,
    ids,
    names,
    near,
    near_words,
    product,
    sparse,
    store,
    value,
)


async def test_a_point_is_found_as_soon_as_a_waiting_upsert_returns(points, collection):
    for number in range(20):
        await store(points, collection, product(f"product {number}"))
        assert len(await found(points, collection, query=near(1, 0, 0, 0), using="dense")) == number + 1


async def test_the_payload_comes_back_as_it_was_stored(points, collection):
    payload = {
        "text": "牛奶 \N{CUP WITH STRAW}",
        "whole": -(2**53),
        "real": 0.1,
        "yes": True,
        "no": False,
        "nothing": None,
        "many": ["a", 1, 2.5, [], {}],
        "offers": [{"region": "cn", "price": 1.5}, {"region": "", "price": 2.0}],
    }
    await store(points, collection, product("a", **payload))
    (result,) = await found(points, collection, query=near(1, 0, 0, 0), using="dense")
    assert dict(result.payload) == {"name": value("a")} | {name: value(one) for name, one in payload.items()}
    assert result.id == identifier("a")
    get = pb.GetPoints(
        collection_name=collection, ids=[identifier("a")], with_payload=pb.WithPayloadSelector(enable=True)
    )
    (record,) = (await points.Get(get, timeout=SECONDS)).result
    assert record.payload == result.payload


async def test_an_upsert_replaces_the_whole_point(points, collection):
    await store(points, collection, product("a", {"dense": dense(1, 0, 0, 0)}, brand="one", extra="x"))
    await store(points, collection, product("a", {"words": sparse({1: 1.0})}, brand="two"))
    assert await found(points, collection, query=near(1, 0, 0, 0), using="dense") == []
    (result,) = await found(points, collection, query=near_words({1: 1.0}), using="words")
    assert dict(result.payload) == {"name": value("a"), "brand": value("two")}


async def test_set_payload_changes_its_fields_only_and_the_next_query_sees_it(points, collection):
    await store(points, collection, product("a", brand="one", extra="x"))
    assert await names(points, collection, any_of("brand", "one"), query=near(1, 0, 0, 0), using="dense")
    change = pb.SetPayloadPoints(
        collection_name=collection, wait=True, payload={"brand": value("two")}, points_selector=ids("a")
    )
    await points.SetPayload(change, timeout=SECONDS)
    (result,) = await found(points, collection, any_of("brand", "two"), query=near(1, 0, 0, 0), using="dense")
    assert (result.payload["brand"], result.payload["extra"]) == (value("two"), value("x"))
    assert not await names(points, collection, any_of("brand", "one"), query=near(1, 0, 0, 0), using="dense")


async def test_update_vectors_leaves_the_payload_and_the_other_vectors(points, collection):
    await store(points, collection, product("a", brand="one"))
    vectors = pb.Vectors(vectors=pb.NamedVectors(vectors={"dense": dense(0, 2, 0, 0)}))
    change = pb.UpdatePointVectors(
        collection_name=collection,
        wait=True,
        points=[pb.PointVectors(id=identifier("a"), vectors=vectors)],
    )
    await points.UpdateVectors(change, timeout=SECONDS)
    (result,) = await found(
        points,
        collection,
        query=near(0, 1, 0, 0),
        using="dense",
        with_vectors=pb.WithVectorsSelector(enable=True),
    )
    assert result.score == 1.0
    assert list(result.vectors.vectors.vectors["dense"].dense.data) == [0, 1, 0, 0]  # cosine stores unit vectors
    assert list(result.vectors.vectors.vectors["words"].sparse.indices) == [7]
    assert result.payload["brand"] == value("one")


async def test_points_are_deleted_by_id_and_by_filter_and_deleting_again_is_no_error(points, collection):
    await store(points, collection, product("a", brand="x"), product("b", brand="y"), product("c", brand="y"))
    by_filter = pb.PointsSelector(filter=pb.Filter(must=[any_of("brand", "y")]))
    for selector in (ids("a", "never"), by_filter, ids("a")):
        deletion = pb.DeletePoints(collection_name=collection, wait=True, points=selector)
        await points.Delete(deletion, timeout=SECONDS)
        assert "a" not in await names(points, collection, query=near(1, 0, 0, 0), using="dense")
    count = await points.Count(pb.CountPoints(collection_name=collection, exact=True), timeout=SECONDS)
    assert count.result.count == 0


async def test_writing_the_same_points_again_changes_nothing(points, collection):
    for _ in range(3):
        await store(points, collection, product("a", brand="x"), product("b"))
    count = await points.Count(pb.CountPoints(collection_name=collection, exact=True), timeout=SECONDS)
    assert count.result.count == 2
