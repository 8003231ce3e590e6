"""Restores a base backup, and the WAL after it, into a fresh directory."""

import asyncio
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg

from local.backup.config import BackupSettings
from local.backup.directory import BackupDirectory
from local.backup.plan import Plan, gap, plan_restore, require_fresh, require_space, workplace
from local.backup.programs import Programs
from local.backup.recovery import TargetNotReachedError, give, recovered_server
from local.backup.source import Connection
from local.backup.wal import Segment
from local.directories import locked, secret
from local.postgres import ADMIN, unprivileged_user
from local.processes import LocalError


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore led to."""

    directory: Path
    """The server's directory, as `PostgresServer` takes it."""
    base: str
    """Name of the base backup that it began with."""
    last_transaction: datetime | None
    """Commit time of the last transaction that was replayed; None where there was none after the base backup."""
    databases: tuple[str, ...]


async def restore(
    backup: BackupDirectory,
    target: Path,
    server: str,
    time: datetime | None,
    settings: BackupSettings,
    *,
    durable: bool = True,
) -> Restored:
    """Makes `target/server`, a server's directory as it was at `time`, or with everything that was archived.

    `target` becomes a data directory of the stack. It may hold other servers and the stack's secrets and nothing else:
    an index that is older or newer than the catalogue would answer with other products than there are. Everything is
    made beside it and appears there only when it is whole, checked and stopped.

    Raises:
        AlreadyRunningError: Another restore makes the same directory.
        LocalError: Any other reason: the target is in use, the time is before the first base backup or after the last
            WAL, WAL is missing or damaged, the disk is full.
    """
    require_fresh(target, server)
    plan = plan_restore(backup, time)
    work = workplace(target)
    with locked(work):
        made = work / server
        try:
            await asyncio.to_thread(shutil.rmtree, made, ignore_errors=True)
            for path in (work, made):
                path.mkdir(exist_ok=True)
                path.chmod(0o711)  # the server may run as another user
            require_space(work, plan.bytes)
            await _copy(plan, made, settings)
            restored = await _recover(plan, made, settings, durable=durable)
            await _check(plan, made, settings)
            _publish(made, target / server)
            return Restored(target / server, plan.base.name, *restored)
        except OSError as exc:
            raise LocalError(f"the restore failed: {exc.strerror}: {exc.filename}") from exc
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)


async def _copy(plan: Plan, made: Path, settings: BackupSettings) -> None:
    data, wal, user = made / "data", made / "wal", unprivileged_user()
    for path in [plan.base.cluster, *plan.base.cluster.rglob("*")]:
        if path.is_dir():
            copy = data / path.relative_to(plan.base.cluster)
            copy.mkdir(mode=0o700)
    for path in plan.base.cluster.rglob("*"):
        if path.is_file():
            await asyncio.to_thread(shutil.copy, path, data / path.relative_to(plan.base.cluster))
    await _verify("pg_verifybackup", ["--exit-on-error", str(data)], made, settings)
    wal.mkdir(mode=0o700)
    for segment, path in plan.segments.items():
        await asyncio.to_thread(shutil.copyfile, path, wal / segment.name)
    for path in [data, wal, *data.rglob("*"), *wal.iterdir()]:
        give(path, user)


async def _recover(
    plan: Plan, made: Path, settings: BackupSettings, *, durable: bool
) -> tuple[datetime | None, tuple[str, ...]]:
    replay = recovered_server(made, plan.time, settings.restore_seconds, durable=durable)
    try:
        async with replay as connection:
            await _set_password(connection, secret(made / "password"))
            last = await connection.fetchval("SELECT pg_last_xact_replay_timestamp()")
            databases = await connection.fetch("SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname")
            return last, tuple(row["datname"] for row in databases if row["datname"] not in {"postgres", "template1"})
    except TargetNotReachedError as exc:
        raise LocalError(gap(plan.missing) if plan.missing else f"{exc}. Restore an earlier time or --latest") from exc
    except asyncpg.InvalidAuthorizationSpecificationError as exc:
        raise LocalError(f"this is no backup of a server of the stack: it has no role {ADMIN}") from exc
    except asyncpg.PostgresError as exc:
        raise LocalError(f"the restored server refuses: {exc}") from exc


async def _set_password(connection: Connection, password: str) -> None:
    # A statement that fails is logged as it is.
    await connection.execute("SET log_min_error_statement = panic")
    literal = await connection.fetchval("SELECT quote_literal($1::text)", password)
    await connection.execute(f"ALTER ROLE {ADMIN} LOGIN SUPERUSER PASSWORD {literal}")


def _publish(made: Path, server: Path) -> None:
    server.parent.mkdir(parents=True, exist_ok=True)
    made.rename(server)


async def _check(plan: Plan, made: Path, settings: BackupSettings) -> None:
    _require_replayed(plan, (made / "data/pg_wal").glob("*.history"))
    await _verify("pg_checksums", ["--check", str(made / "data")], made, settings)
    await asyncio.to_thread(shutil.rmtree, made / "wal")


async def _verify(program: str, arguments: Sequence[str], made: Path, settings: BackupSettings) -> None:
    log = made / "verify.log"
    await Programs(settings.backup_programs).run(program, arguments, log=log, seconds=settings.verify_seconds)
    log.unlink()


def _require_replayed(plan: Plan, histories: Iterable[Path]) -> None:
    """Postgres takes a damaged segment for the end of the WAL, and would lose what follows without a word."""
    first, complete = plan.base.first, plan.last_complete
    lines = [line.split("\t") for path in histories for line in path.read_text(encoding="ascii").splitlines()]
    # "timeline, position at which it was left, why": one line for each timeline before the new one.
    end = next(
        Segment.holding(first.timeline, line[1], first.bytes) for line in lines if line[0] == str(first.timeline)
    )
    if plan.time is None and complete is not None and end < complete:
        raise LocalError(f"WAL segment {end.name} is damaged: what was written after it cannot be restored")
