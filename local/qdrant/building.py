"""A process that copies a shard and builds the copy, and what makes the copy not wanted any more."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import qdrant_edge as edge

from local.processes import LAUNCHER
from local.qdrant.builder import COPIED
from local.qdrant.collection import Collection
from local.qdrant.collections import CREATION
from local.qdrant.journal import Journal
from local.qdrant.settings import OptimiserSettings

MOST_FULL_SCAN_POINTS = 5_000
# Beside the spare bytes, what a disk can take meanwhile is little.
WATCH_SECONDS = 0.2


class GivenUpError(Exception):
    """A copy that will not be used; the message says why."""


@contextlib.contextmanager
def engine_failures() -> Iterator[None]:
    """Translates what the engine raises: bare `Exception`s, which no fault of this code is.

    Raises:
        GivenUpError: In the place of whatever the engine raised.
    """
    try:
        yield
    except Exception as exc:
        if type(exc) is not Exception:
            raise
        raise GivenUpError(str(exc)) from exc


@asynccontextmanager
async def building(
    collection: Collection, target: Path, writable: asyncio.Event, settings: OptimiserSettings
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Journal]]:
    """A process that has copied the shard and builds it; it has ended when the context is left.

    Raises:
        GivenUpError: There is no room for the copy, or it took too long, or the shard cannot be stored.
        OSError: There is no process.
    """
    require_room(collection.shard_directory, settings)
    if not collection.flush():
        raise GivenUpError("the shard cannot be stored")
    writable.clear()
    try:
        process = await start(collection, target, settings)
    except BaseException:
        writable.set()
        raise
    try:
        journal = collection.journal = Journal(settings.journal_bytes, lambda: end(process))
        with watching_room(collection.directory.parent, settings.spare_bytes, journal):
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


def require_room(shard: Path, settings: OptimiserSettings) -> None:
    """A full disk would end the server: the engine's log is mapped into memory, and writing to it is a SIGBUS.

    Raises:
        GivenUpError: The disk has too little room for a copy of the shard.
    """
    size = sum(path.stat().st_size for path in shard.rglob("*") if path.is_file())
    needed, free = int(settings.room_factor * size) + settings.spare_bytes, shutil.disk_usage(shard).free
    if free < needed:
        raise GivenUpError(f"{needed:,} bytes are needed on the disk, {free:,} are free")


@contextlib.contextmanager
def watching_room(directory: Path, spare: int, journal: Journal) -> Iterator[None]:
    """Gives the copy up where it, or whatever else writes to the disk, leaves less than `spare` bytes free."""

    async def watch() -> None:
        while not journal.given_up:
            free = shutil.disk_usage(directory).free
            if free < spare:
                journal.give_up(f"only {free:,} bytes were left free on the disk")
            await asyncio.sleep(WATCH_SECONDS)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()


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


def load(directory: Path) -> edge.EdgeShard:
    """Opens the copy.

    Raises:
        GivenUpError: The engine cannot read what was built.
    """
    with engine_failures():
        return edge.EdgeShard.load(str(directory))


def end(process: asyncio.subprocess.Process) -> None:
    """Ends the process that builds; whatever it wrote is thrown away."""
    if process.returncode is None:
        process.kill()
