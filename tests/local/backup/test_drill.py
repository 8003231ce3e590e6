"""The whole drill of docs/backup.md: a catalogue, an accident, the catalogue again, and the same searches over it."""

import contextlib
from types import SimpleNamespace

import asyncpg
import grpc
import pytest

from local.databases import ensure_owner
from local.postgres import PostgresServer
from local.qdrant import QdrantServer
from tests.fakes import FakeEncoder
from tests.retrieval import index_shop, shops
from tests.retrieval.conftest import migrated, serving, serving_encoder
from zhiyin.common.v1 import catalog_settings_pb2 as settings_pb
from zhiyin.common.v1 import product_pb2
from zhiyin.retrieval.v1 import catalog_settings_service_pb2 as settings_rpc
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

CATALOG = "drill"
KEPT = ("products", "offers", "catalog_settings", "index_versions", "product_vectors")
SEARCHES = (
    ("绿茶", {}),
    ("milk", {}),
    ("salt", {"filter": shops.prices(highest=3)}),
    ("tea", {"filter": {"attributes": [{"name": "origin", "texts": {"values": ["云南"]}}]}}),
)


@contextlib.asynccontextmanager
async def shop_on(url, qdrant_url):
    async with serving_encoder(FakeEncoder()) as encoder, serving(url, qdrant_url, encoder) as stub:
        yield SimpleNamespace(stub=stub, catalog=CATALOG)


async def execute(url, statement):
    connection = await asyncpg.connect(url)
    found = await connection.fetch(statement)
    await connection.close()
    return found


async def contents(url):
    """All columns of all rows of what the catalogue keeps, by table."""
    return {
        table: [row[0] for row in await execute(url, f"SELECT kept::text FROM {table} kept ORDER BY 1")]
        for table in KEPT
    }


async def reprice(seller, product_id, price):
    update = {"product_id": product_id, "offer": {"price": shops.money(price)}}
    await seller.stub.UpdateOffers(
        pb.UpdateOffersRequest(catalog=CATALOG, updates=[update], update_mask={"paths": ["price"]}),
        timeout=shops.SECONDS,
    )


async def declare(seller, *names):
    uses = [settings_pb.ATTRIBUTE_USE_FILTERABLE]
    declared = [
        settings_pb.AttributeDeclaration(name=name, type=settings_pb.ATTRIBUTE_TYPE_TEXT, uses=uses) for name in names
    ]
    wanted = settings_pb.CatalogSettings(attributes=declared)
    request = settings_rpc.UpdateCatalogSettingsRequest(catalog=CATALOG, settings=wanted)
    await seller.stub.settings.UpdateCatalogSettings(request, timeout=shops.SECONDS)


def tea(title, price, origin):
    product = shops.product("tea", title, price)
    product.attributes["origin"].CopyFrom(product_pb2.AttributeValue(texts=[origin]))
    return product


async def settled(seller):
    """Waits until all that was written is indexed and the settings are in force."""

    async def holds():
        # A service that has just started says so, until it has seen its index.
        with contextlib.suppress(grpc.aio.AioRpcError):
            request = settings_rpc.GetCatalogSettingsRequest(catalog=CATALOG)
            settings = (await seller.stub.settings.GetCatalogSettings(request, timeout=1.0)).settings
            version = await index_shop.version(seller)
            return (
                settings.state == settings_pb.CATALOG_SETTINGS_STATE_IN_FORCE
                and index_shop.settled(version)
                and index_shop.faults((await index_shop.verified(seller))[0]) == (0, 0, 0)
            )

    await shops.eventually(holds, 30.0)


async def found(seller):
    """Cosine and lexical score by id, for each search."""
    replies = [await shops.search(seller, query, **fields) for query, fields in SEARCHES]
    return [
        {
            (hit.candidate.product_id, name): getattr(hit.candidate.scores, name)
            for hit in reply.found
            for name in ("cosine", "lexical")
        }
        for reply in replies
    ]


def ids(searched):
    return [{product_id for product_id, _ in scores} for scores in searched]


async def test_a_catalogue_is_restored_to_the_moment_before_an_accident_and_found_again(
    shop, stack_directory, qdrant_url
):
    url = await ensure_owner(shop.server.url(), "catalogue", "owner's")
    await migrated(url)
    async with shop.archiving():
        async with shop_on(url, qdrant_url) as seller:
            await shops.upsert(
                seller, shops.product("milk", "有机纯牛奶 250ml milk", 12.5), shops.product("salt", "sea salt", 4)
            )
            await declare(seller, "colour")
            await shop.base()
            await declare(seller, "colour", "origin")
            await shops.upsert(seller, tea("绿茶 green tea", 30, "云南"), shops.product("salt", "rock salt", 5))
            await reprice(seller, "salt", 2.5)
            await settled(seller)
            expected, searched = await contents(url), await found(seller)
            noted = await shop.now()
            assert await contents(url) == expected
            await shops.upsert(seller, shops.product("soap", "soap"), tea("black tea", 31, "Assam"))
            await reprice(seller, "salt", 99)
            await declare(seller, "weight")
        await execute(url, f"TRUNCATE {', '.join(KEPT)}")
        assert not any((await contents(url)).values())
    await shop.server.stop()
    rows_of = {table: len(rows) for table, rows in expected.items()}
    assert rows_of == dict(zip(KEPT, (3, 3, 2, 1, 3), strict=True))
    assert ids(searched) == [{"milk", "salt", "tea"}] * 2 + [{"salt"}, {"tea"}]

    restored = await shop.restored(noted)
    assert restored.databases == ("catalogue",)
    async with (
        PostgresServer(restored.directory, durable=False) as server,
        QdrantServer(stack_directory / "fresh/qdrant") as index,
    ):
        url = await ensure_owner(server.url(), "catalogue", "another")
        assert await contents(url) == expected
        async with shop_on(url, index.address) as seller:
            await settled(seller)
            assert await found(seller) == [pytest.approx(one, abs=1e-6) for one in searched]
            await index_shop.call(seller, "RebuildIndexVersion")
            await settled(seller)
            assert await found(seller) == [pytest.approx(one, abs=1e-6) for one in searched]
            assert (await shops.get(seller, "salt")).product.title == "rock salt"
            # The outbox works on: a change of today is searchable.
            await shops.upsert(seller, shops.product("rice", "jasmine rice"))
            assert shops.ids_of(await shops.search(seller, "jasmine"))[:1] == ["rice"]
