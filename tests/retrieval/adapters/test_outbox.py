"""The outbox in a real Postgres."""

import pytest

from services.common.migrations import MigrationSettings, migrate
from services.common.postgres import DatabaseSettings, open_database
from services.retrieval.adapters import outbox as module
from services.retrieval.adapters.outbox import PostgresOutbox, PostgresVersions
from services.retrieval.migrate import DIRECTORY


@pytest.fixture
async def database(catalogue_url):
    async with open_database(DatabaseSettings(database_url=catalogue_url)) as opened:
        yield opened


async def add_products(database, count):
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO products (catalog, id, content, content_digest) "
            "SELECT 'c', 'p' || n, '', '' FROM generate_series(1, $1) AS n",
            count,
        )


async def test_a_lost_index_is_put_into_the_outbox_whole_in_several_statements(database, monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 7)
    await add_products(database, 40)
    for _ in range(2):
        await PostgresVersions(database).enqueue_all("c")
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox WHERE catalog = 'c'") == 40


async def test_a_writer_that_was_overtaken_has_its_product_indexed_again(database):
    await add_products(database, 1)
    outbox = PostgresOutbox(database)
    await PostgresVersions(database).enqueue_all("c")
    (held_up,) = await outbox.take(10, vectors_too=True, without=[])
    # Another process writes the same product, newer by now, and settles it while this one is frozen.
    await outbox.settle([held_up], [])
    assert await outbox.take(10, vectors_too=True, without=[]) == []
    await outbox.settle([held_up], [])
    (again,) = await outbox.take(10, vectors_too=True, without=[])
    assert again.product_id == held_up.product_id
    await outbox.settle([again], [])
    assert await outbox.take(10, vectors_too=True, without=[]) == []


async def test_an_entry_of_a_later_change_is_left_alone_by_the_settlement_of_an_earlier_one(database):
    await add_products(database, 1)
    outbox = PostgresOutbox(database)
    await PostgresVersions(database).enqueue_all("c")
    (earlier,) = await outbox.take(10, vectors_too=True, without=[])
    async with database.connection() as connection:
        await connection.execute("UPDATE outbox SET change = change + 1")
    await outbox.settle([earlier], [])
    (waiting,) = await outbox.take(10, vectors_too=True, without=[])
    assert waiting.change == earlier.change + 1


def test_migrations_take_the_urls_that_the_service_takes(catalogue_url):
    migrate(DIRECTORY, MigrationSettings(database_url=f"{catalogue_url}?sslmode=prefer"))
