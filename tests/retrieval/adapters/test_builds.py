"""Builds and versions in a real Postgres."""

import pytest

from services.retrieval.adapters.builds import PostgresClearance
from services.retrieval.index_version import VersionState
from tests.retrieval.adapters.test_outbox import EVERYTHING, add_products, add_version, count, enqueue, queues

__all__ = ["queues"]


async def build(queues):
    """Goes on until nothing moves, taking out what is put in; ids in their order."""
    seen = []
    for _ in range(100):
        moved = [await queues.builds.advance(registered) for registered in await queues.builds.open()]
        changes = await queues.outbox.take(1_000, **EVERYTHING)
        seen += [change.product_id for change in changes]
        await queues.outbox.settle(changes, [])
        if not any(moved) and not changes:
            return seen
    raise AssertionError


async def test_a_build_puts_in_every_product_once_portion_by_portion(queues):
    await add_products(queues, 40)
    await add_version(queues, 1)
    assert sorted(await build(queues)) == [f"p{n:03}" for n in range(1, 41)]


async def test_a_build_waits_while_a_portion_of_it_waits(queues):
    await add_products(queues, 40)
    await add_version(queues, 1)
    for _ in range(10):
        (registered,) = await queues.builds.open()
        await queues.builds.advance(registered)
    assert await count(queues) == 7


async def test_a_build_goes_on_where_it_was(queues):
    await add_products(queues, 20)
    await add_version(queues, 1)
    (registered,) = await queues.builds.open()
    await queues.builds.advance(registered)
    (halfway,) = await queues.builds.open()
    assert halfway.built_to == "p007"
    # What is known of an older position does not matter: what is on disk does.
    await queues.outbox.settle(await queues.outbox.take(100, **EVERYTHING), [])
    await queues.builds.advance(registered)
    assert sorted(c.product_id for c in await queues.outbox.take(100, **EVERYTHING)) == [
        f"p{n:03}" for n in range(8, 15)
    ]


async def test_products_that_are_written_during_a_build_are_not_lost(queues):
    await add_products(queues, 10)
    await add_version(queues, 1)
    (registered,) = await queues.builds.open()
    await queues.builds.advance(registered)
    await add_products(queues, 3, prefix="a")
    for n in range(1, 4):  # as their writer does, which sees the version
        await enqueue(queues, f"a{n:03}")
    assert {f"a{n:03}" for n in range(1, 4)} <= set(await build(queues))


async def test_a_version_is_ready_once_the_index_has_all_that_its_build_put_in(queues):
    await add_products(queues, 3)
    await add_version(queues, 1)
    (registered,) = await queues.builds.open()
    assert not await queues.builds.complete(registered)
    await queues.builds.advance(registered)
    assert not await queues.builds.complete(registered)
    changes = await queues.outbox.take(10, **EVERYTHING)
    await queues.outbox.settle(changes[:2], changes[2:])
    assert not await queues.builds.complete(registered)  # one vector is lacking
    await queues.outbox.settle(changes[2:], [])
    await enqueue(queues, "changed-since")
    assert await queues.builds.complete(registered)
    assert (await queues.versions.find("c", 1)).state is VersionState.READY


async def test_a_product_that_changes_while_the_build_waits_for_it_still_holds_the_version_up(queues):
    await add_products(queues, 1)
    await add_version(queues, 1)
    (registered,) = await queues.builds.open()
    await queues.builds.advance(registered)
    (change,) = await queues.outbox.take(10, **EVERYTHING)
    async with queues.database.connection() as connection:
        await connection.execute(
            "INSERT INTO outbox (catalog, version, product_id, change) VALUES ('c', 1, 'p001', $1) "
            "ON CONFLICT (catalog, version, product_id) DO UPDATE SET change = excluded.change, enqueue_time = now()",
            change.change + 1,
        )
    await queues.outbox.settle([change], [])
    assert not await queues.builds.complete(registered)


async def test_counts_tell_what_the_build_has_not_come_to(queues):
    await add_products(queues, 20)
    await add_version(queues, 1)
    (registered,) = await queues.builds.open()
    await queues.builds.advance(registered)
    changes = await queues.outbox.take(7, **EVERYTHING)
    await queues.outbox.settle(changes[:2], changes[2:4])
    await queues.outbox.give_up(changes[4], "REFUSED")
    await enqueue(queues, "p001", table="offer_outbox")
    (status,) = await queues.versions.statuses("c")
    counts = status.counts
    assert (counts.products, counts.pending, counts.words_only, counts.failed) == (20, 2 + 13 + 1, 2, 1)


async def test_a_refilled_version_is_not_ready_until_it_is_complete_again(queues):
    await add_version(queues, 1, VersionState.READY)
    await enqueue(queues, "a")
    (change,) = await queues.outbox.take(10, **EVERYTHING)
    await queues.outbox.give_up(change, "REFUSED")
    async with queues.versions.transaction("c") as transaction:
        await transaction.refill(1)
    found = await queues.versions.find("c", 1)
    assert (found.state, found.built_to) == (VersionState.BUILDING, "")
    assert [c.product_id for c in await queues.outbox.take(10, **EVERYTHING)] == ["a"]


async def states(queues):
    return {number: (await queues.versions.find("c", number)).state for number in (1, 2)}


async def switch(queues, number):
    async with queues.versions.transaction("c") as transaction:
        await transaction.activate(number)


async def test_a_version_that_was_being_rebuilt_is_building_when_another_takes_its_place_until_it_is_complete(queues):
    await add_products(queues, 10)
    await add_version(queues, 1, VersionState.ACTIVE)
    await add_version(queues, 2, VersionState.READY)
    async with queues.versions.transaction("c") as transaction:
        await transaction.refill(1)
    await switch(queues, 2)
    assert await states(queues) == {1: VersionState.BUILDING, 2: VersionState.ACTIVE}
    assert len(await build(queues)) == 10
    (registered,) = [r for r in await queues.builds.open() if r.version.number == 1]
    assert await queues.builds.complete(registered)
    assert await states(queues) == {1: VersionState.READY, 2: VersionState.ACTIVE}


async def test_a_rebuild_that_has_come_to_all_products_still_waits_for_what_it_put_in(queues):
    await add_products(queues, 1)
    await add_version(queues, 1, VersionState.ACTIVE)
    await add_version(queues, 2, VersionState.READY)
    async with queues.versions.transaction("c") as transaction:
        await transaction.refill(1)
    (registered,) = await queues.builds.open()
    await queues.builds.advance(registered)
    assert (await queues.versions.find("c", 1)).built_to is None
    await switch(queues, 2)
    assert (await states(queues))[1] is VersionState.BUILDING


async def test_changes_that_wait_and_refusals_of_a_rebuild_do_not_keep_a_version_from_being_gone_back_to(queues):
    await add_products(queues, 1)
    await add_version(queues, 1, VersionState.ACTIVE)
    await add_version(queues, 2, VersionState.READY)
    async with queues.versions.transaction("c") as transaction:
        await transaction.refill(1)
    (registered,) = await queues.builds.open()
    await queues.builds.advance(registered)
    (change,) = await queues.outbox.take(10, **EVERYTHING)
    await queues.outbox.give_up(change, "REFUSED")
    await enqueue(queues, "changed-since")
    await switch(queues, 2)
    assert await states(queues) == {1: VersionState.READY, 2: VersionState.ACTIVE}


async def test_of_a_deleted_version_nothing_is_left_but_its_number(queues):
    await add_products(queues, 3)
    await add_version(queues, 1, VersionState.ACTIVE)
    await add_version(queues, 2)
    for version in (1, 2):
        await enqueue(queues, "p001", version)
        await enqueue(queues, "p001", version, table="offer_outbox")
        async with queues.database.connection() as connection:
            await connection.execute(
                "INSERT INTO product_vectors VALUES ('c', 'p001', $1, '', ''), ('other', 'p001', $1, '', '')",
                f"r{version}",
            )
    async with queues.versions.transaction("c") as transaction:
        await transaction.delete(2)
    clearance = PostgresClearance(queues.database)
    assert await clearance.deleted(3_600) == []
    (version,) = await clearance.deleted(0)
    await clearance.clear(version)
    assert await clearance.deleted(0) == []
    async with queues.database.connection() as connection:
        left = [
            await connection.fetchval(f"SELECT array_agg(version) FROM {table}") for table in ("outbox", "offer_outbox")
        ]
        vectors = await connection.fetch("SELECT catalog, model_revision FROM product_vectors ORDER BY 1, 2")
    assert left == [[1], [1]]
    assert [tuple(row) for row in vectors] == [("c", "r1"), ("other", "r1"), ("other", "r2")]


async def test_vectors_stay_while_another_version_is_of_the_same_model(queues):
    await add_version(queues, 1, VersionState.ACTIVE)
    async with queues.database.connection() as connection:
        await connection.execute("INSERT INTO product_vectors VALUES ('c', 'p', 'r1', '', '')")
        await connection.execute(
            "INSERT INTO index_versions SELECT catalog, 2, model_name, model_revision, dims, mean_vector, "
            "analyser_version, false, create_time, 'deleted', null, null, 0, null, 0, document_rules, now(), false "
            "FROM index_versions"
        )
    clearance = PostgresClearance(queues.database)
    (version,) = await clearance.deleted(0)
    await clearance.clear(version)
    async with queues.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM product_vectors") == 1


@pytest.mark.parametrize("number", [1, 2])
async def test_what_a_version_is_made_with_is_kept_with_it(queues, number):
    await add_version(queues, number, VersionState.ACTIVE)
    version = (await queues.versions.find("c", number)).version
    assert (version.model.revision, version.analyser_version) == (f"r{number}", 1)
    assert version.rules.bm25.k1 == 0.3
    assert version.rules.description_word_weight == 0.2
