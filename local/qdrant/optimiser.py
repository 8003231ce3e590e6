"""Graphs for collections that have outgrown exact search, built on a copy while the shard serves.

The engine builds graphs in one call that holds the interpreter's lock to its end, seconds to minutes. So: flush,
copy the shard (writes wait meanwhile, searches do not), build the copy in a process of its own, apply the writes
that came meanwhile, point to the copy, delete the old shard. Until the pointer changes, the shard in use has
every write in its own log and the copy can be thrown away; that is what the next start does with it.
"""

import asyncio
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import qdrant_edge as edge

from local.processes import LAUNCHER
from local.qdrant import shards
from local.qdrant.builder import BUILT, COPIED
from local.qdrant.collection import Collection
from local.qdrant.collections import CREATION, Collections
from local.qdrant.journal import Journal, ReplayError
from local.qdrant.settings import OptimiserSettings

log = logging.getLogger(__name__)

# Writes are applied to the copy in portions of this length, between which searches are answered.
REPLAY_SECONDS = 0.005
# Between calls of the engine that take long: what has come meanwhile is answered first.
BREATH_SECONDS = 0.05
# So few that applying them and storing them is over in less than a search.
LAST_WRITES = 20
LONGEST_PAUSE_SECONDS = 600.0
MOST_FULL_SCAN_POINTS = 5_000


class GivenUpError(Exception):
    """A copy that will not be used; the message says why."""


class Optimiser:
    """Looks after all collections, one copy at a time."""

    def __init__(self, collections: Collections, settings: OptimiserSettings) -> None:
        self._collections = collections
        self._settings = settings
        self._waiting: dict[str, tuple[float, float]] = {}

    async def run(self) -> None:
        """Never ends; cancelled, it leaves no process and no copy behind."""
        while True:
            await asyncio.sleep(self._settings.check_seconds)
            for name in self._collections.names():
                collection = self._collections.find(name)
                if collection is not None and self._is_due(collection):
                    await self._attempt(collection)

    def _is_due(self, collection: Collection) -> bool:
        not_before, _ = self._waiting.get(collection.directory.name, (0.0, 0.0))
        points = collection.shard.info().points_count
        if points <= self._settings.exact_points or time.monotonic() < not_before:
            return False
        collection.flush()
        outdated = shards.outdated_points(collection.shard_directory, points)
        return outdated > self._settings.outdated_share * points

    async def _attempt(self, collection: Collection) -> None:
        started, key = time.monotonic(), collection.directory.name
        try:
            await optimise(collection, self._collections.writable, self._settings)
        except (GivenUpError, ReplayError, OSError) as exc:
            _, pause = self._waiting.get(key, (0.0, self._settings.pause_seconds))
            self._waiting[key] = time.monotonic() + pause, min(2 * pause, LONGEST_PAUSE_SECONDS)
            log.warning("the graphs of %s were not built: %s", collection.name, exc)
        else:
            self._waiting.pop(key, None)
            log.info("built the graphs of %s in %.1f s", collection.name, time.monotonic() - started)


async def optimise(collection: Collection, writable: asyncio.Event, settings: OptimiserSettings) -> None:
    """Builds a copy of the shard and puts it in the shard's place.

    Raises:
        GivenUpError: The process ended, or too much was written meanwhile, or the collection is gone.
        ReplayError: The copy refused a write.
        OSError: There is no room for the copy, or no process.
    """
    target = shards.fresh(collection.directory)
    try:
        async with building(collection, target, writable, settings) as (process, journal):
            await told(process, BUILT, journal)
            await take_over(collection, load(target), target, journal)
    finally:
        # Only now has the process ended that writes there.
        if not (collection.directory / CREATION).exists():
            await asyncio.to_thread(shutil.rmtree, collection.directory, ignore_errors=True)
        elif target != collection.shard_directory:
            await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)


@asynccontextmanager
async def building(
    collection: Collection, target: Path, writable: asyncio.Event, settings: OptimiserSettings
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Journal]]:
    """A process that has copied the shard and builds it; it has ended when the context is left."""
    writable.clear()
    try:
        collection.flush()
        process = await start(collection, target, settings)
    except BaseException:
        writable.set()
        raise
    try:
        journal = collection.journal = Journal(settings.journal_bytes, lambda: end(process))
        try:
            async with asyncio.timeout(settings.hold_seconds):
                await told(process, COPIED, journal)
        except TimeoutError as exc:
            raise GivenUpError(f"copying took more than {settings.hold_seconds} s") from exc
        finally:
            writable.set()
        yield process, journal
    finally:
        collection.journal = None
        end(process)
        await process.wait()


async def start(collection: Collection, target: Path, settings: OptimiserSettings) -> asyncio.subprocess.Process:
    """Starts the process that builds. It dies with this one."""
    full_scan = min(MOST_FULL_SCAN_POINTS, settings.exact_points // 10)
    launch = ["-I", str(LAUNCHER), str(int(signal.SIGKILL)), "-1", "-1", str(os.getpid()), "--"]
    command = [sys.executable, "-m", "local.qdrant.builder", str(collection.directory / CREATION)]
    arguments = [str(collection.shard_directory), str(target), str(full_scan)]
    return await asyncio.create_subprocess_exec(
        sys.executable, *launch, *command, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )


async def told(process: asyncio.subprocess.Process, what: bytes, journal: Journal) -> None:
    """Waits until the process says so.

    Raises:
        GivenUpError: It ended before, by itself or because the copy is not wanted any more.
    """
    stdout = process.stdout
    line = await stdout.readline() if stdout is not None else b""
    if line != what or journal.given_up:
        raise GivenUpError(journal.given_up or "the process that builds them ended")


async def take_over(collection: Collection, shard: edge.EdgeShard, directory: Path, journal: Journal) -> None:
    """Applies the writes that came meanwhile, the last of them and the switch in one step.

    Raises:
        GivenUpError: Writes come faster than they can be applied, or the collection is gone.
        ReplayError: The copy refused a write.
    """
    with ExitStack() as unless_used:
        unless_used.callback(shard.close)
        await asyncio.sleep(BREATH_SECONDS)
        while len(journal) > LAST_WRITES:
            journal.replay(shard, REPLAY_SECONDS)
            await asyncio.sleep(0)
        shard.flush()
        await asyncio.sleep(BREATH_SECONDS)
        if journal.given_up or collection.closed:
            raise GivenUpError(journal.given_up or "the collection was closed")
        while len(journal):
            journal.replay(shard, REPLAY_SECONDS)
        shard.flush()
        replaced = collection.replace_shard(shard, directory)
        unless_used.pop_all()
    collection.journal = None
    await asyncio.sleep(BREATH_SECONDS)
    replaced.close()
    await asyncio.to_thread(shards.remove_others, collection.directory)


def load(directory: Path) -> edge.EdgeShard:
    """Opens the copy.

    Raises:
        GivenUpError: The engine cannot read what was built.
    """
    try:
        return edge.EdgeShard.load(str(directory))
    except Exception as exc:  # the engine has no other
        raise GivenUpError(str(exc)) from exc


def end(process: asyncio.subprocess.Process) -> None:
    """Ends the process that builds; whatever it wrote is thrown away."""
    if process.returncode is None:
        process.kill()
