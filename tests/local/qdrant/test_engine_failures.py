"""The engine fails, or the disk is too full for a copy: graphs come later, and the server goes on."""

import asyncio
import contextlib
import logging
import shutil

import pytest

from local.qdrant.building import GivenUpError, engine_failures, require_room, watching_room
from local.qdrant.collections import Collections
from local.qdrant.journal import Journal
from local.qdrant.methods import methods
from local.qdrant.optimiser import Optimiser, take_over
from local.qdrant.settings import OptimiserSettings
from services.retrieval.config import RetrievalSettings
from tests.local.qdrant.clusters import client, creation, impatient_server, point, pointer, until, vectors

COUNT = 600
IMPATIENT = OptimiserSettings(exact_points=300, check_seconds=0.02, pause_seconds=0.02)
MORE_THAN_ANY_DISK = 1 << 62


class TroubledShard:
    """A shard whose engine fails to store as long as `troubled`; as the engine does, with a bare Exception."""

    def __init__(self, shard) -> None:
        self._shard = shard
        self.troubled = True
        self.attempts = 0
        self.closed = False

    def __getattr__(self, name):
        return getattr(self._shard, name)

    def flush(self):
        self.attempts += 1
        if self.troubled:
            raise Exception("Service runtime error: No space left on device")
        self._shard.flush()

    def close(self):
        self.closed = True
        self._shard.close()


def upsert(collections, name, *points):
    method = methods(collections)["/qdrant.Points/Upsert"]
    method.answer(method.request(collection_name=name, wait=True, points=points))


@pytest.fixture
def collections(stack_directory):
    with Collections(stack_directory / "collections") as opened:
        opened.create(creation("c"))
        upsert(opened, "c", *(point(number, vector) for number, vector in enumerate(vectors(COUNT, seed=1))))
        yield opened


@contextlib.asynccontextmanager
async def optimising(collections):
    task = asyncio.create_task(Optimiser(collections, IMPATIENT).run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_shard_that_cannot_be_stored_is_tried_again_and_built_when_it_can(collections, stack_directory):
    collection = collections.get("c")
    collection.shard = troubled = TroubledShard(collection.shard)
    async with optimising(collections) as task:
        await until(lambda: troubled.attempts > 2 or task.done())
        assert not task.done()
        assert not pointer(stack_directory)
        troubled.troubled = False
        await until(lambda: pointer(stack_directory) or task.done())
        assert not task.done()
    assert collection.shard.info().points_count == COUNT


class UnreadableShard(TroubledShard):
    def info(self):
        self.attempts += 1
        raise Exception("Service runtime error: cannot read")


async def test_a_collection_whose_engine_fails_at_all_does_not_keep_others_from_their_graphs(
    collections, stack_directory, caplog
):
    collections.create(creation("a"))
    collection = collections.get("a")
    collection.shard = troubled = UnreadableShard(collection.shard)
    with caplog.at_level(logging.WARNING):
        async with optimising(collections) as task:
            await until(lambda: (pointer(stack_directory) and troubled.attempts > 1) or task.done())
            assert not task.done()
    assert "the graphs of a were not built: Service runtime error: cannot read" in caplog.text


async def test_a_copy_that_cannot_be_stored_is_closed_and_the_shard_in_use_stays(collections, stack_directory):
    collection = collections.get("c")
    collection.flush()
    directory = collection.directory / "shard-copy"
    shutil.copytree(collection.shard_directory, directory)
    with engine_failures():
        copy = TroubledShard(type(collection.shard).load(str(directory)))
    in_use = collection.shard
    with pytest.raises(GivenUpError, match="No space left"), engine_failures():
        await take_over(collection, copy, directory, Journal(1 << 20, lambda: None))
    assert copy.closed
    assert collection.shard is in_use
    assert not pointer(stack_directory)


def test_what_was_not_stored_is_stored_the_next_time(collections):
    collection = collections.get("c")
    collection.shard = troubled = TroubledShard(collection.shard)
    assert not collection.flush()
    troubled.troubled = False
    assert collection.flush()
    assert collection.flush()
    assert troubled.attempts == 2


def test_a_mistake_in_this_code_is_not_taken_for_a_failure_of_the_engine():
    with pytest.raises(KeyError), engine_failures():
        raise KeyError


async def test_without_room_for_a_copy_none_is_begun_and_the_server_serves(stack_directory):
    async with (
        impatient_server(stack_directory, spare_bytes=MORE_THAN_ANY_DISK) as server,
        client(server.address) as opened,
    ):
        await opened.create()
        await opened.store(*(point(number, vector) for number, vector in enumerate(vectors(COUNT, seed=1))))
        await until(lambda: server.log.read_text(encoding="utf-8").count("bytes are needed on the disk") > 1)
        await opened.set_price(7, 70)
        assert (await opened.prices())[7] == 70
        assert [path.name for path in stack_directory.glob("collections/*/shard*")] == ["shard"]


def test_the_room_that_a_copy_needs_is_a_multiple_of_the_shard_and_what_stays_free(tmp_path):
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments/vectors").write_bytes(bytes(1_000))
    (tmp_path / "wal").write_bytes(bytes(500))
    require_room(tmp_path, OptimiserSettings(room_factor=2.0, spare_bytes=0))
    spare = shutil.disk_usage(tmp_path).total
    with pytest.raises(GivenUpError, match=f"^{spare + 3_000:,} bytes are needed on the disk"):
        require_room(tmp_path, OptimiserSettings(room_factor=2.0, spare_bytes=spare))


async def test_a_copy_is_given_up_when_the_disk_fills_while_it_is_built(tmp_path):
    ended = asyncio.Event()
    journal = Journal(1 << 20, ended.set)
    with watching_room(tmp_path, MORE_THAN_ANY_DISK, journal):
        await ended.wait()
    assert "left free on the disk" in journal.given_up


def test_writes_never_wait_for_a_copy_until_retrieval_gives_them_up():
    longest = RetrievalSettings.model_fields["index_write_seconds"].default
    assert OptimiserSettings().hold_seconds <= longest / 2
