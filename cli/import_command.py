"""`zhiyin import`."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cli.gateway import Gateway, open_gateway
from cli.importing import Importer, ImportStopped, Summary, batches, is_not_yet_searchable
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption
from cli.output import NOTES, RESULTS, note, plain, write_json
from cli.problems import Problem
from cli.products import ATTRIBUTE_PREFIX, unknown_columns
from cli.rows import FileError, FileFormat, RowFile, format_of, open_rows
from cli.running import FAILED, USAGE, CommandFailed, describe, run
from zhiyin.common.v1.product_pb2 import Product
from zhiyin.common.v1.write_pb2 import WaitUntil
from zhiyin.gateway.v1.gateway_service_pb2 import UpsertProductsResponse

SHOWN_PROBLEMS: Final = 20
CALL_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a person can decide about an import."""

    file: Path
    file_format: FileFormat | None = None
    gateway: str = DEFAULT_GATEWAY
    catalog: str = "default"
    batch_size: int = 200
    wait: bool = False
    patience: float = 60.0
    errors: Path | None = None
    as_json: bool = False


def import_products(
    file: Annotated[Path, typer.Argument(help="JSON lines, CSV with a header, or Parquet.", show_default=False)],
    *,
    file_format: Annotated[
        FileFormat | None, typer.Option("--format", help="Read the file as this, whatever its suffix says.")
    ] = None,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, max=500, help="Products in one call.")] = 200,
    wait: Annotated[bool, typer.Option("--wait", help="Come back only when searches find the products.")] = False,
    patience: Annotated[
        float,
        typer.Option("--patience", min=0, help="Seconds to try again for while the service is away or overloaded."),
    ] = 60.0,
    errors: Annotated[
        Path | None, typer.Option("--errors", help="Write every bad row's line, field and reason here, as JSON lines.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Import products; those that exist are replaced.

    Bad rows are reported by line and field, and the rest goes in. An import can be repeated. Exit status: 0 = every
    row is in, 1 = some are not, 2 = the file or the command makes no sense and nothing was sent.
    """
    run(
        partial(
            import_file,
            ImportOptions(file, file_format, gateway, catalog, batch_size, wait, patience, errors, as_json),
        )
    )


async def import_file(options: ImportOptions) -> int:
    """Imports one file and returns the exit status.

    Raises:
        CommandFailed: the file cannot be read, or the service was away for too long.
    """
    started = time.monotonic()
    try:
        with ExitStack() as stack:
            file = stack.enter_context(open_rows(options.file, options.file_format or format_of(options.file)))
            refuse_unknown_columns(file)
            report = stack.enter_context(_problem_report(options))
            show = stack.enter_context(_progress(file, shown=not options.as_json))
            summary = await _send(options, file, report, show)
    except FileError as exc:
        raise CommandFailed(str(exc), USAGE) from exc
    _show_summary(summary, time.monotonic() - started, as_json=options.as_json)
    return FAILED if summary.rejected else 0


async def _send(
    options: ImportOptions,
    file: RowFile,
    report: Callable[[Sequence[Problem]], None],
    show: Callable[[Summary], None],
) -> Summary:
    async with open_gateway(options.gateway, catalog=options.catalog, seconds=CALL_SECONDS) as gateway:
        importer = Importer(
            _Writer(gateway, wait=options.wait).write, patience=options.patience, report=report, progress=show
        )
        try:
            return await importer.run(batches(file, options.batch_size))
        except ImportStopped as exc:
            done = f"{exc} after {importer.summary.rows} rows" if importer.summary.rows else str(exc)
            raise CommandFailed(f"{describe(exc.cause)}\n{done}; the import can be repeated") from exc


class _Writer:
    """Writes batches; waits for each until searches find it, but no longer once the index is seen to lag behind."""

    def __init__(self, gateway: Gateway, *, wait: bool) -> None:
        self._gateway = gateway
        self._until = WaitUntil.WAIT_UNTIL_SEARCHABLE if wait else WaitUntil.WAIT_UNTIL_COMMITTED

    async def write(self, products: Sequence[Product]) -> UpsertProductsResponse:
        response = await self._gateway.upsert(products, self._until)
        if is_not_yet_searchable(response):
            self._until = WaitUntil.WAIT_UNTIL_COMMITTED
        return response


def refuse_unknown_columns(file: RowFile) -> None:
    """A misspelt column would lose its values for every row, so nothing is sent.

    Raises:
        FileError: names the columns.
    """
    unknown = unknown_columns(file.columns or ())
    if unknown:
        columns = ", ".join(f"`{name}`" for name in unknown)
        raise FileError(
            f"no such field: {columns}. Known columns are listed in cli/README.md; "
            f"an attribute is written as `{ATTRIBUTE_PREFIX}NAME`. Nothing was imported"
        )


@contextmanager
def _problem_report(options: ImportOptions) -> Iterator[Callable[[Sequence[Problem]], None]]:
    shown = 0
    with ExitStack() as stack:
        file: TextIO | None = None
        if options.errors is not None:
            try:
                file = stack.enter_context(options.errors.open("w", encoding="utf-8"))
            except OSError as exc:
                raise FileError(f"{options.errors}: {exc.strerror}") from exc

        def report(problems: Sequence[Problem]) -> None:
            nonlocal shown
            for problem in problems:
                if file is not None:
                    file.write(json.dumps(asdict(problem), ensure_ascii=False) + "\n")
                if options.as_json:
                    write_json({"problem": asdict(problem)})
                elif shown < SHOWN_PROBLEMS:
                    _show_problem(problem)
                shown += 1

        yield report
    if shown > SHOWN_PROBLEMS and not options.as_json:
        more = f"{shown - SHOWN_PROBLEMS} more problems"
        note(f"{more} in {options.errors}" if options.errors else f"{more}; --errors FILE writes them all")


def _show_problem(problem: Problem) -> None:
    place = f"line {problem.line}"
    product = f" product {problem.product_id}" if problem.product_id else ""
    field = f" {problem.field}:" if problem.field else ""
    NOTES.print(plain(f"{place}{product}:{field} {problem.description} ({problem.reason})", "yellow"), soft_wrap=True)


@contextmanager
def _progress(file: RowFile, *, shown: bool) -> Iterator[Callable[[Summary], None]]:
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=NOTES, disable=not (shown and NOTES.is_terminal)) as progress:
        task = progress.add_task("", total=file.size, rows=0, rate=0.0)
        started = time.monotonic()

        def show(summary: Summary) -> None:
            rate = summary.rows / max(time.monotonic() - started, 1e-3)
            progress.update(task, completed=summary.position, rows=summary.rows, rate=rate)

        yield show


def _show_summary(summary: Summary, seconds: float, *, as_json: bool) -> None:
    counts = {name: getattr(summary, name) for name in ("created", "updated", "unchanged", "rejected")}
    if as_json:
        write_json(
            {
                "summary": {
                    "rows": summary.rows,
                    **counts,
                    "not_yet_searchable": summary.not_yet_searchable,
                    "seconds": round(seconds, 3),
                }
            }
        )
        return
    parts = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    rate = summary.rows / max(seconds, 1e-3)
    RESULTS.print(
        f"{summary.rows:,} rows in {seconds:.1f} s ({rate:,.0f}/s): {parts or 'nothing to do'}", highlight=False
    )
    if summary.not_yet_searchable:
        note(
            "Everything is on disk, but some products were not searchable in time; they follow by themselves.", "yellow"
        )
