"""The schema's second version, made of a database that holds products of the first."""

import asyncio
from hashlib import sha256

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from services.common.migrations import MigrationSettings, migrate
from services.retrieval.migrate import DIRECTORY
from tests.retrieval.shops import product
from zhiyin.common.v1 import product_pb2


async def to(url, revision):
    await asyncio.to_thread(migrate, DIRECTORY, MigrationSettings(database_url=url), revision)


@pytest.fixture
async def upgraded(database_url):
    """A function: the database with these products, stored by the first version and then migrated."""

    async def upgrade(messages):
        await to(database_url, "0001")
        connection = await asyncpg.connect(database_url)
        for catalog, message in messages:
            content = message.SerializeToString(deterministic=True)
            await connection.execute(
                "INSERT INTO products (catalog, id, content, content_digest) VALUES ($1, $2, $3, $4)",
                catalog,
                message.id,
                content,
                sha256(content).digest(),
            )
            await connection.execute(
                "INSERT INTO outbox (catalog, product_id, change) VALUES ($1, $2, 1)",
                catalog,
                message.id,
            )
        await to(database_url, "head")
        return connection

    connections = []

    async def opened(messages):
        connections.append(await upgrade(messages))
        return connections[-1]

    yield opened
    for connection in connections:
        await connection.close()


async def test_offers_leave_the_product_byte_for_byte_and_everything_else_stays(upgraded):
    milk = product("milk", "Milk", price=2.5, region="eu", description="线上", sales_count=0)
    milk.offers.add(region="de", quantity=3, update_time=Timestamp(seconds=1_000, nanos=5_000))
    connection = await upgraded([("a", milk), ("b", product("milk", "Other"))])
    stored = {r["catalog"]: r for r in await connection.fetch("SELECT * FROM products")}
    whole = product_pb2.Product.FromString(stored["a"]["content"])
    assert not whole.offers
    rows = await connection.fetch("SELECT * FROM offers ORDER BY region")
    assert [(r["catalog"], r["product_id"], r["region"]) for r in rows] == [("a", "milk", "de"), ("a", "milk", "eu")]
    assert rows[0]["content"] == milk.offers[1].SerializeToString(deterministic=True)
    assert rows[0]["update_time"].timestamp() == 1_000.000005
    assert rows[1]["update_time"] is None
    whole.offers.extend(milk.offers)
    assert whole == milk
    for row in stored.values():
        assert row["content_digest"] == sha256(row["content"]).digest()


async def test_variants_are_known_by_their_primary_product(upgraded):
    messages = [product("red", "T", primary_product_id="shirt"), product("shirt", "T")]
    connection = await upgraded([("a", each) for each in messages])
    rows = await connection.fetch("SELECT id, primary_product_id FROM products ORDER BY id")
    assert [tuple(row) for row in rows] == [("red", "shirt"), ("shirt", None)]


async def test_what_waits_for_the_index_still_waits_for_the_first_version(upgraded):
    connection = await upgraded([("a", product("milk", "Milk"))])
    assert await connection.fetchval("SELECT version FROM outbox") == 1


async def test_more_products_than_one_portion_are_all_moved(upgraded):
    count = 1_003
    connection = await upgraded([("a", product(f"p{n:04}", "T", price=1)) for n in range(count)])
    assert await connection.fetchval("SELECT count(*) FROM offers") == count


async def test_ids_are_compared_as_bytes(upgraded):
    connection = await upgraded([("a", product(each, "T")) for each in ("b", "B", "a-1", "a1", "_")])
    rows = await connection.fetch("SELECT id FROM products ORDER BY id")
    assert [row["id"] for row in rows] == ["B", "_", "a-1", "a1", "b"]


async def test_an_index_version_of_before_is_active(database_url):
    await to(database_url, "0001")
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO index_versions (catalog, number, model_name, model_revision, dims, mean_vector, "
        "analyser_version, active) VALUES ('a', 1, 'm', 'r', 2, '', 1, true)"
    )
    await to(database_url, "head")
    row = await connection.fetchrow("SELECT * FROM index_versions")
    assert (row["state"], row["settings_version"], row["built_to"]) == ("active", 0, None)
    assert row["activate_time"] == row["create_time"]
    await connection.close()
