"""A server of its own for each test, because backups are of whole servers, and the archive beside it."""

import asyncio
import contextlib
import os
import shutil
import uuid
from datetime import UTC, datetime

import asyncpg
import pytest

from local.backup.archive import WalArchive
from local.backup.base import take_base
from local.backup.config import BackupSettings
from local.backup.directory import BackupDirectory
from local.backup.restore import restore
from local.backup.source import Source
from local.postgres import PostgresServer

SECONDS = 10.0
SETTINGS = BackupSettings(backup_retry_seconds=0.1, backup_seconds=60, restore_seconds=60, verify_seconds=60)


class Shop:
    """A server with a table of numbers, its backup directory and what an operator does with both."""

    def __init__(self, directory, server):
        self.directory = directory
        self.server = server
        self.backup = BackupDirectory(directory / "backup")
        self.archive = None

    @property
    def source(self):
        return Source(self.server.url())

    async def base(self):
        return await take_base(self.backup, self.source, SETTINGS, dict(os.environ), durable=False)

    @contextlib.asynccontextmanager
    async def archiving(self, told=None):
        notes = [] if told is None else told
        self.archive = WalArchive(self.backup, lambda: self.source, SETTINGS, dict(os.environ), notes.append)
        task = asyncio.create_task(self.archive.keep())
        try:
            await self._until(task, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')")
            yield task
            if self.server.child is not None:
                await self.archived(task)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def archived(self, task=None):
        """Waits until the archive has on disk what the server has written by now."""
        # Others commit without waiting for the WAL: this brings theirs to disk too.
        await self.execute("SELECT pg_logical_emit_message(false, 'archived', '', true)")
        written = await self.value("SELECT pg_current_wal_flush_lsn()::text")
        reached = f"SELECT coalesce(bool_or(flush_lsn >= '{written}'), false) FROM pg_stat_replication"
        await self._until(task, reached)

    async def write(self, first, last):
        await self.execute(f"INSERT INTO numbers SELECT generate_series({first}, {last})")

    async def switch(self):
        await self.execute("SELECT pg_switch_wal()")

    async def execute(self, statement):
        async with self.connection() as connection:
            await connection.execute(statement)

    async def value(self, query):
        async with self.connection() as connection:
            return await connection.fetchval(query)

    async def now(self):
        moment = await self.value("SELECT clock_timestamp()")
        return moment.astimezone(UTC)

    @contextlib.asynccontextmanager
    async def connection(self):
        connection = await asyncpg.connect(self.server.url())
        try:
            yield connection
        finally:
            await connection.close()

    async def restored(self, time: datetime | None = None, name="fresh"):
        return await restore(self.backup, self.directory / name, "postgres", time, SETTINGS, durable=False)

    async def _until(self, task, query):
        async with asyncio.timeout(SECONDS):
            while not await self.value(query):
                if task is not None and task.done():
                    await task
                await asyncio.sleep(0.02)

    def copied(self, directory):
        """This shop's backups in another directory; files are shared, so they are replaced and never changed."""
        shutil.copytree(self.backup.path, directory / "backup", copy_function=os.link)
        return Shop(directory, self.server)


@pytest.fixture
async def shop(stack_directory):
    async with PostgresServer(stack_directory / "postgres", durable=False) as server:
        shop = Shop(stack_directory, server)
        await shop.execute("CREATE TABLE numbers (number int)")
        yield shop


@pytest.fixture(scope="session")
def history(session_directory):
    """The backups of a server that is gone: what happened to it stands in `written`."""
    directory = session_directory / uuid.uuid4().hex
    directory.mkdir()
    return asyncio.run(written(directory))


async def written(directory):
    async with PostgresServer(directory / "postgres", durable=False) as server:
        shop = Shop(directory, server)
        await shop.execute("CREATE TABLE numbers (number int)")
        shop.before = await shop.now()
        async with shop.archiving():
            shop.first = await shop.base()
            await shop.write(1, 5)
            shop.five = await shop.now()
            for number in (6, 7):
                await shop.switch()
                await shop.write(number, number)
            shop.second = await shop.base()
            await shop.write(8, 8)
            shop.eight = await shop.now()
            await shop.execute("DELETE FROM numbers")
            await shop.switch()
            await shop.write(9, 9)
    return shop


async def numbers(restored):
    async with PostgresServer(restored.directory, durable=False) as server:
        connection = await asyncpg.connect(server.url())
        rows = await connection.fetch("SELECT number FROM numbers ORDER BY number")
        await connection.close()
    return [row["number"] for row in rows]


@pytest.fixture
def numbers_in():
    return numbers
