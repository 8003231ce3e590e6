"""Facets: exact numbers of points by the values of an indexed field."""

from collections import Counter

import grpc
import pytest
from qdrant_client import grpc as pb

from tests.conformance.qdrant.catalogue import SECONDS, any_of, field, product, store


async def facet(points, collection: str, key: str, *must: pb.Condition, limit: int = 100) -> list[tuple]:
    request = pb.FacetCounts(
        collection_name=collection,
        key=key,
        filter=pb.Filter(must=must) if must else None,
        limit=limit,
        exact=True,
    )
    reply = await points.Facet(request, timeout=SECONDS)
    return [(getattr(hit.value, hit.value.WhichOneof("variant")), hit.count) for hit in reply.hits]


async def test_a_facet_counts_points_and_not_values_and_the_most_frequent_come_first(points, collection):
    await store(
        points,
        collection,
        product("1", brand="a", sales=7),
        product("2", brand=["a", "b", "a"], sales=7),
        product("3", brand="b", sales=-1),
        product("4", brand="a"),
        product("5"),
        product("6", brand=None),
    )
    assert await facet(points, collection, "brand") == [("a", 3), ("b", 2)]
    assert await facet(points, collection, "sales") == [(7, 2), (-1, 1)]
    assert await facet(points, collection, "brand", limit=1) == [("a", 3)]


async def test_a_facet_is_exact_over_what_a_filter_leaves(points, collection):
    brands, regions = "abcdefg", ("cn", "us", "de")
    given = [(brands[n % 7], regions[n % 3], n) for n in range(400)]
    await store(
        points,
        collection,
        *(
            product(f"p{n}", brand=brand, sales=n, offers=[{"region": region, "price": 1.0}])
            for brand, region, n in given
        ),
    )
    few = field("sales", range=pb.Range(lt=100))
    expected = Counter(brand for brand, _, n in given if n < 100)
    assert dict(await facet(points, collection, "brand", few)) == expected
    expected = Counter(region for brand, region, _ in given if brand == "c")
    assert dict(await facet(points, collection, "offers[].region", any_of("brand", "c"))) == expected


async def test_a_facet_follows_changes(points, collection):
    await store(points, collection, product("1", brand="a"), product("2", brand="a"))
    await store(points, collection, product("2", brand="b"))
    assert sorted(await facet(points, collection, "brand")) == [("a", 1), ("b", 1)]


@pytest.mark.parametrize("key", ["colour", "rating"], ids=["no index", "an index without matches"])
async def test_a_facet_needs_an_index_of_matches(points, collection, key):
    await store(points, collection, product("1", colour="red", rating=1.5))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await facet(points, collection, key)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_filter_of_a_facet_needs_its_index(points, collection):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await facet(points, collection, "brand", any_of("colour", "red"))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
