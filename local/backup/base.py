"""Takes base backups."""

import asyncio
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from local.backup.config import BackupSettings
from local.backup.directory import UNFINISHED, BackupDirectory, BaseBackup, note_finished
from local.backup.programs import Programs
from local.backup.source import Source, identify
from local.directories import locked
from local.processes import LocalError


async def take_base(
    directory: BackupDirectory,
    source: Source,
    settings: BackupSettings,
    environment: Mapping[str, str],
    *,
    durable: bool = True,
) -> BaseBackup:
    """Copies the running cluster, checks every file of the copy against its manifest, and only then names it.

    `durable` false, as everywhere here, leaves it to the system when files reach the disk, and makes tests fast.

    Raises:
        AlreadyRunningError: Another base backup is at work in the directory.
        LocalError: The server cannot be reached or copied, the directory holds another history, or the copy is damaged.
    """
    with locked(directory.path):
        start_time = await _begin(directory, source)
        finished = directory.base / f"{start_time:%Y%m%dT%H%M%S.%fZ}"
        unfinished = finished.with_name(finished.name + UNFINISHED)
        unfinished.mkdir(parents=True, mode=0o700)
        try:
            await _copy(
                source, settings, environment, unfinished / "cluster", directory.path / "base.log", durable=durable
            )
            async with source.connect() as connection:
                finish_time = await connection.fetchval("SELECT clock_timestamp()")
            await asyncio.to_thread(note_finished, unfinished, start_time, finish_time)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
            raise
        unfinished.rename(finished)
        return directory.backups()[-1]


async def _begin(directory: BackupDirectory, source: Source) -> datetime:
    async with source.connect() as connection:
        directory.claim(await identify(connection))
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now.astimezone(UTC)


async def _copy(
    source: Source, settings: BackupSettings, environment: Mapping[str, str], cluster: Path, log: Path, *, durable: bool
) -> None:
    copy = [f"--dbname={source.connection}", f"--pgdata={cluster}", "--no-password"]
    copy += ["--checkpoint=fast", "--wal-method=stream", "--manifest-checksums=SHA256"]
    copy += [] if durable else ["--no-sync"]
    programs, own = Programs(settings.backup_programs), source.environment(environment)
    try:
        await programs.run("pg_basebackup", copy, log=log, seconds=settings.backup_seconds, environment=own)
        await programs.run("pg_verifybackup", ["-e", str(cluster)], log=log, seconds=settings.verify_seconds)
    except LocalError as exc:
        raise LocalError(f"no base backup was taken: {exc}") from exc
