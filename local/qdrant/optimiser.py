"""Graphs for collections that have outgrown exact search, built on a copy while the shard serves.

The engine builds graphs in one call that holds the interpreter's lock to its end, seconds to minutes. So: flush,
copy the shard (writes wait meanwhile, searches do not), build the copy in a process of its own, apply the writes
that came meanwhile, point to the copy, delete the old shard. Until the pointer changes, the shard in use has
every write in its own log and the copy can be thrown away; that is what the next start does with it, and what
becomes of a copy when the engine fails or the disk has no room for it: it is tried again later.
"""

import asyncio
import logging
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

import qdrant_edge as edge

from local.qdrant import shards
from local.qdrant.builder import BUILT
from local.qdrant.building import GivenUpError, building, engine_failures, load, told
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
                if collection is not None:
                    await self._attempt(collection)

    async def _attempt(self, collection: Collection) -> None:
        """Builds the graphs if that is due. Whatever fails is logged and tried again later: the shard in use serves."""
        started, key = time.monotonic(), collection.directory.name
        not_before, pause = self._waiting.get(key, (0.0, self._settings.pause_seconds))
        if started < not_before:
            return
        try:
            with engine_failures():
                if not self._is_due(collection):
                    return
                await optimise(collection, self._collections.writable, self._settings)
        except (GivenUpError, ReplayError, OSError) as exc:
            self._waiting[key] = time.monotonic() + pause, min(2 * pause, LONGEST_PAUSE_SECONDS)
            log.warning("the graphs of %s were not built: %s", collection.name, exc)
        else:
            self._waiting.pop(key, None)
            log.info("built the graphs of %s in %.1f s", collection.name, time.monotonic() - started)

    def _is_due(self, collection: Collection) -> bool:
        points = collection.shard.info().points_count
        if points <= self._settings.exact_points or not collection.flush():
            return False
        outdated = shards.outdated_points(collection.shard_directory, points)
        return outdated > self._settings.outdated_share * points


async def optimise(collection: Collection, writable: asyncio.Event, settings: OptimiserSettings) -> None:
    """Builds a copy of the shard and puts it in the shard's place.

    Raises:
        GivenUpError: There is no room for the copy, or the process ended, or too much was written meanwhile, or the
            collection is gone.
        ReplayError: The copy refused a write.
        OSError: The disk failed, or there is no process.
        Exception: Exactly this class: the engine failed.
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


async def take_over(collection: Collection, shard: edge.EdgeShard, directory: Path, journal: Journal) -> None:
    """Applies the writes that came meanwhile, the last of them and the switch in one step.

    Raises:
        GivenUpError: Writes come faster than they can be applied, or the collection is gone.
        ReplayError: The copy refused a write.
        Exception: Exactly this class: the engine cannot store the copy.
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
