"""Qdrant loses everything; the settings of a catalogue change: all products are indexed again."""

import grpc
import pytest

from local.qdrant import QdrantServer
from services.retrieval.adapters.qdrant_points import point_uuid
from tests.refusals import refusal
from tests.retrieval import index_shop, shops
from tests.retrieval.index_shop import ACTIVE, READY, OtherWeights, call
from zhiyin.common.v1 import catalog_settings_pb2 as settings_pb
from zhiyin.common.v1 import filter_pb2, product_pb2
from zhiyin.retrieval.v1 import catalog_settings_service_pb2 as settings_rpc

QUERIES = ("milk", "milk tea", "fresh bread", "牛奶", "number 7")


@pytest.fixture
async def own_qdrant(stack_directory):
    """An engine whose data a test may lose."""
    servers = []

    async def start(directory, port=0):
        server = QdrantServer(stack_directory / directory, port=port)
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()


async def found(shop):
    replies = [await shops.search(shop, query, limit=50) for query in QUERIES]
    return [
        [(f.candidate.product_id, f.candidate.scores.cosine, f.candidate.scores.lexical) for f in reply.found]
        for reply in replies
    ]


async def test_a_lost_index_comes_back_with_the_same_products_order_and_scores(
    serve, serve_encoder, catalogue_url, own_qdrant, catalog
):
    first = await own_qdrant("first")
    encoder = index_shop.FakeEncoder()
    opened = index_shop.open_shop(
        serve, serve_encoder, catalogue_url, first.address, catalog, [encoder, OtherWeights()], index_build_portion=15
    )
    async with opened as shop:
        titles = ["fresh milk", "milk tea", "bread", "fresh bread", "有机纯牛奶"]
        await shops.upsert(
            shop, *[shops.product(f"p{n}", f"{titles[n % 5]} number {n}", price=n + 1) for n in range(60)]
        )
        await index_shop.built(shop, "fake-2")
        before, encoded = await found(shop), len(encoder.documents)
        assert all(before)

        await first.stop()
        await own_qdrant("second", port=int(first.address.rpartition(":")[2]))
        for number in (1, 2):
            await shops.eventually(lambda number=number: is_asked_to_rebuild(shop, number))
            await index_shop.until(shop, number, lambda v: index_shop.settled(v) and v.state in {ACTIVE, READY})
        assert (await index_shop.version(shop, 1)).state == ACTIVE

        after = await found(shop)
        assert [[hit[0] for hit in hits] for hits in after] == [[hit[0] for hit in hits] for hits in before]
        for hits, again in zip(before, after, strict=True):
            for one, other in zip(hits, again, strict=True):
                assert one[1:] == pytest.approx(other[1:], abs=1e-6)
        assert len(encoder.documents) == encoded  # the vectors were kept
        for number in (1, 2):
            findings, _ = await index_shop.verified(shop, number=number)
            assert index_shop.faults(findings) == (0, 0, 0)


async def is_asked_to_rebuild(shop, number):
    try:
        await call(shop, "RebuildIndexVersion", number=number)
    except grpc.aio.AioRpcError as error:  # the connection to Qdrant is not back yet
        if refusal(error).retry_seconds is None:
            raise
        return False
    return True


async def updated(shop, *attributes):
    request = settings_rpc.UpdateCatalogSettingsRequest(
        catalog=shop.catalog, settings=settings_pb.CatalogSettings(attributes=attributes)
    )
    return (await shop.stub.settings.UpdateCatalogSettings(request, timeout=shops.SECONDS)).settings


async def in_force(shop):
    request = settings_rpc.GetCatalogSettingsRequest(catalog=shop.catalog)
    reply = await shop.stub.settings.GetCatalogSettings(request, timeout=shops.SECONDS)
    return reply.settings.state == settings_pb.CATALOG_SETTINGS_STATE_IN_FORCE


def material(*uses):
    return settings_pb.AttributeDeclaration(name="material", type=settings_pb.ATTRIBUTE_TYPE_TEXT, uses=uses)


def made_of(product_id, title, text):
    product = shops.product(product_id, title)
    product.attributes["material"].CopyFrom(product_pb2.AttributeValue(texts=[text]))
    return product


async def test_settings_are_applied_to_every_version_and_come_into_force(shop):
    await shops.upsert(shop, made_of("a", "milk jug", "porcelain"), made_of("b", "milk pot", "steel"))
    assert (await shops.search(shop, "porcelain")).found[0].candidate.scores.lexical == 0
    await updated(shop, material(settings_pb.ATTRIBUTE_USE_SEARCHABLE, settings_pb.ATTRIBUTE_USE_FILTERABLE))
    await shops.eventually(lambda: in_force(shop))

    async def is_found():
        wanted = filter_pb2.ProductFilter()
        wanted.attributes.add(name="material").texts.values.append("steel")
        try:
            return shops.ids_of(await shops.search(shop, "milk", filter=wanted)) == ["b"]
        except Exception:  # noqa: BLE001 - a replica may go by the settings before for a moment
            return False

    await shops.eventually(is_found)
    best = (await shops.search(shop, "porcelain")).found[0].candidate
    assert best.product_id == "a"
    assert best.scores.lexical > 0
    version = await index_shop.version(shop)
    assert version.settings_version == 1
    findings, _ = await index_shop.verified(shop)
    assert index_shop.faults(findings) == (0, 0, 0)


async def test_an_attribute_that_is_no_longer_searchable_is_not_found_by_its_words(shop):
    await updated(shop, material(settings_pb.ATTRIBUTE_USE_SEARCHABLE))
    await shops.upsert(shop, made_of("a", "milk jug", "porcelain"))
    assert (await shops.search(shop, "porcelain")).found[0].candidate.scores.lexical > 0
    await updated(shop, material(settings_pb.ATTRIBUTE_USE_FILTERABLE))
    await shops.eventually(lambda: in_force(shop))
    assert all(f.candidate.scores.lexical == 0 for f in (await shops.search(shop, "porcelain")).found)


def test_a_products_point_has_the_same_id_in_every_version():
    assert point_uuid("c", "p") == point_uuid("c", "p") != point_uuid("d", "p")


async def test_ties_stand_by_product_id_also_after_everything_was_restarted(
    serve, serve_encoder, catalogue_url, own_qdrant, catalog
):
    engine = await own_qdrant("kept")
    encoder = index_shop.FakeEncoder()

    async def order():
        opened = index_shop.open_shop(serve, serve_encoder, catalogue_url, engine.address, catalog, [encoder])
        async with opened as shop:
            # Written in an order that is not that of their ids; the second time nothing changes.
            await shops.upsert(shop, *[shops.product(f"p{n:02}", "green tea") for n in (7, 3, 11, 1, 9, 5, 2)])
            await shops.eventually(lambda: all_found(shop, 7))
            return [f.candidate.product_id for f in (await shops.search(shop, "green tea", limit=50)).found]

    before = await order()
    await engine.start()
    assert before == await order() == ["p01", "p02", "p03", "p05", "p07", "p09", "p11"]


async def all_found(shop, count):
    return len((await shops.search(shop, "green tea", limit=50)).found) == count
