"""What a person is told of an import of events, and the file of lines that did not go in."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cli.events.checking import CheckedEvents
from cli.events.importing import EventSummary
from cli.events.lines import SourceLine
from cli.output import NOTES, RESULTS, plain, write_json
from cli.problems import Severity, fix_of
from cli.rows import FileError

SHOWN_KINDS: Final = 20


@contextmanager
def rejected_lines(
    path: Path | None, source: Path, *, is_continued: bool
) -> Iterator[Callable[[Sequence[SourceLine]], None]]:
    """Copies lines as they stand in the file; those of an import that goes on stay.

    Raises:
        FileError: it cannot be written, or is the source itself.
    """
    if path is None:
        yield lambda _lines: None
        return
    if path.exists() and path.samefile(source):
        raise FileError(f"{path}: is the file that is imported")
    try:
        with path.open("ab" if is_continued else "wb") as output:

            def write(lines: Sequence[SourceLine]) -> None:
                output.writelines(line.text for line in lines if line.text is not None)
                # The checkpoint goes on behind these lines.
                output.flush()

            yield write
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror}") from exc


def show_event_summary(summary: EventSummary, seconds: float, *, as_json: bool) -> None:
    """What came of an import."""
    counts = {name: getattr(summary, name) for name in ("accepted", "duplicates", "conflicts", "rejected")}
    if as_json:
        skipped = {"warnings": summary.warnings, "skipped": dict(summary.skipped)}
        write_json({"summary": {"rows": summary.rows, **counts, **skipped, "seconds": round(seconds, 3)}})
        return
    parts = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    rate = (summary.accepted + summary.duplicates) / max(seconds, 1e-3)
    RESULTS.print(
        f"{summary.rows:,} rows in {seconds:.1f} s ({rate:,.0f} events/s): {parts or 'nothing to do'}", highlight=False
    )
    _note_skipped(summary.skipped)


def show_event_check(checked: CheckedEvents, *, as_json: bool) -> None:
    """What a check found, by code."""
    if as_json:
        counts = {"rows": checked.rows, "events": checked.events, "rejected": checked.rejected}
        codes = {"errors": dict(checked.errors), "warnings": dict(checked.warnings), "skipped": dict(checked.skipped)}
        write_json({"check": {**counts, **codes}})
        return
    RESULTS.print(
        f"{checked.rows:,} rows and {checked.events:,} events read, {checked.rejected:,} rows with errors; "
        "nothing was sent",
        highlight=False,
    )
    for severity, found in ((Severity.ERROR, checked.errors), (Severity.WARNING, checked.warnings)):
        for code, count in found.most_common():
            fix = f": {fix_of(code)}" if fix_of(code) else ""
            RESULTS.print(plain(f"  {count:>8,} {severity} {code}{fix}"), highlight=False, soft_wrap=True)
    _note_skipped(checked.skipped)


def _note_skipped(skipped: Counter[str]) -> None:
    if not skipped:
        return
    kinds = [f"{kind} {count:,}" for kind, count in skipped.most_common(SHOWN_KINDS)]
    more = f" and {len(skipped) - SHOWN_KINDS} more kinds" if len(skipped) > SHOWN_KINDS else ""
    NOTES.print(plain(f"left out, because they are no events here: {', '.join(kinds)}{more}"), soft_wrap=True)
