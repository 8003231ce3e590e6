from math import log, sqrt

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from qdrant_client import grpc as pb

from tests.conformance.qdrant.catalogue import (
    SECONDS,
    any_of,
    dense,
    field,
    found,
    has_id,
    identifier,
    names,
    near,
    near_words,
    product,
    sparse,
    store,
    value,
)


async def test_cosine_and_dot_scores_are_those_of_the_definition(points, collection):
    await store(
        points,
        collection,
        product("a", {"dense": dense(3, 4, 0, 0), "dot": dense(3, 4)}),
        product("b", {"dense": dense(0, 0, 0, 9), "dot": dense(-1, 0.5)}),
    )
    cosine = await found(points, collection, query=near(2, 0, 0, 0), using="dense")
    assert [point.score for point in cosine] == pytest.approx([3 / 5, 0])
    dot = await found(points, collection, query=near(2, 1), using="dot")
    assert [point.score for point in dot] == pytest.approx([10, -1.5])


async def test_sparse_scores_are_the_dot_product_weighted_with_idf(points, collection):
    # Lucene's IDF, ln((N - n + 0.5) / (n + 0.5) + 1), over the points that have the vector (N = 3).
    await store(
        points,
        collection,
        product("a", {"words": sparse({1: 1.5, 2: 0.5})}),
        product("b", {"words": sparse({1: 1.0, 3: 2.0})}),
        product("c", {"words": sparse({4: 1.0})}),
    )
    results = await found(points, collection, query=near_words({1: 1.0, 3: 0.5, 99: 1.0}), using="words")
    twice, once = log((3 - 2 + 0.5) / 2.5 + 1), log((3 - 1 + 0.5) / 1.5 + 1)
    expected = {"b": 1.0 * twice + 0.5 * 2.0 * once, "a": 1.5 * twice}
    assert {point.payload["name"].string_value: point.score for point in results} == pytest.approx(expected, rel=1e-5)


async def test_two_legs_in_one_batch_answer_as_they_do_alone(points, collection):
    await store(points, collection, *(product(f"p{n}", wave(n)) for n in range(50)))
    selector = pb.WithPayloadSelector(include=pb.PayloadIncludeSelector(fields=["name"]))
    legs = [
        pb.QueryPoints(collection_name=collection, query=query, using=using, limit=20, with_payload=selector)
        for query, using in ((near(1, 2, 3, 4), "dense"), (near_words({1: 1.0, 2: 1.0}), "words"))
    ]
    batch = await points.QueryBatch(pb.QueryBatchPoints(collection_name=collection, query_points=legs), timeout=SECONDS)
    alone = [await points.Query(leg, timeout=SECONDS) for leg in legs]
    assert [list(leg.result) for leg in batch.result] == [list(leg.result) for leg in alone]
    assert len(batch.result[0].result) == 20


async def test_results_come_by_falling_score_and_equal_ones_in_the_same_order_every_time(points, collection):
    await store(points, collection, *(product(f"p{n}", wave(n % 5)) for n in range(60)))
    first = await found(points, collection, query=near(1, 2, 3, 4), using="dense")
    scores = [point.score for point in first]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 5
    assert await found(points, collection, query=near(1, 2, 3, 4), using="dense") == first


async def test_a_missing_score_is_computed_for_the_points_asked_for(points, collection):
    await store(points, collection, *(product(f"p{n}", wave(n)) for n in range(50)))
    results = await found(points, collection, has_id("p3", "p44", "never"), query=near(1, 2, 3, 4), using="dense")
    every = await found(points, collection, query=near(1, 2, 3, 4), using="dense")
    expected = {one.payload["name"].string_value: one.score for one in every}
    got = {one.payload["name"].string_value: one.score for one in results}
    assert got == pytest.approx({name: expected[name] for name in ("p3", "p44")})


async def test_a_point_without_the_vector_is_not_found_by_it(points, collection):
    await store(points, collection, product("a", {"words": sparse({1: 1.0})}), product("b"))
    assert await names(points, collection, query=near(1, 0, 0, 0), using="dense") == ["b"]


async def test_a_threshold_leaves_out_what_scores_below_it_in_the_sparse_leg_too(points, collection):
    await store(points, collection, *(product(f"p{n}", {"words": sparse({1: float(n)})}) for n in range(1, 6)))
    query = {"query": near_words({1: 1.0}), "using": "words"}
    scores = [result.score for result in await found(points, collection, **query)]
    assert await names(points, collection, **query, score_threshold=(scores[1] + scores[2]) / 2) == ["p5", "p4"]


async def test_dense_and_sparse_vectors_are_read_by_id(points, collection):
    await store(points, collection, product("a", {"dot": dense(3, 4), "words": sparse({9: 0.5, 2: 1.5})}))
    request = pb.GetPoints(
        collection_name=collection,
        ids=[identifier("a")],
        with_vectors=pb.WithVectorsSelector(include=pb.VectorsSelector(names=["dot", "words"])),
    )
    (record,) = (await points.Get(request, timeout=SECONDS)).result
    vectors = record.vectors.vectors.vectors
    assert list(vectors["dot"].dense.data) == [3, 4]
    words = vectors["words"].sparse
    assert dict(zip(words.indices, words.values, strict=True)) == {2: 1.5, 9: 0.5}


async def test_offset_limit_and_threshold(points, collection):
    # Cosine of (n, 1, 0, 0) with (1, 0, 0, 0) is n / sqrt(n^2 + 1): p5 is the best of p0 to p5.
    await store(points, collection, *(product(f"p{n}", {"dense": dense(n, 1, 0, 0)}) for n in range(6)))
    query = {"query": near(1, 0, 0, 0), "using": "dense"}
    assert await names(points, collection, **query, limit=2, offset=1) == ["p4", "p3"]
    threshold = (2 / sqrt(5) + 3 / sqrt(10)) / 2
    assert await names(points, collection, **query, score_threshold=threshold) == ["p5", "p4", "p3"]


async def test_only_the_asked_fields_and_vectors_come_back(points, collection):
    offers = [{"region": "cn", "price": 1.5}]
    await store(points, collection, product("a", brand="x", offers=offers))
    (result,) = await found(
        points,
        collection,
        query=near(1, 0, 0, 0),
        using="dense",
        with_payload=pb.WithPayloadSelector(include=pb.PayloadIncludeSelector(fields=["brand", "offers[].price"])),
        with_vectors=pb.WithVectorsSelector(include=pb.VectorsSelector(names=["words"])),
    )
    assert dict(result.payload) == {"brand": value("x"), "offers": value([{"price": 1.5}])}
    assert set(result.vectors.vectors.vectors) == {"words"}
    (bare,) = await found(
        points, collection, query=near(1, 0, 0, 0), using="dense", with_payload=pb.WithPayloadSelector(enable=False)
    )
    assert not bare.payload
    assert not bare.HasField("vectors")


async def test_every_kind_of_filter(points, collection):
    day = {"a": "2026-01-01T00:00:00Z", "b": "2026-02-01T00:00:00Z"}
    owner = "0d7b25e4-9c1f-5d0a-8e9a-3d5f7d3c2b11"
    await store(
        points,
        collection,
        product("a", brand="x", sales=5, rating=4.5, created=day["a"], owner=owner),
        product("b", brand="y", sales=50, rating=2.0, created=day["b"]),
        product("c", brand="z"),
    )
    moment = Timestamp()
    moment.FromJsonString("2026-01-15T00:00:00Z")
    x = field("brand", match=pb.Match(keyword="x"))
    b = pb.Filter(should=[field("sales", match=pb.Match(integer=50)), any_of("brand", "nobody")])
    cases = {
        "keyword": (x, {"a"}),
        "any keyword": (any_of("brand", "x", "z"), {"a", "c"}),
        "any integer": (field("sales", match=pb.Match(integers=pb.RepeatedIntegers(integers=[50, 7]))), {"b"}),
        "integer range": (field("sales", range=pb.Range(gt=5)), {"b"}),
        "float range": (field("rating", range=pb.Range(gte=2.0, lt=4.5)), {"b"}),
        "datetime range": (field("created", datetime_range=pb.DatetimeRange(lt=moment)), {"a"}),
        "uuid": (field("owner", match=pb.Match(keyword=owner)), {"a"}),
        "has id": (has_id("c", "never"), {"c"}),
        "not": (pb.Condition(filter=pb.Filter(must_not=[x])), {"b", "c"}),
        "should": (pb.Condition(filter=b), {"b"}),
        "is empty": (pb.Condition(is_empty=pb.IsEmptyCondition(key="sales")), {"c"}),
    }
    for kind, (condition, expected) in cases.items():
        got = await names(points, collection, condition, query=near(1, 0, 0, 0), using="dense")
        assert set(got) == expected, kind


async def test_a_nested_filter_holds_within_one_offer(points, collection):
    await store(
        points,
        collection,
        product("cheap there", offers=[{"region": "cn", "price": 9.0}, {"region": "us", "price": 1.0}]),
        product("cheap here", offers=[{"region": "cn", "price": 1.0}, {"region": "us", "price": 9.0}]),
        product("no offers"),
    )
    inside = pb.Filter(must=[field("region", match=pb.Match(keyword="cn")), field("price", range=pb.Range(lte=2.0))])
    nested = pb.Condition(nested=pb.NestedCondition(key="offers", filter=inside))
    assert await names(points, collection, nested, query=near(1, 0, 0, 0), using="dense") == ["cheap here"]


async def test_order_by_a_field(points, collection):
    await store(points, collection, *(product(f"p{n}", sales=n) for n in (3, 1, 2)))
    order = pb.Query(order_by=pb.OrderBy(key="sales", direction=pb.Desc))
    assert await names(points, collection, query=order) == ["p3", "p2", "p1"]


async def test_a_scroll_reads_every_point_once(points, collection):
    await store(points, collection, *(product(f"p{n}", brand="xy"[n % 2]) for n in range(25)))
    seen, offset = [], None
    while True:
        request = pb.ScrollPoints(
            collection_name=collection,
            limit=5,
            offset=offset,
            filter=pb.Filter(must=[any_of("brand", "x")]),
            with_payload=pb.WithPayloadSelector(enable=True),
        )
        page = await points.Scroll(request, timeout=SECONDS)
        seen += [record.payload["name"].string_value for record in page.result]
        if not page.HasField("next_page_offset"):
            break
        offset = page.next_page_offset
    assert sorted(seen) == sorted(f"p{n}" for n in range(0, 25, 2))


async def test_points_are_read_by_id_and_missing_ones_left_out(points, collection):
    await store(points, collection, product("a", brand="x"), product("b"))
    request = pb.GetPoints(
        collection_name=collection,
        ids=[identifier("a"), identifier("never")],
        with_payload=pb.WithPayloadSelector(include=pb.PayloadIncludeSelector(fields=["brand"])),
        with_vectors=pb.WithVectorsSelector(enable=False),
    )
    (record,) = (await points.Get(request, timeout=SECONDS)).result
    assert (record.id, dict(record.payload)) == (identifier("a"), {"brand": value("x")})


def wave(n: int) -> dict[str, pb.Vector]:
    return {"dense": dense(1 + n, 2, (7 * n) % 11, 1), "words": sparse({1 + n % 3: 1.0 + n, 10: 1.0})}
