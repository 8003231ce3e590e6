"""`zhiyin events import`."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.events.checking import check_events, service_event_rules
from cli.events.checkpoint import SUFFIX, Checkpoint
from cli.events.detection import crosswalk, format_of
from cli.events.importing import EventImporter, EventsStopped, EventSummary, batches, rows_of
from cli.events.lines import EventLines, Place, SourceLine, open_events
from cli.events.report import rejected_lines, show_event_check, show_event_summary
from cli.events.rows import Crosswalk, EventFormat
from cli.gateway import connected
from cli.import_options import currency_named
from cli.import_report import Progressing, problem_report, progress_bar
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption, PatienceOption, TimeoutOption
from cli.output import note
from cli.patience import Patience
from cli.problems import Problem
from cli.rows import FileError
from cli.running import FAILED, USAGE, CommandFailed, describe, run
from cli.shopper_gateway import ShopperGateway

DEFAULT_BATCH: Final = 1_000
events = typer.Typer(help="What shoppers did, from files.", no_args_is_help=True)


@events.callback()
def _events() -> None:
    """Keeps `import` a command of its own while it is the only one."""


@dataclass(frozen=True, slots=True)
class EventImportOptions:
    """An import of events."""

    file: Path
    file_format: EventFormat | None = None
    """None = told from the content."""
    currency: str = ""
    only_check: bool = False
    restart: bool = False
    checkpoint: Path | None = None
    """None = beside the file."""
    errors: Path | None = None
    rejected: Path | None = None
    catalog: str = "default"
    gateway: str = DEFAULT_GATEWAY
    batch_size: int = DEFAULT_BATCH
    patience: float = 60.0
    timeout: float = 60.0
    as_json: bool = False


@events.command("import")
def import_events_command(
    file: Annotated[
        Path,
        typer.Argument(
            help="JSON lines of UserEvent, of Google Analytics 4's BigQuery export, or of Segment.", show_default=False
        ),
    ],
    *,
    file_format: Annotated[
        EventFormat | None, typer.Option("--format", help="Read the file as this, whatever it looks like.")
    ] = None,
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217 code of amounts that name none.")] = "",
    only_check: Annotated[
        bool, typer.Option("--check", help="Report every problem of the file and send nothing.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin with the first line, although an import was stopped later.")
    ] = False,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Where to keep how far the import is; else beside the file.")
    ] = None,
    errors: Annotated[
        Path | None, typer.Option("--errors", help="Write every problem here, as JSON lines: line, field, code, fix.")
    ] = None,
    rejected: Annotated[
        Path | None, typer.Option("--rejected", help="Write the lines that did not go in here.")
    ] = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, max=1_000, help="Events in one call.")
    ] = DEFAULT_BATCH,
    patience: PatienceOption = 60.0,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Import what shoppers did.

    Bad rows are reported by line, and the rest goes in. An import that was stopped goes on where it was, and one that
    is repeated stores nothing twice. Exit status: 0 = every event is in, 1 = some are not, 2 = nothing was sent.
    """

    async def work() -> int:
        try:
            options = EventImportOptions(
                file=file,
                file_format=file_format,
                currency=currency_named(currency),
                only_check=only_check,
                restart=restart,
                checkpoint=checkpoint,
                errors=errors,
                rejected=rejected,
                catalog=catalog,
                gateway=gateway,
                batch_size=batch_size,
                patience=patience,
                timeout=timeout,
                as_json=as_json,
            )
            if options.only_check:
                return await _check(options)
            return FAILED if (await import_events(options)).not_in else 0
        except FileError as exc:
            raise CommandFailed(str(exc), USAGE) from exc

    run(work)


@dataclass(frozen=True, slots=True)
class _Session:
    """An open file and who is told what."""

    lines: EventLines
    crosswalk: Crosswalk
    report: Callable[[Sequence[Problem]], None]
    reject: Callable[[Sequence[SourceLine]], None]
    show: Callable[[Progressing], None]


async def import_events(options: EventImportOptions) -> EventSummary:
    """Imports one file and tells of it.

    Raises:
        FileError: the file cannot be read, or what belongs to it cannot be written.
        CommandFailed: the service refused, or was away for too long.
    """
    started, checkpoint = time.monotonic(), _checkpoint(options)
    with ExitStack() as stack:
        begin = _begin(options, checkpoint)
        session = _open(options, stack, begin)
        async with connected(ShopperGateway, options.gateway, catalog=options.catalog, seconds=options.timeout) as peer:
            importer = EventImporter(
                peer.record,
                Patience(options.patience),
                report=session.report,
                reject=session.reject,
                progress=session.show,
                keep=checkpoint.keep,
            )
            try:
                rows = rows_of(session.lines, session.crosswalk)
                summary = await importer.run(batches(rows, options.batch_size))
            except EventsStopped as exc:
                stopped = f"stopped behind line {max(exc.line, begin.line):,}; the same command goes on there"
                raise CommandFailed(f"{describe(exc.cause)}\n{stopped}") from exc
    checkpoint.remove()
    show_event_summary(summary, time.monotonic() - started, as_json=options.as_json)
    return summary


async def _check(options: EventImportOptions) -> int:
    with ExitStack() as stack:
        session = _open(options, stack, Place())
        work = partial(
            check_events,
            rows_of(session.lines, session.crosswalk),
            service_event_rules(),
            report=session.report,
            reject=session.reject,
            progress=session.show,
        )
        checked = await asyncio.to_thread(work)
    show_event_check(checked, as_json=options.as_json)
    return FAILED if checked.rejected else 0


def _checkpoint(options: EventImportOptions) -> Checkpoint:
    path = options.checkpoint or options.file.with_name(options.file.name + SUFFIX)
    purpose = {"catalog": options.catalog, "gateway": options.gateway, "currency": options.currency}
    return Checkpoint(path, {**purpose, "format": str(options.file_format or format_of(options.file))})


def _begin(options: EventImportOptions, checkpoint: Checkpoint) -> Place:
    """Where to begin: behind what an import that was stopped has sent, while the file is the same up to there."""
    kept = None if options.restart else checkpoint.place()
    if kept is None:
        return Place()
    with open_events(options.file) as file:
        if EventLines(file).go_to(kept):
            note(f"going on behind line {kept.line:,}, where the last import was stopped; --restart begins anew")
            return kept
    note("the file is not the one whose import was stopped: beginning with its first line", "yellow")
    return Place()


def _open(options: EventImportOptions, stack: ExitStack, begin: Place) -> _Session:
    file_format = options.file_format or format_of(options.file)
    file = stack.enter_context(open_events(options.file))
    lines = EventLines(file)
    lines.go_to(begin)
    if not options.as_json:
        note(f"{options.file.name}: {file_format}")
    size = _Size(options.file.stat().st_size)
    report = stack.enter_context(problem_report(options.errors, as_json=options.as_json))
    reject = stack.enter_context(rejected_lines(options.rejected, options.file, is_continued=begin.line > 0))
    show = stack.enter_context(progress_bar(size, shown=not options.as_json))
    return _Session(lines, crosswalk(file_format, options.currency), report, reject, show)


@dataclass(frozen=True, slots=True)
class _Size:
    size: int
