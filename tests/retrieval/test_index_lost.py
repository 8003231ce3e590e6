"""A collection is gone, with its alias: what callers are told meanwhile, and what switching and rebuilding do."""

import grpc
import pytest
from qdrant_client import grpc as q

from tests.refusals import refusal
from tests.retrieval import index_shop, shops
from tests.retrieval.index_shop import ACTIVE, BUILDING, READY, OtherWeights, call
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

COUNT = 60


@pytest.fixture
async def shop(serve, serve_encoder, catalogue_url, qdrant_url, catalog):
    """Its indexer looks after the index every hour only, so that a test sees the time before."""
    encoders = [OtherWeights("fake-1"), OtherWeights("fake-2")]
    fields = {"index_build_portion": 5, "index_batch": 5, "index_check_seconds": 3_600.0}
    async with index_shop.open_shop(
        serve, serve_encoder, catalogue_url, qdrant_url, catalog, encoders, **fields
    ) as opened:
        await shops.upsert(opened, *[shops.product(f"p{n:02}", f"milk number {n}") for n in range(COUNT)])
        await index_shop.until(opened, 1, index_shop.settled)
        yield opened


async def lose(shop, number):
    async with index_shop.engine(shop) as qdrant:
        await qdrant.collections.Delete(q.DeleteCollection(collection_name=f"zhiyin.{shop.catalog}.{number}"))


async def points(shop):
    """Points of the collection that the alias points to."""
    async with index_shop.engine(shop) as qdrant:
        request = q.CountPoints(collection_name=f"zhiyin.{shop.catalog}", exact=True)
        return (await qdrant.points.Count(request)).result.count


async def refused(pending):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await pending
    return refusal(caught.value)


async def is_told_lost(shop):
    similar = pb.FindSimilarProductsRequest(catalog=shop.catalog, product_id="p01")
    for ask in (
        lambda: shops.search(shop, "milk"),
        lambda: shop.stub.FindSimilarProducts(similar, timeout=shops.SECONDS),
        lambda: call(shop, "VerifyIndexVersion"),
    ):
        told = await refused(ask())
        assert (told.code, told.reason, told.retry_seconds) == (grpc.StatusCode.UNAVAILABLE, "INDEX_LOST", 1.0)
        assert told.metadata == {"catalog": shop.catalog}


async def test_a_lost_index_is_unavailable_and_not_an_unknown_catalogue(shop):
    assert len((await shops.search(shop, "milk")).found) == COUNT
    await lose(shop, 1)
    for _ in range(2):
        await is_told_lost(shop)


async def test_a_replica_that_has_never_seen_the_catalogue_asks_the_database(shop, serve, catalogue_url, qdrant_url):
    await lose(shop, 1)
    async with serve(catalogue_url, qdrant_url, "127.0.0.1:1", index_check_seconds=3_600.0) as stub:
        shop.stub = stub
        await is_told_lost(shop)


async def test_a_rebuild_of_a_lost_index_is_found_by_whoever_looks_for_the_catalogue(
    shop, serve, catalogue_url, qdrant_url
):
    await lose(shop, 1)
    await call(shop, "RebuildIndexVersion")
    await index_shop.until(shop, 1, index_shop.settled)
    # By the alias, and by a replica that has not seen the catalogue.
    assert len((await shops.summaries(shop, "p01", "p02")).summaries) == 2
    async with serve(catalogue_url, qdrant_url, "127.0.0.1:1", index_check_seconds=3_600.0) as stub:
        shop.stub = stub
        assert len((await shops.search(shop, "milk")).found) == COUNT


@pytest.mark.parametrize(("method", "fields"), [("RollBackIndexVersion", {}), ("ActivateIndexVersion", {"number": 1})])
async def test_an_index_that_is_being_rebuilt_is_not_gone_back_to_before_it_is_complete(shop, method, fields):
    await index_shop.built(shop, "fake-2")
    await lose(shop, 1)
    # So that the build cannot be over before the test has looked at it.
    shop.encoders["fake-1"].refusing_documents = True
    async with index_shop.catalogue_database(shop) as connection:
        await connection.execute("DELETE FROM product_vectors WHERE model_revision = 'fake-1'")
    await call(shop, "RebuildIndexVersion", number=1)
    await call(shop, "ActivateIndexVersion", number=2)
    assert (await index_shop.version(shop, 1)).state == BUILDING
    told = await refused(call(shop, method, **fields))
    assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "INDEX_VERSION_BUILDING")
    assert await points(shop) == COUNT
    shop.encoders["fake-1"].refusing_documents = False
    await index_shop.until(shop, 1, lambda v: v.state == READY)
    assert (await call(shop, method, **fields)).version.state == ACTIVE
    assert await points(shop) == COUNT
