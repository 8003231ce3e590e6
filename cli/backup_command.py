"""`zhiyin backup ...` and `zhiyin restore`: Postgres of the stack, or of ZHIYIN_DATABASE_URL, to a directory and back.

What they need is imported when they are called: the other commands do without `zhiyin[local]`.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.options import JsonOption
from cli.output import RESULTS, note, plain, write_json
from cli.running import USAGE, CommandFailed, run

if TYPE_CHECKING:
    from local.backup.directory import BackupDirectory, BaseBackup
    from local.backup.restore import Restored

backup = typer.Typer(help="Back up Postgres: base backups and an archive of its WAL.", no_args_is_help=True)

ToOption = Annotated[Path, typer.Option("--to", help="Directory of the backups of this one server.")]
FromOption = Annotated[Path, typer.Option("--from", help="Directory of the backups.")]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Directory of the stack that runs; else ZHIYIN_DATA_DIR.")
]
ServerOption = Annotated[
    str,
    typer.Option(
        "--server",
        help="Embedded server to work on; postgres-catalogue or postgres-feedback where each owner has one.",
    ),
]


@backup.command()
def base(to: ToOption, *, data_dir: DataDirOption = None, server: ServerOption = "postgres") -> None:
    """Copy the running server, and check the copy.

    A server elsewhere is named by ZHIYIN_DATABASE_URL, so that its password is on no command line; the role needs
    REPLICATION.
    """

    async def work() -> int:
        from cli.stack_session import stack_settings  # noqa: PLC0415 - see the head of this file
        from local.backup.base import take_base  # noqa: PLC0415
        from local.backup.config import BackupSettings  # noqa: PLC0415
        from local.backup.directory import BackupDirectory  # noqa: PLC0415
        from local.backup.source import stack_source  # noqa: PLC0415
        from services.common.settings import load  # noqa: PLC0415

        source = stack_source(stack_settings(data_dir, None), server)
        note(f"copying the server at {source.address}", "dim")
        made = await take_base(BackupDirectory(to), source, load(BackupSettings), dict(os.environ))
        note(f"base backup {made.name}: {made.bytes:,} bytes, checked", "green")
        return 0

    run(partial(_told, work))


@backup.command()
def archive(to: ToOption, *, data_dir: DataDirOption = None, server: ServerOption = "postgres") -> None:
    """Archive the WAL of the running server as it is written, until Ctrl-C.

    Begin it before the first base backup. While it is stopped the server keeps what the archive lacks.
    """

    async def work() -> int:
        from cli.stack_session import ended_by_signals, stack_settings  # noqa: PLC0415 - see the head of this file
        from local.backup.archive import WalArchive  # noqa: PLC0415
        from local.backup.config import BackupSettings  # noqa: PLC0415
        from local.backup.directory import BackupDirectory  # noqa: PLC0415
        from local.backup.source import stack_source  # noqa: PLC0415
        from services.common.settings import load  # noqa: PLC0415

        source = partial(stack_source, stack_settings(data_dir, None), server)
        kept = WalArchive(BackupDirectory(to), source, load(BackupSettings), dict(os.environ), note)
        try:
            with ended_by_signals():
                await kept.keep()
        except asyncio.CancelledError:
            note("The archive is stopped; the server keeps what it lacks.")
        return 0

    run(partial(_told, work))


@backup.command("list")
def list_backups(to: FromOption, *, as_json: JsonOption = False) -> None:
    """Show the base backups, and up to where WAL is at hand."""

    async def work() -> int:
        from local.backup.directory import BackupDirectory  # noqa: PLC0415 - see the head of this file

        directory = BackupDirectory(to)
        rows = [_row(directory, made) for made in directory.backups()]
        if as_json:
            write_json({"base_backups": rows})
        else:
            _show(rows)
        return 0

    run(partial(_told, work))


@backup.command()
def prune(
    to: FromOption,
    *,
    keep: Annotated[int, typer.Option("--keep", min=1, help="Base backups to keep, the newest ones.")],
) -> None:
    """Remove older base backups, and the WAL that no kept one needs."""

    async def work() -> int:
        from local.backup.directory import BackupDirectory  # noqa: PLC0415 - see the head of this file
        from local.directories import locked  # noqa: PLC0415

        directory = BackupDirectory(to)
        _ = directory.server
        with locked(to):
            removed = await asyncio.to_thread(directory.prune, keep)
        note(f"removed {', '.join(removed) or 'nothing'}")
        return 0

    run(partial(_told, work))


def restore(
    source: FromOption,
    to: Annotated[Path, typer.Option("--to", help="Fresh data directory for the stack.")],
    *,
    time: Annotated[
        str | None,
        typer.Option("--time", help="Restore what was committed until then; 2026-11-25T15:00:00+08:00, or with Z."),
    ] = None,
    latest: Annotated[bool, typer.Option("--latest", help="Restore everything that was archived.")] = False,
    server: ServerOption = "postgres",
) -> None:
    """Restore Postgres into a fresh data directory, to a point in time or to the last archived change.

    `zhiyin up --data-dir` starts a stack on it, which builds its index from the restored catalogue.
    """

    async def work() -> int:
        from local.backup.config import BackupSettings  # noqa: PLC0415 - see the head of this file
        from local.backup.directory import BackupDirectory  # noqa: PLC0415
        from local.backup.restore import restore as make  # noqa: PLC0415
        from services.common.settings import load  # noqa: PLC0415

        wanted = None if time is None else parse_time(time)
        if latest is (wanted is not None):
            raise CommandFailed("say either --time or --latest", USAGE)
        _show_restored(await make(BackupDirectory(source), to, server, wanted, load(BackupSettings)), to)
        return 0

    run(partial(_told, work))


def parse_time(text: str) -> datetime:
    """A time with its zone, ISO 8601.

    Raises:
        CommandFailed: It is none, names no zone, or is yet to come.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        raise CommandFailed("--time is no time of ISO 8601, such as 2026-11-25T15:00:00+08:00", USAGE) from exc
    if time.tzinfo is None:
        raise CommandFailed("--time names no zone: add Z for UTC, or an offset such as +08:00", USAGE)
    if time > datetime.now(UTC):
        raise CommandFailed("--time is yet to come", USAGE)
    return time


def _row(directory: "BackupDirectory", made: "BaseBackup") -> dict[str, Any]:
    archived = directory.archive(beside=[made])
    missing = archived.first_missing_from(made.first)
    return {
        "name": made.name,
        "finish_time": made.finish_time.isoformat(),
        "bytes": made.bytes,
        "first_segment": made.first.name,
        "last_segment": archived.unbroken_from(made.first)[-1].name,
        "first_missing_segment": None if missing is None else missing.name,
    }


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(header_style="bold")
    for title in ("base backup", "restores from", "bytes", "missing WAL"):
        table.add_column(title, overflow="fold")
    for row in rows:
        cells = [row["name"], row["finish_time"], f"{row['bytes']:,}"]
        table.add_row(*(plain(cell) for cell in cells), plain(row["first_missing_segment"] or "", "red"))
    RESULTS.print(table)


def _show_restored(made: "Restored", to: Path) -> None:
    last = "none after the base backup" if made.last_transaction is None else made.last_transaction.isoformat()
    note(f"restored {', '.join(made.databases)} from base backup {made.base}; last transaction: {last}", "green")
    note(f"Now put the secrets of the old data directory into {to}/secrets, then: zhiyin up --data-dir {to}")


async def _told(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """What cannot be done, in words.

    Raises:
        CommandFailed: instead of what the stack raises.
    """
    try:
        from local.processes import LocalError  # noqa: PLC0415 - see the head of this file

        try:
            return await work()
        except LocalError as exc:
            raise CommandFailed(str(exc)) from exc
        except OSError as exc:
            raise CommandFailed(f"{exc.filename}: {exc.strerror}") from exc
    except ModuleNotFoundError as exc:
        raise CommandFailed(f"{exc.name} is not installed: this command needs pip install 'zhiyin[local]'") from exc
