"""Base backups of a directory: how long they are kept, and what is never taken for one."""

import pytest

from local.backup.wal import Segment
from local.directories import locked
from local.processes import AlreadyRunningError, LocalError


async def test_pruning_keeps_the_wal_that_a_kept_base_backup_needs(history, stack_directory, numbers_in):
    shop = history.copied(stack_directory)
    assert shop.backup.prune(keep=1) == [history.first.name]
    assert [backup.name for backup in shop.backup.backups()] == [history.second.name]
    assert min(shop.backup.archive().files) == history.second.first
    assert await numbers_in(await shop.restored(history.eight)) == [1, 2, 3, 4, 5, 6, 7, 8]
    with pytest.raises(LocalError, match="old enough"):
        await shop.restored(history.five, name="older")


def test_pruning_to_more_than_there_are_removes_nothing_that_is_needed(history, stack_directory):
    backup = history.copied(stack_directory).backup
    assert backup.prune(keep=5) == []
    assert [kept.name for kept in backup.backups()] == [history.first.name, history.second.name]
    assert min(backup.archive().files) == history.first.first


def test_without_any_base_backup_pruning_removes_no_wal(history, stack_directory):
    import shutil

    backup = history.copied(stack_directory).backup
    shutil.rmtree(backup.base)
    before = backup.archive().files
    assert backup.prune(keep=1) == []
    assert backup.archive().files == before


def test_what_a_kill_left_half_done_is_no_base_backup_and_is_cleared_away(history, stack_directory):
    backup = history.copied(stack_directory).backup
    first = backup.base / history.first.name
    first.rename(first.with_name(first.name + ".old"))
    (backup.base / "20200101T000000.000000Z.new").mkdir()
    (backup.base / "20200101T000000.000000Z.new/backup.json").write_text("{}")
    assert [kept.name for kept in backup.backups()] == [history.second.name]
    assert backup.prune(keep=1) == []
    assert [path.name for path in backup.base.iterdir()] == [history.second.name]


def test_a_base_backup_knows_its_time_size_and_segments(history):
    first, second = history.backup.backups()
    assert (first.name, second.name) == (history.first.name, history.second.name)
    assert history.before < first.start_time < first.finish_time < history.five < second.start_time < history.eight
    files = [path for path in first.cluster.rglob("*") if path.is_file()]
    assert first.bytes == sum(path.stat().st_size for path in files)
    # Its own label names the same segment.
    label = (first.cluster / "backup_label").read_text()
    assert f"(file {first.first.name})" in label
    assert Segment.named(first.last.name, first.last.bytes) == first.last


async def test_a_base_backup_at_work_keeps_others_away(shop):
    await shop.base()
    with locked(shop.backup.path), pytest.raises(AlreadyRunningError):
        await shop.base()


async def test_a_copy_that_fails_leaves_no_base_backup(shop):
    await shop.execute("CREATE ROLE reader LOGIN PASSWORD 'r'")
    url = shop.server.url()
    reader = type(shop.source)(url.replace(url.partition("@")[0], "postgresql://reader:r"))
    from local.backup.base import take_base
    from tests.local.backup.conftest import SETTINGS

    with pytest.raises(LocalError, match="no base backup was taken"):
        await take_base(shop.backup, reader, SETTINGS, {}, durable=False)
    assert list(shop.backup.base.iterdir()) == []
