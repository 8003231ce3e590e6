"""Tables as text: CSV with `,` `;` `|` or tabs, quoted or not, with line breaks inside of cells."""

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

from cli.feeds.encodings import Encoding
from cli.feeds.table_lines import RecordedLines, text_of
from cli.feeds.tabs import padded_row, unquoted_row, without_surplus
from cli.feeds.text import Lines, LineTooLong, is_damaged, opened_text
from cli.problems import Problem
from cli.rows import BadRow, FileError, Raw, ReadOptions

DELIMITERS: Final = ",;\t|"
_SEPARATOR_LINE: Final = "sep="
"""How Excel writes down the delimiter, in a line before the header."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a table."""

    named_cells: tuple[tuple[str, str], ...]
    """Name in the header and content of each cell, in the order of the columns."""
    raw: Raw

    @property
    def cells(self) -> Mapping[str, str]:
        """By the name in the header, which no other column has; empty where the cell is."""
        return dict(self.named_cells)

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.raw.line


@dataclass(frozen=True, slots=True)
class Table:
    """An open table."""

    size: int
    header: tuple[str, ...]
    header_text: str
    records: Iterator[Record | BadRow]
    file: BinaryIO

    def position(self) -> int:
        """Bytes that have been read."""
        return self.file.tell()


@contextmanager
def opened_table(path: Path, encoding: Encoding, options: ReadOptions, *, may_repeat: bool = False) -> Iterator[Table]:
    """Opens a table.

    Raises:
        FileError: it cannot be read, or has no header; or a column occurs twice, unless columns may repeat.
    """
    csv.field_size_limit(options.max_line)
    with opened_text(path, encoding) as (text, file):
        lines = RecordedLines(Lines(text, options.max_line))
        try:
            delimiter, before = _delimiter(lines.peek())
            for _ in range(before):
                next(lines)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            header = _header(next(reader, []))
        except (csv.Error, LineTooLong) as exc:
            raise FileError(f"{path}: the header is no CSV: {exc}") from exc
        check_header(path, tuple(dict.fromkeys(header)) if may_repeat else header)
        header_text = text_of(lines.taken())
        records = _records(reader, lines, header, encoding, is_tabbed=delimiter == "\t")
        yield Table(path.stat().st_size, header, header_text, records, file)


def check_header(path: Path, columns: tuple[str, ...]) -> None:
    """Refuses what cannot be told apart.

    Raises:
        FileError: there are no columns, or one occurs twice.
    """
    if not columns:
        raise FileError(f"{path}: there is no header")
    twice = {name for name in columns if columns.count(name) > 1}
    if twice:
        raise FileError(f"{path}: columns that occur twice: {', '.join(sorted(twice))}")


def header_of(text: str) -> tuple[str, ...]:
    """Names of the columns, from the beginning of a table; empty where it is none."""
    lines = StringIO(text, newline="")
    delimiter, before = _delimiter(lines.readline())
    lines.seek(0)
    try:
        return _header(next(csv.reader(islice(lines, before, None), delimiter=delimiter), []))
    except csv.Error:
        return ()


def _header(cells: list[str]) -> tuple[str, ...]:
    names = [name.strip().removeprefix("\ufeff") for name in cells]
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _delimiter(line: str) -> tuple[str, int]:
    """The delimiter, and how many lines stand before the header."""
    if line.lower().startswith(_SEPARATOR_LINE) and len(line.strip("\r\n")) == len(_SEPARATOR_LINE) + 1:
        return line[len(_SEPARATOR_LINE)], 1
    unquoted = line.split('"')[::2]
    counts = {delimiter: sum(part.count(delimiter) for part in unquoted) for delimiter in DELIMITERS}
    return max(counts, key=lambda delimiter: counts[delimiter]), 0


def _records(
    reader: Any, lines: RecordedLines, header: tuple[str, ...], encoding: Encoding, *, is_tabbed: bool
) -> Iterator[Record | BadRow]:
    while True:
        first, error = lines.first, None
        try:
            cells = next(reader, None)
            if cells is None:
                return
        except (csv.Error, LineTooLong) as exc:
            cells, error = None, exc
        taken = lines.taken()
        if is_tabbed and not isinstance(error, LineTooLong):
            taken, cells = _tabbed(lines, taken, cells, len(header))
        raw = Raw(first, text_of(taken))
        if cells is None:
            yield BadRow(Problem(first, "", "", "NOT_CSV", f"not CSV: {error}"), raw)
        elif any(cell.strip() for cell in cells):
            yield _record(raw, header, cells, encoding)


def _tabbed(
    lines: RecordedLines, taken: list[str], cells: list[str] | None, width: int
) -> tuple[list[str], list[str] | None]:
    """The lines that are one row, and its cells; None where these cannot be read."""
    literal = unquoted_row(taken, cells, width)
    if literal is not None:
        lines.put_back(taken[1:])
        return taken[:1], literal
    return taken, padded_row(taken, cells, width) if cells else cells


def _record(raw: Raw, header: tuple[str, ...], cells: list[str], encoding: Encoding) -> Record | BadRow:
    cells = without_surplus(cells, len(header))
    if len(cells) != len(header):
        description = f"{len(cells)} fields where the header has {len(header)}"
        return BadRow(Problem(raw.line, "", "", "NOT_CSV", description), raw)
    if is_damaged(raw.text, encoding):
        return BadRow(damaged(raw.line, encoding, "row"), raw)
    return Record(tuple((name, cell) for name, cell in zip(header, cells, strict=True) if name), raw)


def damaged(line: int, encoding: Encoding, what: str) -> Problem:
    """A row with bytes that are not of the file's encoding."""
    if encoding.name.startswith("utf-8"):
        return Problem(line, "", "", "NOT_UTF8", f"the {what} is not UTF-8")
    return Problem(line, "", "", "ENCODING", f"the {what} is not {encoding.name}")
