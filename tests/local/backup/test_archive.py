"""The archive through the deaths of what takes part in it: what was committed can be restored, whatever died."""

import asyncio
import os
import signal

import asyncpg
import pytest

from local.backup.directory import BackupDirectory
from local.backup.wal import PARTIAL
from local.postgres import PostgresServer
from local.processes import AlreadyRunningError, LocalError


async def test_no_wal_is_lost_when_the_receiver_is_killed_and_comes_back(shop, numbers_in):
    async with shop.archiving():
        await shop.base()
        await shop.write(1, 3)
        await shop.archived()
        killed = shop.archive.child
        os.kill(killed.pid, signal.SIGKILL)
        # More than it has seen, over segments that the server would recycle.
        for number in range(4, 7):
            await shop.write(number, number)
            await shop.switch()
            await shop.execute("CHECKPOINT")
        await shop.archived()
        assert shop.archive.child is not killed
    assert await numbers_in(await shop.restored()) == [1, 2, 3, 4, 5, 6]


async def test_what_is_written_while_no_archive_runs_is_kept_for_it(shop, numbers_in):
    async with shop.archiving():
        await shop.base()
    for number in range(1, 4):
        await shop.write(number, number)
        await shop.switch()
        await shop.execute("CHECKPOINT")
    # As a receiver leaves it that was killed while it made room for the next segment.
    for partial in shop.backup.wal.glob(f"*{PARTIAL}"):
        partial.unlink()
        partial.write_bytes(bytes(1_000))
    async with shop.archiving():
        pass
    assert await numbers_in(await shop.restored()) == [1, 2, 3]


async def test_a_server_that_is_started_again_elsewhere_is_found_again(shop, numbers_in):
    notes, first = [], shop.server.address
    async with shop.archiving(notes):
        await shop.base()
        await shop.server.stop()
        async with PostgresServer(shop.directory / "postgres", durable=False) as shop.server:
            await shop.write(1, 3)
            await shop.archived()
    assert await numbers_in(await shop.restored()) == [1, 2, 3]
    assert any(f"the server at {first} is away" in note for note in notes)
    assert f"archiving the WAL of the server at {shop.server.address}" in notes


async def test_an_archive_that_the_server_no_longer_keeps_wal_for_is_an_error_and_not_a_gap(shop):
    async with shop.archiving():
        await shop.write(1, 3)
    await shop.execute("SELECT pg_drop_replication_slot('zhiyin_archive')")
    with pytest.raises(LocalError, match="begin a new backup directory"):
        async with shop.archiving():
            pass
    # A directory that has nothing yet loses nothing.
    shop.backup = BackupDirectory(shop.directory / "another")
    async with shop.archiving():
        await shop.write(4, 6)


async def test_a_slot_that_served_another_archive_meanwhile_is_an_error_and_not_a_gap(shop):
    async with shop.archiving():
        await shop.write(1, 3)
    first, shop.backup = shop.backup, BackupDirectory(shop.directory / "another")
    for number in range(4, 7):
        await shop.write(number, number)
        await shop.switch()
    async with shop.archiving():
        await shop.write(7, 7)
    shop.backup = first
    with pytest.raises(LocalError, match="served another archive"):
        async with shop.archiving():
            pass


async def test_two_archives_into_one_directory_are_refused(shop):
    async with shop.archiving():
        with pytest.raises(AlreadyRunningError, match=str(shop.backup.wal)):
            await archive_of(shop).keep()


async def test_a_server_that_was_never_there_is_an_error_at_once(shop):
    await shop.server.stop()
    with pytest.raises(LocalError, match=rf"the server at {shop.server.address} cannot be backed up"):
        await asyncio.wait_for(archive_of(shop).keep(), 5)


async def test_a_directory_of_another_server_is_refused(shop, history, stack_directory):
    shop.backup = history.copied(stack_directory).backup
    with pytest.raises(LocalError, match="holds backups of another server"):
        await shop.base()
    with pytest.raises(LocalError, match="holds backups of another server"):
        await archive_of(shop).keep()


async def test_a_directory_with_something_else_in_it_is_refused(shop):
    shop.backup.path.mkdir()
    (shop.backup.path / "holiday.jpg").touch()
    with pytest.raises(LocalError, match=r"is no backup directory: it has holiday\.jpg"):
        await shop.base()


async def test_the_password_is_on_no_command_line(shop):
    password = (shop.directory / "postgres/password").read_text()
    async with shop.archiving():
        process = shop.archive.child.identity.process()
        assert password not in " ".join(process.cmdline())
        assert process.environ()["PGPASSWORD"] == password
        assert password not in (shop.backup.path / "wal.log").read_text()


async def test_the_embedded_server_bounds_what_it_keeps_for_an_archive_that_was_given_up(postgres_server):
    connection = await asyncpg.connect(postgres_server.url())
    assert await connection.fetchval("SHOW max_slot_wal_keep_size") == "16GB"
    await connection.close()


def archive_of(shop):
    from local.backup.archive import WalArchive
    from tests.local.backup.conftest import SETTINGS

    return WalArchive(shop.backup, lambda: shop.source, SETTINGS, dict(os.environ))
