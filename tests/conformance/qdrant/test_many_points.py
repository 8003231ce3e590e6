"""What has to hold however many points there are, with graphs or without."""

import uuid

import grpc
import numpy as np
import pytest
from qdrant_client import grpc as pb

from tests.conformance.qdrant.catalogue import INDEXES, SECONDS, any_of, creation, field, found, value

COUNT, DIMENSIONS = 10_000, 32
PORTION = 500


def vectors(count: int, seed: int) -> np.ndarray:
    """Unit vectors around a hundred centres, (count, 32)."""
    chosen = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(100, DIMENSIONS))
    around = centres[chosen.integers(0, 100, count)] + 0.4 * chosen.normal(size=(count, DIMENSIONS))
    return (around / np.linalg.norm(around, axis=1, keepdims=True)).astype(np.float32)


STORED = vectors(COUNT, seed=1)


def point(number: int) -> pb.PointStruct:
    named = {"wide": pb.Vector(dense=pb.DenseVector(data=STORED[number].tolist()))}
    brand = "single" if number == 7_654 else f"b{number % 10}"
    return pb.PointStruct(
        id=pb.PointId(num=number),
        vectors=pb.Vectors(vectors=pb.NamedVectors(vectors=named)),
        payload={"name": value(str(number)), "brand": value(brand), "sales": value(number // 3)},
    )


@pytest.fixture(scope="module")
def many(qdrant_url):
    """Name of a collection of 10,000 points, which no test changes."""
    name = f"test-{uuid.uuid4().hex}"
    request = creation(name)
    request.vectors_config.params_map.map["wide"].CopyFrom(pb.VectorParams(size=DIMENSIONS, distance=pb.Dot))
    with grpc.insecure_channel(qdrant_url) as channel:
        collections, points = pb.CollectionsStub(channel), pb.PointsStub(channel)
        collections.Create(request, timeout=SECONDS)
        for key, kind in INDEXES.items():
            index = pb.CreateFieldIndexCollection(collection_name=name, field_name=key, field_type=kind, wait=True)
            points.CreateFieldIndex(index, timeout=SECONDS)
        for start in range(0, COUNT, PORTION):
            portion = [point(number) for number in range(start, start + PORTION)]
            points.Upsert(pb.UpsertPoints(collection_name=name, wait=True, points=portion), timeout=SECONDS)
        yield name
        collections.Delete(pb.DeleteCollection(collection_name=name), timeout=SECONDS)


def near(vector: np.ndarray) -> pb.Query:
    return pb.Query(nearest=pb.VectorInput(dense=pb.DenseVector(data=vector.tolist())))


async def test_a_filter_that_leaves_one_of_ten_thousand_finds_it(points, many):
    single = any_of("brand", "single")
    for vector in vectors(5, seed=2):
        results = await found(points, many, single, query=near(vector), using="wide")
        assert [result.id.num for result in results] == [7_654]
    assert [result.id.num for result in await found(points, many, single)] == [7_654]


@pytest.mark.parametrize("share", ["all", "a tenth", "few"])
async def test_recall_at_a_hundred_is_that_of_a_search_worth_its_name(points, many, share):
    conditions = {"all": [], "a tenth": [any_of("brand", "b3")], "few": [field("sales", range=pb.Range(lt=100))]}
    left = {
        "all": np.arange(COUNT),
        "a tenth": np.array([n for n in range(3, COUNT, 10) if n != 7_654]),
        "few": np.arange(300),
    }[share]
    recalls = []
    for vector in vectors(20, seed=3):
        results = await found(points, many, *conditions[share], query=near(vector), using="wide", limit=100)
        best = left[np.argsort(-(STORED[left] @ vector))[:100]]
        recalls.append(len({result.id.num for result in results} & set(best.tolist())) / 100)
    assert np.mean(recalls) >= 0.95


async def test_a_search_by_a_point_finds_its_neighbours_and_not_itself(points, many):
    by_point = pb.Query(nearest=pb.VectorInput(id=pb.PointId(num=42)))
    results = await found(points, many, query=by_point, using="wide", limit=10)
    assert 42 not in [result.id.num for result in results]
    alike = await found(points, many, query=near(STORED[42]), using="wide", limit=11)
    assert [result.id.num for result in alike if result.id.num != 42] == [result.id.num for result in results]


async def test_a_search_by_a_point_that_is_not_there_is_not_found(points, many):
    by_point = pb.Query(nearest=pb.VectorInput(id=pb.PointId(num=COUNT)))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await found(points, many, query=by_point, using="wide")
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


async def test_pages_of_a_scroll_are_disjoint_and_together_complete(points, many):
    seen, offset = [], None
    while True:
        request = pb.ScrollPoints(
            collection_name=many, limit=97, offset=offset, filter=pb.Filter(must=[any_of("brand", "b1", "b2")])
        )
        page = await points.Scroll(request, timeout=SECONDS)
        seen += [record.id.num for record in page.result]
        if not page.HasField("next_page_offset"):
            break
        offset = page.next_page_offset
    assert len(seen) == len(set(seen))
    assert sorted(seen) == [number for number in range(COUNT) if number % 10 in (1, 2)]


@pytest.mark.parametrize("direction", [pb.Asc, pb.Desc], ids=["rising", "falling"])
async def test_an_order_keeps_its_filter_and_its_direction(points, many, direction):
    order = pb.Query(order_by=pb.OrderBy(key="sales", direction=direction))
    results = await found(points, many, any_of("brand", "b9"), query=order, limit=100)
    expected = sorted((number // 3 for number in range(9, COUNT, 10)), reverse=direction == pb.Desc)
    assert [result.order_value.int for result in results] == expected[:100]
    assert all(result.id.num % 10 == 9 for result in results)


async def test_vectors_come_back_as_they_were_stored(points, many):
    request = pb.GetPoints(
        collection_name=many, ids=[pb.PointId(num=3)], with_vectors=pb.WithVectorsSelector(enable=True)
    )
    (record,) = (await points.Get(request, timeout=SECONDS)).result
    assert np.array_equal(np.array(record.vectors.vectors.vectors["wide"].dense.data, np.float32), STORED[3])
