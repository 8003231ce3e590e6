"""The whole drill of docs/backup.md: a catalogue, an accident, the catalogue again, and a search over it."""

import contextlib
from types import SimpleNamespace

import asyncpg
import grpc

from local.databases import ensure_owner
from local.postgres import PostgresServer
from local.qdrant import QdrantServer
from tests.fakes import FakeEncoder
from tests.retrieval import shops
from tests.retrieval.conftest import migrated, serving, serving_encoder

CATALOG = "drill"
PRODUCTS = "SELECT catalog, id, change, content, content_digest, update_time FROM products ORDER BY catalog, id"


@contextlib.asynccontextmanager
async def shop_on(url, qdrant_url):
    async with serving_encoder(FakeEncoder()) as encoder, serving(url, qdrant_url, encoder) as stub:
        yield SimpleNamespace(stub=stub, catalog=CATALOG)


async def rows(url, query):
    connection = await asyncpg.connect(url)
    found = [tuple(row) for row in await connection.fetch(query)]
    await connection.close()
    return found


async def test_a_catalogue_is_restored_to_the_moment_before_an_accident_and_found_again(
    shop, stack_directory, qdrant_url
):
    url = await ensure_owner(shop.server.url(), "catalogue", "owner's")
    await migrated(url)
    async with shop.archiving():
        async with shop_on(url, qdrant_url) as seller:
            await shops.upsert(
                seller, shops.product("milk", "有机纯牛奶 250ml", 12.5), shops.product("salt", "sea salt")
            )
            await shop.base()
            await shops.upsert(seller, shops.product("tea", "绿茶 green tea", 30), shops.product("salt", "rock salt"))
            expected = await rows(url, PRODUCTS)
            noted = await shop.now()
            await shops.upsert(seller, shops.product("soap", "soap"), shops.product("tea", "black tea"))
        await rows(url, "DELETE FROM products RETURNING id")
        assert await rows(url, PRODUCTS) == []
    await shop.server.stop()

    restored = await shop.restored(noted)
    assert restored.databases == ("catalogue",)
    async with (
        PostgresServer(restored.directory, durable=False) as server,
        QdrantServer(stack_directory / "fresh/qdrant") as index,
    ):
        url = await ensure_owner(server.url(), "catalogue", "another")
        assert await rows(url, PRODUCTS) == expected
        assert [row[1] for row in expected] == ["milk", "salt", "tea"]
        async with shop_on(url, index.address) as seller:

            async def found():
                with contextlib.suppress(grpc.aio.AioRpcError):
                    return shops.ids_of(await shops.search(seller, "绿茶", within=1.0))[:1] == ["tea"]

            await shops.eventually(found)
            assert (await shops.get(seller, "salt")).product.title == "rock salt"
            assert "soap" not in shops.ids_of(await shops.search(seller, "soap"))
            # The outbox works on: a change of today is searchable.
            await shops.upsert(seller, shops.product("rice", "jasmine rice"))
            assert shops.ids_of(await shops.search(seller, "jasmine"))[:1] == ["rice"]
