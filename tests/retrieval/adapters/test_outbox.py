"""The queues in a real Postgres."""

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from services.common.migrations import MigrationSettings, migrate
from services.common.postgres import DatabaseSettings, open_database
from services.retrieval.adapters.builds import PostgresBuilds
from services.retrieval.adapters.offer_outbox import PostgresOfferOutbox
from services.retrieval.adapters.outbox import PostgresOutbox
from services.retrieval.adapters.queue_gauges import PostgresQueues
from services.retrieval.adapters.version_registry import PostgresVersions
from services.retrieval.analysis import Bm25
from services.retrieval.documents import DocumentRules
from services.retrieval.index_version import Model, VersionState
from services.retrieval.migrate import DIRECTORY
from services.retrieval.version_registry import NewVersion

RULES = DocumentRules(Bm25(0.3, 0.75, 20.0), 100, 100, 0.2)
EVERYTHING = {"without_vectors": [], "without": []}


@pytest.fixture
async def queues(catalogue_url):
    async with open_database(DatabaseSettings(database_url=catalogue_url)) as database:
        yield SimpleNamespace(
            database=database,
            outbox=PostgresOutbox(database),
            offers=PostgresOfferOutbox(database),
            versions=PostgresVersions(database),
            builds=PostgresBuilds(database, portion=7),
        )


async def add_products(queues, count, catalog="c", prefix="p"):
    async with queues.database.connection() as connection:
        await connection.execute(
            "INSERT INTO products (catalog, id, content, content_digest) "
            "SELECT $1, $3 || lpad(n::text, 3, '0'), '', '' FROM generate_series(1, $2) AS n",
            catalog,
            count,
            prefix,
        )


async def add_version(queues, number, state=VersionState.BUILDING, catalog="c"):
    model = Model("m", f"r{number}", 2)
    async with queues.versions.transaction(catalog) as transaction:
        await transaction.add(NewVersion(number, state, model, np.zeros(2, np.float32), 1, RULES))


async def enqueue(queues, product_id, version=1, catalog="c", table="outbox", words_indexed=False):
    columns = "catalog, version, product_id, change" + (", words_indexed" if table == "outbox" else "")
    values = "$1, $2, $3, nextval('product_changes')" + (f", {words_indexed}" if table == "outbox" else "")
    async with queues.database.connection() as connection:
        await connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})", catalog, version, product_id)


async def taken(queues, limit=1_000, **fields):
    return [(e.version, e.product_id) for e in await queues.outbox.take(limit, **{**EVERYTHING, **fields})]


async def count(queues, condition="true"):
    async with queues.database.connection() as connection:
        return await connection.fetchval(f"SELECT count(*) FROM outbox WHERE {condition}")


async def test_the_active_version_comes_first_then_the_ones_kept_then_builds_and_words_before_vectors(queues):
    for number, state in ((1, VersionState.READY), (2, VersionState.ACTIVE), (3, VersionState.BUILDING)):
        await add_version(queues, number, state)
        await enqueue(queues, "vector", number, words_indexed=True)
        await enqueue(queues, "words", number)
    assert await taken(queues) == [
        (2, "words"), (2, "vector"), (1, "words"), (1, "vector"), (3, "words"), (3, "vector"),
    ]  # fmt: skip
    assert await taken(queues, limit=3) == [(2, "words"), (2, "vector"), (1, "words")]


async def test_what_waits_for_the_vectors_of_a_model_that_is_away_is_left_out(queues):
    for number, state in ((1, VersionState.ACTIVE), (2, VersionState.BUILDING)):
        await add_version(queues, number, state)
        await enqueue(queues, "vector", number, words_indexed=True)
        await enqueue(queues, "words", number)
    assert await taken(queues, without_vectors=["r1"]) == [(1, "words"), (2, "words"), (2, "vector")]


async def test_a_version_that_is_left_alone_is_left_out_and_a_catalogue_without_a_version_is_not(queues):
    await add_version(queues, 1, VersionState.ACTIVE)
    await enqueue(queues, "a")
    await enqueue(queues, "new", catalog="no-version-yet")
    assert await taken(queues, without=["c.1"]) == [(1, "new")]
    assert await taken(queues, without=["c.1", "no-version-yet.1"]) == []


async def test_a_changed_product_comes_before_those_of_a_rebuild(queues):
    await add_version(queues, 1, VersionState.ACTIVE)
    await add_products(queues, 3)
    async with queues.versions.transaction("c") as transaction:
        await transaction.refill(1)
    (registered,) = await queues.builds.open()
    await queues.builds.advance(registered)
    await enqueue(queues, "changed")
    assert (await taken(queues))[0] == (1, "changed")


async def test_a_writer_that_was_overtaken_has_its_product_indexed_again(queues):
    await add_version(queues, 1, VersionState.ACTIVE)
    await enqueue(queues, "a")
    (held_up,) = await queues.outbox.take(10, **EVERYTHING)
    # Another process writes the same product, newer by now, and settles it while this one is frozen.
    await queues.outbox.settle([held_up], [])
    assert await taken(queues) == []
    await queues.outbox.settle([held_up], [])
    assert await taken(queues) == [(1, "a")]
    await queues.outbox.settle(await queues.outbox.take(10, **EVERYTHING), [])
    assert await taken(queues) == []


async def test_nothing_is_put_back_into_the_queue_of_a_deleted_version(queues):
    await add_version(queues, 1)
    await enqueue(queues, "a")
    (held_up,) = await queues.outbox.take(10, **EVERYTHING)
    await queues.outbox.settle([held_up], [])
    async with queues.versions.transaction("c") as transaction:
        await transaction.delete(1)
    await queues.outbox.settle([held_up], [])
    assert await count(queues) == 0


async def test_an_entry_of_a_later_change_is_left_alone_by_the_settlement_of_an_earlier_one(queues):
    await add_version(queues, 1, VersionState.ACTIVE)
    await enqueue(queues, "a")
    (earlier,) = await queues.outbox.take(10, **EVERYTHING)
    async with queues.database.connection() as connection:
        await connection.execute("UPDATE outbox SET change = change + 1")
    await queues.outbox.settle([earlier], [])
    (waiting,) = await queues.outbox.take(10, **EVERYTHING)
    assert waiting.change == earlier.change + 1


async def test_an_entry_that_a_build_puts_in_again_is_not_taken_out_by_the_settlement_of_its_forerunner(queues):
    """A process that was frozen since before a rebuild began has written the product in its old form."""
    await add_version(queues, 1, VersionState.ACTIVE)
    await add_products(queues, 1)
    await enqueue(queues, "p001")
    (held_up,) = await queues.outbox.take(10, **EVERYTHING)
    async with queues.versions.transaction("c") as transaction:
        await transaction.refill(1)
    (registered,) = await queues.builds.open()
    await queues.builds.advance(registered)
    await queues.outbox.settle([held_up], [])
    assert await taken(queues) == [(1, "p001")]


async def test_settling_waits_for_no_writer_who_holds_an_entry(queues):
    """Writers hold some entries while they wait for others: whoever waits for them while holding any is in danger."""
    await add_version(queues, 1, VersionState.ACTIVE)
    for product_id in "ab":
        await enqueue(queues, product_id)
        await enqueue(queues, product_id, table="offer_outbox")
    changes = await queues.outbox.take(10, **EVERYTHING)
    offers = await queues.offers.take(10, without=[])
    async with asyncio.timeout(3), queues.database.transaction() as writer:
        for table in ("outbox", "offer_outbox"):
            change = f"UPDATE {table} SET change = change + 1 WHERE product_id = 'b'"
            await writer.execute(change)
        await queues.outbox.settle(changes, [])
        await queues.offers.settle(offers)
    assert await taken(queues) == [(1, "b")]
    assert [entry.product_id for entry in await queues.offers.take(10, without=[])] == ["b"]


async def test_an_entry_whose_writer_gives_up_is_indexed_once_more_and_not_lost(queues):
    await add_version(queues, 1, VersionState.ACTIVE)
    await enqueue(queues, "a")
    changes = await queues.outbox.take(10, **EVERYTHING)
    with pytest.raises(ZeroDivisionError):
        async with queues.database.transaction() as writer:
            await writer.execute("UPDATE outbox SET change = change + 1")
            await queues.outbox.settle(changes, [])
            raise ZeroDivisionError
    assert await taken(queues) == [(1, "a")]


async def test_offers_of_the_active_version_come_first_then_the_oldest(queues):
    for number, state in ((1, VersionState.BUILDING), (2, VersionState.ACTIVE)):
        await add_version(queues, number, state)
    for number, product_id in ((1, "a"), (2, "b"), (2, "a")):
        await enqueue(queues, product_id, number, table="offer_outbox")
    entries = await queues.offers.take(10, without=[])
    assert [(e.version, e.product_id) for e in entries] == [(2, "b"), (2, "a"), (1, "a")]
    await queues.offers.settle(entries[:2])
    assert [e.version for e in await queues.offers.take(10, without=[])] == [1]
    assert await queues.offers.take(10, without=["c.1"]) == []


async def test_a_queue_is_measured_by_version(queues):
    await add_version(queues, 1, VersionState.ACTIVE)
    await add_version(queues, 2)
    for product_id in "ab":
        await enqueue(queues, product_id, 1)
    await enqueue(queues, "a", 2, table="offer_outbox")
    await enqueue(queues, "a", catalog="no-version-yet")
    lengths = {
        (q.catalog, q.version): (q.state, q.products, q.offers) for q in await PostgresQueues(queues.database).lengths()
    }
    assert lengths == {
        ("c", 1): ("active", 2, 0),
        ("c", 2): ("building", 0, 1),
        ("no-version-yet", 1): ("building", 1, 0),
    }


def test_migrations_take_the_urls_that_the_service_takes(catalogue_url):
    migrate(DIRECTORY, MigrationSettings(database_url=f"{catalogue_url}?sslmode=prefer"))
