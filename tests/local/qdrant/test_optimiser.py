import os
import signal
from pathlib import Path

import psutil
import pytest
from qdrant_client import grpc as pb

from tests.local.qdrant.clusters import (
    EXACT_POINTS,
    client,
    impatient_server,
    point,
    pointer,
    recall,
    until,
    vectors,
)

COUNT = 600


def builders(server) -> list[psutil.Process]:
    """Processes of the server that build graphs, and are past their launcher."""
    try:
        children = psutil.Process(server.child.pid).children()
        return [child for child in children if "local.qdrant.builder" in child.cmdline()[:3]]
    except psutil.Error:
        return []


def shards(directory: Path) -> list[Path]:
    return [path for path in directory.glob("collections/*/shard*") if path.is_dir()]


async def fill(opened, count: int = COUNT, seed: int = 1) -> dict:
    """Stores points and returns their vectors by number."""
    stored = dict(enumerate(vectors(count, seed)))
    await opened.store(*(point(number, vector) for number, vector in stored.items()))
    return stored


async def check(opened, stored, prices, *, graphs: bool = True) -> None:
    """Everything is there with its last price, and is found: by an exact search wholly, through graphs almost."""
    assert await opened.prices() == prices
    asked = vectors(20, seed=9)
    even = {number: one for number, one in stored.items() if number % 2 == 0}
    for half, expected in (("", stored), ("a", even)):
        for exact, least in ((True, 1.0), (False, 0.95 if graphs else 0.0)):
            recalls = [recall(await opened.found(vector, 20, half, exact=exact), expected, vector) for vector in asked]
            assert sum(recalls) / len(recalls) >= least


async def test_a_collection_that_outgrew_exact_search_is_built_and_finds_the_same(stack_directory):
    async with impatient_server(stack_directory) as server, client(server.address) as opened:
        await opened.create()
        stored = await fill(opened)
        await until(lambda: pointer(stack_directory))
        await check(opened, stored, dict.fromkeys(stored, 0))
        assert await opened.status() == pb.CollectionStatus.Green
        await until(lambda: len(shards(stack_directory)) == 1)
        (shard,) = shards(stack_directory)
        assert shard.name == pointer(stack_directory)
        graphs = list(shard.glob("segments/*/vector_index-text/graph*"))
        assert graphs


async def test_a_collection_within_the_limit_is_left_alone(stack_directory):
    async with impatient_server(stack_directory) as server, client(server.address) as opened:
        await opened.create()
        await fill(opened, EXACT_POINTS)
        async with client(server.address, "larger") as larger:
            await larger.create()
            await fill(larger)
            await until(lambda: pointer(stack_directory))
        assert len(list(stack_directory.glob("collections/*/shard.current"))) == 1
        assert (await opened.prices()).keys() == set(range(EXACT_POINTS))


async def test_writes_while_it_is_built_are_all_there_afterwards(stack_directory):
    async with impatient_server(stack_directory) as server, client(server.address) as opened:
        await opened.create()
        stored = await fill(opened)
        prices = dict.fromkeys(stored, 0)
        await until(lambda: builders(server))
        fresh, number = vectors(4_000, seed=2), COUNT
        while not pointer(stack_directory):
            await opened.store(point(number, fresh[number - COUNT]))
            stored[number], prices[number] = fresh[number - COUNT], 0
            await opened.set_price(number - 300, number)
            prices[number - 300] = number
            await opened.delete(number - COUNT)
            del stored[number - COUNT], prices[number - COUNT]
            number += 1
        assert number > COUNT
        # The graphs are right, but so many points have left them that they find less until they are built again.
        await check(opened, stored, prices, graphs=False)
    async with impatient_server(stack_directory) as server, client(server.address) as opened:
        await check(opened, stored, prices, graphs=False)


async def test_what_was_changed_since_is_built_again(stack_directory):
    async with impatient_server(stack_directory) as server, client(server.address) as opened:
        await opened.create()
        stored = await fill(opened)
        await until(lambda: pointer(stack_directory))
        first, prices = pointer(stack_directory), dict.fromkeys(stored, 0)
        for number in range(COUNT // 2):
            await opened.set_price(number, 7)
            prices[number] = 7
        await until(lambda: pointer(stack_directory) != first)
        await check(opened, stored, prices)


async def test_graphs_that_most_points_were_deleted_from_are_built_again(stack_directory):
    async with impatient_server(stack_directory) as server, client(server.address) as opened:
        await opened.create()
        stored = await fill(opened, 2 * COUNT)
        await until(lambda: pointer(stack_directory))
        first = pointer(stack_directory)
        await opened.delete(*range(COUNT))
        stored = {number: vector for number, vector in stored.items() if number >= COUNT}
        await until(lambda: pointer(stack_directory) != first)
        await check(opened, stored, dict.fromkeys(stored, 0))


async def test_aliases_and_payload_indexes_are_kept(stack_directory):
    async with impatient_server(stack_directory) as server, client(server.address) as opened:
        await opened.create()
        alias = pb.AliasOperations(create_alias=pb.CreateAlias(alias_name="a", collection_name="c"))
        await opened.collections.UpdateAliases(pb.ChangeAliases(actions=[alias]), timeout=10)
        stored = await fill(opened)
        await until(lambda: pointer(stack_directory))
        info = await opened.collections.Get(pb.GetCollectionInfoRequest(collection_name="a"), timeout=10)
        assert set(info.result.payload_schema) == {"price", "half"}
        async with client(server.address, "a") as through_the_alias:
            await check(through_the_alias, stored, dict.fromkeys(stored, 0))


async def test_a_builder_that_is_killed_costs_nothing_and_is_tried_again(stack_directory):
    async with impatient_server(stack_directory) as server, client(server.address) as opened:
        await opened.create()
        stored = await fill(opened)
        await until(lambda: builders(server))
        killed = builders(server)[0]
        killed.send_signal(signal.SIGKILL)
        await opened.set_price(5, 50)
        await until(lambda: pointer(stack_directory))
        await check(opened, stored, dict.fromkeys(stored, 0) | {5: 50})
        assert "were not built" in server.log.read_text(encoding="utf-8")
        await until(lambda: len(shards(stack_directory)) == 1)


@pytest.mark.parametrize("moment", ["copying", "building", "switched"])
async def test_kill_9_of_the_server_meanwhile_loses_nothing_acknowledged(stack_directory, moment):
    reached = {
        "copying": lambda: len(shards(stack_directory)) > 1,
        "building": lambda: list(stack_directory.glob("collections/*/shard-*/segments/*/segment.json")),
        "switched": lambda: pointer(stack_directory),
    }[moment]
    async with impatient_server(stack_directory) as server:
        async with client(server.address) as opened:
            await opened.create()
            stored = await fill(opened)
            prices, number = dict.fromkeys(stored, 0), 0
            while not reached():
                await opened.set_price(number % COUNT, number)
                prices[number % COUNT] = number
                number += 1
            await opened.set_price(3, 33)
            prices[3] = 33
        left = builders(server)
        os.kill(server.child.pid, signal.SIGKILL)
        await until(lambda: not any(process.is_running() for process in left))
        await server.stop()
        await server.start()
        async with client(server.address) as opened:
            await check(opened, stored, prices, graphs=False)
            await until(lambda: pointer(stack_directory))
            await until(lambda: len(shards(stack_directory)) == 1)
            await check(opened, stored, prices, graphs=False)


async def test_too_many_writes_meanwhile_leave_the_shard_as_it_is(stack_directory):
    async with impatient_server(stack_directory, journal_bytes=1) as server, client(server.address) as opened:
        await opened.create()
        stored = await fill(opened)
        prices, number = dict.fromkeys(stored, 0), 0
        while "bytes were written meanwhile" not in server.log.read_text(encoding="utf-8"):
            await opened.set_price(number % COUNT, number)
            prices[number % COUNT] = number
            number += 1
        await check(opened, stored, prices, graphs=False)


async def test_a_collection_that_is_deleted_while_it_is_built_is_gone(stack_directory):
    async with impatient_server(stack_directory) as server, client(server.address) as opened:
        await opened.create()
        await fill(opened)
        await until(lambda: builders(server))
        await opened.collections.Delete(pb.DeleteCollection(collection_name="c"), timeout=10)
        await until(lambda: not builders(server))
        await until(lambda: not list(stack_directory.glob("collections/*/")))
        await opened.create()
        stored = await fill(opened)
        await until(lambda: pointer(stack_directory))
        await check(opened, stored, dict.fromkeys(stored, 0))


async def test_stopping_the_server_leaves_no_builder_behind(stack_directory):
    async with impatient_server(stack_directory) as server, client(server.address) as opened:
        await opened.create()
        await fill(opened)
        await until(lambda: builders(server))
        left = builders(server)
        await server.stop()
        assert not any(process.is_running() for process in left)
