"""`zhiyin import`."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

from cli.catalogue_gateway import CatalogueGateway, open_catalogue
from cli.checking import check, service_rules
from cli.feeds.mapping import read_mapping
from cli.feeds.opening import open_rows
from cli.import_options import (
    DEFAULT_MISSING_PERCENT,
    BatchOption,
    CheckOption,
    CurrencyOption,
    DecimalOption,
    DropGtinOption,
    EncodingOption,
    ErrorsOption,
    FileArgument,
    FormatOption,
    ImportOptions,
    MappingOption,
    MarkMissingOption,
    MissingLimitOption,
    PartialOption,
    PatienceOption,
    RegionOption,
    RejectedOption,
    WaitOption,
    currency_named,
    number_style,
)
from cli.import_report import (
    Progressing,
    problem_report,
    progress_bar,
    say_what_it_is,
    show_check,
    show_summary,
)
from cli.importing import Importer, ImportStopped, Summary, Upsert, batches
from cli.missing import NotMarked, Tally, find_missing, mark_unavailable
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption
from cli.output import note
from cli.problems import Problem
from cli.products import ATTRIBUTE_PREFIX, mask_of, unknown_columns
from cli.rejects import open_rejects
from cli.rows import BadRow, FileError, FileFormat, ReadOptions, Row, RowFile
from cli.running import FAILED, USAGE, CommandFailed, describe, run
from cli.writing import PartialWriter, Waiting, whole_writer

__all__ = ["ImportOptions", "import_file", "import_products", "refuse_unknown_columns"]

CALL_SECONDS: Final = 60.0


def import_products(
    file: FileArgument,
    *,
    file_format: FormatOption = None,
    mapping: MappingOption = None,
    encoding: EncodingOption = None,
    currency: CurrencyOption = "",
    region: RegionOption = "",
    decimal_comma: DecimalOption = None,
    drop_bad_gtin: DropGtinOption = False,
    partial_update: PartialOption = None,
    only_check: CheckOption = False,
    mark_missing: MarkMissingOption = False,
    missing_percent: MissingLimitOption = DEFAULT_MISSING_PERCENT,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    batch_size: BatchOption = 200,
    wait: WaitOption = False,
    patience: PatienceOption = 60.0,
    errors: ErrorsOption = None,
    rejected: RejectedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import products; those that exist are replaced.

    Bad rows are reported by line and column, and the rest goes in. With --check nothing is sent. An import can be
    repeated. Exit status: 0 = every row is in, 1 = some are not, 2 = the file or the command makes no sense and nothing
    was sent.
    """

    def options() -> ImportOptions:
        read = ReadOptions(
            file_format=file_format,
            encoding=encoding,
            mapping=read_mapping(mapping) if mapping is not None else None,
            numbers=number_style(decimal_comma),
            currency=currency_named(currency),
            region=region,
            drop_bad_gtin=drop_bad_gtin,
        )
        return ImportOptions(
            file=file,
            read=read,
            gateway=gateway,
            catalog=catalog,
            batch_size=batch_size,
            wait=wait,
            patience=patience,
            is_partial=partial_update,
            only_check=only_check,
            errors=errors,
            rejected=rejected,
            mark_missing=mark_missing,
            missing_percent=missing_percent,
            as_json=as_json,
        )

    run(partial(_import_with, options))


@dataclass(frozen=True, slots=True)
class _Session:
    """An open file and who is told what."""

    options: ImportOptions
    file: RowFile
    report: Callable[[Sequence[Problem]], None]
    reject: Callable[[Sequence[Row | BadRow]], None]
    show: Callable[[Progressing], None]


async def _import_with(options: Callable[[], ImportOptions]) -> int:
    try:
        return await import_file(options())
    except FileError as exc:
        raise CommandFailed(str(exc), USAGE) from exc


async def import_file(options: ImportOptions) -> int:
    """Imports or checks one file and returns the exit status.

    Raises:
        CommandFailed: the file cannot be read, or the service was away for too long.
    """
    try:
        with ExitStack() as stack:
            session = _open(options, stack)
            return await (_check(session) if options.only_check else _import(session))
    except FileError as exc:
        raise CommandFailed(str(exc), USAGE) from exc


def _open(options: ImportOptions, stack: ExitStack) -> _Session:
    if options.only_check and options.mark_missing:
        raise FileError("--check sends nothing, so it cannot go with --mark-missing-unavailable")
    file = stack.enter_context(open_rows(options.file, options.read))
    refuse_unknown_columns(file)
    if not options.as_json:
        say_what_it_is(options.file, file)
    report = stack.enter_context(problem_report(options.errors, as_json=options.as_json))
    rejects = stack.enter_context(open_rejects(options.rejected, options.file, file)) if options.rejected else None
    show = stack.enter_context(progress_bar(file, shown=not options.as_json))
    return _Session(options, file, report, rejects.write if rejects else lambda _: None, show)


async def _check(session: _Session) -> int:
    rules = service_rules()
    work = partial(check, session.file, rules, report=session.report, reject=session.reject, progress=session.show)
    checked = await asyncio.to_thread(work)
    show_check(checked, session.file, as_json=session.options.as_json)
    return FAILED if checked.rejected else 0


async def _import(session: _Session) -> int:
    started, options = time.monotonic(), session.options
    tally = Tally() if options.mark_missing else None
    async with open_catalogue(options.gateway, catalog=options.catalog, seconds=CALL_SECONDS) as gateway:
        summary = await _send(session, gateway, tally)
        marked: int | None = None
        try:
            marked = await _mark_missing(session, gateway, tally) if tally is not None else None
        finally:
            seconds = time.monotonic() - started
            show_summary(summary, session.file, seconds, marked, as_json=options.as_json)
    return FAILED if summary.rejected or (tally is not None and marked is None) else 0


async def _send(session: _Session, gateway: CatalogueGateway, tally: Tally | None) -> Summary:
    options = session.options
    importer = Importer(
        _writer(session, gateway),
        patience=options.patience,
        report=session.report,
        progress=session.show,
        reject=session.reject,
    )
    rows = session.file.rows if tally is None else tally.of(session.file.rows)
    try:
        return await importer.run(batches(rows, session.file.position, options.batch_size))
    except ImportStopped as exc:
        done = f"{exc} after {importer.summary.rows} rows" if importer.summary.rows else str(exc)
        raise CommandFailed(f"{describe(exc.cause)}\n{done}; the import can be repeated") from exc


def _writer(session: _Session, gateway: CatalogueGateway) -> Upsert:
    file, waiting = session.file, Waiting(searchable=session.options.wait)
    is_partial = session.options.is_partial
    if is_partial is None:
        is_partial = file.file_format is FileFormat.SHOPIFY
    if not is_partial:
        return whole_writer(gateway, waiting)
    fields = file.fields if file.fields is not None else mask_of(file.columns or ())
    if not fields:
        raise FileError(f"--partial is for files whose columns are known at the beginning, not for {file.file_format}")
    return PartialWriter(gateway, waiting, fields, session.options.read.region).write


async def _mark_missing(session: _Session, gateway: CatalogueGateway, tally: Tally) -> int | None:
    """Number of products marked; None where that was refused."""
    options = session.options
    try:
        tally.refuse_if_unsure(is_cut_short=session.file.remarks.cut_short)
        missing = await find_missing(gateway, tally.ids, options.read.region)
        missing.refuse_beyond(options.missing_percent)
    except NotMarked as exc:
        note(str(exc), "red")
        return None
    return await mark_unavailable(gateway, missing)


def refuse_unknown_columns(file: RowFile) -> None:
    """A misspelt column would lose its values for every row, so nothing is sent.

    Raises:
        FileError: names the columns.
    """
    unknown = unknown_columns(file.columns or ())
    if unknown:
        columns = ", ".join(f"`{name}`" for name in unknown)
        raise FileError(
            f"no such field: {columns}. Known columns are listed in cli/README.md; an attribute is written as "
            f"`{ATTRIBUTE_PREFIX}NAME`, and --mapping gives columns other names. Nothing was imported"
        )
