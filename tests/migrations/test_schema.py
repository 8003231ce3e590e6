"""The release before works on the schema of this one: its columns, keys and rows are still there and still accepted."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from services.common.migrations import MigrationSettings, migrate
from tests.migrations.released import contractions, migrations, released
from tests.migrations.rows import ROWS, insert
from tests.migrations.schema import broken, read_schema


@asynccontextmanager
async def connected(url):
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def migrated(directory, url, revision):
    await asyncio.to_thread(migrate, directory, MigrationSettings(database_url=url), revision)


async def refused_inserts(connection, service, number):
    found = set()
    for table, row in ROWS[service].items():
        try:
            await connection.execute(insert(table, row, number))
        except asyncpg.PostgresError as exc:
            found.add(f"INSERT INTO {table}: {type(exc).__name__}")
    return found


async def written_rows(connection, service):
    return {
        table: [str(found) for found in await connection.fetch(f"SELECT {', '.join(row)} FROM {table}")]
        for table, row in ROWS[service].items()
    }


@pytest.mark.parametrize("service", migrations())
async def test_the_release_before_can_go_on_reading_and_writing(service, database_url):
    directory = migrations()[service]
    await migrated(directory, database_url, released(directory).head)
    async with connected(database_url) as connection:
        before = await read_schema(connection)
        assert ROWS[service].keys() == before.tables.keys(), "a released table has no row in rows.py"
        assert await refused_inserts(connection, service, 1) == set()
        rows = await written_rows(connection, service)

    await migrated(directory, database_url, "head")
    async with connected(database_url) as connection:
        assert await written_rows(connection, service) == rows
        found = broken(before, await read_schema(connection)) | await refused_inserts(connection, service, 2)
    decided = contractions(directory)
    assert found == decided.keys(), "see docs/migrations.md"
    assert all(len(reason) > 20 for reason in decided.values())


BEFORE = """
    CREATE SEQUENCE changes;
    CREATE TABLE products (id text PRIMARY KEY, change bigint NOT NULL DEFAULT nextval('changes'), title text);
"""


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("ALTER TABLE products ADD COLUMN brand text", set()),
        ("ALTER TABLE products ADD COLUMN sales bigint NOT NULL DEFAULT 0", set()),
        ("ALTER TABLE products ADD COLUMN sales int GENERATED ALWAYS AS IDENTITY", set()),
        ("ALTER TABLE products ADD COLUMN sales int; ALTER TABLE products ADD CHECK (sales >= 0)", set()),
        ("CREATE TABLE offers (id text PRIMARY KEY, price bigint NOT NULL CHECK (price > 0))", set()),
        ("CREATE INDEX ON products (title)", set()),
        ("ALTER TABLE products ALTER COLUMN change DROP NOT NULL", set()),
        ("DROP TABLE products", {"products is gone"}),
        ("ALTER TABLE products RENAME TO goods", {"products is gone"}),
        ("ALTER TABLE products DROP COLUMN title", {"products.title is gone"}),
        (
            "ALTER TABLE products RENAME COLUMN id TO key",
            {"products.id is gone", "products.key must be given", "products (id) is no longer unique"},
        ),
        (
            "ALTER TABLE products ALTER COLUMN title TYPE varchar(9)",
            {"products.title is character varying(9) and was text"},
        ),
        ("ALTER TABLE products ALTER COLUMN title SET NOT NULL", {"products.title refuses null"}),
        ("ALTER TABLE products ALTER COLUMN change DROP DEFAULT", {"products.change has lost its default"}),
        ("ALTER TABLE products ADD COLUMN brand text NOT NULL", {"products.brand must be given"}),
        ("ALTER TABLE products DROP CONSTRAINT products_pkey", {"products (id) is no longer unique"}),
        ("CREATE UNIQUE INDEX ON products (title)", {"products (title) has become unique"}),
        ("ALTER TABLE products ADD CHECK (title <> '')", {"products has a new rule: CHECK ((title <> ''::text))"}),
        (
            "DROP SEQUENCE changes CASCADE",
            {"sequence changes is gone", "products.change has lost its default"},
        ),
    ],
)
async def test_what_the_release_before_cannot_live_with_is_found(database_url, statement, expected):
    async with connected(database_url) as connection:
        await connection.execute(BEFORE)
        before = await read_schema(connection)
        await connection.execute(statement)
        assert broken(before, await read_schema(connection)) == expected
