"""What a person is told of an import: problems as they are found, progress, and what came of it."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cli.checking import Checked
from cli.importing import Summary
from cli.output import NOTES, RESULTS, note, plain, write_json
from cli.problems import Problem, Severity, fix_of
from cli.rows import FileError, FileFormat, RowFile

SHOWN_PROBLEMS: Final = 20
SHOWN_COLUMNS: Final = 40
_LOOKED_FOR: Final = {
    FileFormat.GOOGLE_XML: ": it has no elements <item> or <entry>",
    FileFormat.JSON_LD: ": it has no nodes of schema.org's Product or ProductGroup",
}
"""What a product is in formats that also hold other things."""


class Progressing(Protocol):
    """Counts that a progress bar shows."""

    @property
    def rows(self) -> int:
        """Rows that are done."""

    @property
    def position(self) -> int:
        """How much of the file is done; see RowFile.size."""


class Measured(Protocol):
    """What a progress bar is over."""

    @property
    def size(self) -> int:
        """All of it; see RowFile.size."""


def say_what_it_is(path: Path, file: RowFile) -> None:
    """The format and encoding, detected or insisted on."""
    encoding = f", {_shown(file.encoding)}" if file.encoding else ""
    note(f"{path.name}: {file.file_format}{encoding}")
    if file.hint:
        note(file.hint, "yellow")


@contextmanager
def problem_report(errors: Path | None, *, as_json: bool) -> Iterator[Callable[[Sequence[Problem]], None]]:
    """Shows the first problems and writes all of them where asked.

    Raises:
        FileError: the file of errors cannot be written.
    """
    shown = 0
    with ExitStack() as stack:
        file = stack.enter_context(_opened(errors)) if errors is not None else None

        def report(problems: Sequence[Problem]) -> None:
            nonlocal shown
            for problem in problems:
                if file is not None:
                    file.write(json.dumps(problem.as_json(), ensure_ascii=False) + "\n")
                if as_json:
                    write_json({"problem": problem.as_json()})
                elif shown < SHOWN_PROBLEMS:
                    _show_problem(problem)
                shown += 1

        yield report
    if shown > SHOWN_PROBLEMS and not as_json:
        more = f"{shown - SHOWN_PROBLEMS} more problems"
        note(f"{more} in {errors}" if errors else f"{more}; --errors FILE writes them all")


@contextmanager
def progress_bar(file: Measured, *, shown: bool) -> Iterator[Callable[[Progressing], None]]:
    """A bar over the file."""
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

        def show(done: Progressing) -> None:
            rate = done.rows / max(time.monotonic() - started, 1e-3)
            progress.update(task, completed=done.position, rows=done.rows, rate=rate)

        yield show


def show_summary(summary: Summary, file: RowFile, seconds: float, marked: int | None, *, as_json: bool) -> None:
    """What came of an import; `marked` is the number of products marked out of stock, None where none was asked."""
    counts = {name: getattr(summary, name) for name in ("created", "updated", "unchanged", "rejected")}
    if as_json:
        done = {"rows": summary.rows, **counts, "warnings": summary.warnings}
        told = {"not_yet_searchable": summary.not_yet_searchable, "marked_unavailable": marked}
        write_json({"summary": {**done, **told, **_file_facts(file), "seconds": round(seconds, 3)}})
        return
    parts = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    rate = summary.rows / max(seconds, 1e-3)
    RESULTS.print(
        f"{summary.rows:,} rows in {seconds:.1f} s ({rate:,.0f}/s): {parts or 'nothing to do'}", highlight=False
    )
    if marked is not None:
        RESULTS.print(f"{marked:,} products that the file lacks were marked out of stock", highlight=False)
    _note_remarks(file, summary.rows)
    if summary.not_yet_searchable:
        note(
            "Everything is on disk, but some products were not searchable in time; they follow by themselves.", "yellow"
        )


def show_check(checked: Checked, file: RowFile, *, as_json: bool) -> None:
    """What a check found, by code."""
    if as_json:
        counts = {"rows": checked.rows, "rejected": checked.rejected}
        codes = {"errors": dict(checked.errors), "warnings": dict(checked.warnings)}
        write_json({"check": {**counts, **codes, **_file_facts(file)}})
        return
    RESULTS.print(
        f"{checked.rows:,} rows read, {checked.rejected:,} of them with errors; nothing was sent", highlight=False
    )
    for severity, found in ((Severity.ERROR, checked.errors), (Severity.WARNING, checked.warnings)):
        for code, count in found.most_common():
            fix = f": {fix_of(code)}" if fix_of(code) else ""
            RESULTS.print(plain(f"  {count:>8,} {severity} {code}{fix}"), highlight=False, soft_wrap=True)
    _note_remarks(file, checked.rows)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open("w", encoding="utf-8") as file:
            yield file
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror}") from exc


def _show_problem(problem: Problem) -> None:
    product = f" product {problem.product_id}" if problem.product_id else ""
    name = problem.column or problem.field
    field = f" {name}:" if name else ""
    kind = " (warning)" if problem.severity is Severity.WARNING else ""
    text = f"line {problem.line}{product}:{field} {problem.description} ({problem.reason}){kind}"
    NOTES.print(plain(text, "yellow"), soft_wrap=True)


def _shown(encoding: str) -> str:
    return encoding.removesuffix("-sig")


def _file_facts(file: RowFile) -> dict[str, Any]:
    remarks = file.remarks
    return {
        "format": file.file_format,
        "encoding": _shown(file.encoding),
        "skipped": remarks.skipped,
        "unused_columns": list(remarks.unused),
        "cut_short": remarks.cut_short,
    }


def _note_remarks(file: RowFile, rows: int) -> None:
    remarks = file.remarks
    if not rows and not remarks.skipped:
        note(f"no products were found in the file{_LOOKED_FOR.get(file.file_format, '')}", "yellow")
    if remarks.skipped:
        note(f"{remarks.skipped:,} products were left out: drafts, archived, unlisted or not published")
    if remarks.unused:
        names = list(remarks.unused)
        more = f" and {len(names) - SHOWN_COLUMNS} more" if len(names) > SHOWN_COLUMNS else ""
        NOTES.print(plain(f"not used: {', '.join(names[:SHOWN_COLUMNS])}{more}"), soft_wrap=True)
    if remarks.cut_short:
        note("the file could not be read to its end", "red")
