"""Tables as text: CSV with `,` `;` `|` or tabs, quoted or not, with line breaks inside of cells."""

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from cli.feeds.text import Encoding, Lines, LineTooLong, is_damaged, opened_text
from cli.problems import Problem
from cli.rows import BadRow, FileError, Raw, ReadOptions

DELIMITERS: Final = ",;\t|"
_SEPARATOR_LINE: Final = "sep="
"""How Excel writes down the delimiter, in a line before the header."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a table."""

    cells: Mapping[str, str]
    """By the name in the header; empty where the cell is."""
    raw: Raw

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
def opened_table(path: Path, encoding: Encoding, options: ReadOptions) -> Iterator[Table]:
    """Opens a table.

    Raises:
        FileError: it cannot be read, or has no header that names each column once.
    """
    csv.field_size_limit(options.max_line)
    with opened_text(path, encoding) as (text, file):
        lines = _Recording(Lines(text, options.max_line))
        try:
            delimiter, before = _delimiter(lines.peek())
            for _ in range(before):
                next(lines)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            header = _header(next(reader, []))
        except (csv.Error, LineTooLong) as exc:
            raise FileError(f"{path}: the header is no CSV: {exc}") from exc
        check_header(path, header)
        yield Table(path.stat().st_size, header, lines.taken(), _records(reader, lines, header, encoding), file)


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


def header_of(line: str) -> tuple[str, ...]:
    """Names of the columns, from the first line of a table; empty where it is none."""
    delimiter, before = _delimiter(line)
    lines = line.splitlines()[before:]
    try:
        return _header(next(csv.reader(lines, delimiter=delimiter), []))
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
    unquoted = "".join(line.splitlines()[:1]).split('"')[::2]
    counts = {delimiter: sum(part.count(delimiter) for part in unquoted) for delimiter in DELIMITERS}
    return max(counts, key=lambda delimiter: counts[delimiter]), 0


class _Recording:
    """The lines that a reader of CSV takes, kept until they are asked for."""

    def __init__(self, lines: Lines) -> None:
        self.first = 1
        self._lines = lines
        self._taken: list[str] = []
        self._ahead: str | None = None

    def __iter__(self) -> "_Recording":
        return self

    def __next__(self) -> str:
        line = self.peek()
        self._ahead = None
        if not line:
            raise StopIteration
        self._taken.append(line)
        return line

    def peek(self) -> str:
        if self._ahead is None:
            self._ahead = self._lines.read()
        return self._ahead

    def taken(self) -> str:
        """The lines since the last call, the last one with its end."""
        text = "".join(self._taken)
        self._taken = []
        self.first = self._lines.number + 1
        return text if not text or text.endswith(("\n", "\r")) else f"{text}\r\n"


def _records(reader: Any, lines: _Recording, header: tuple[str, ...], encoding: Encoding) -> Iterator[Record | BadRow]:
    while True:
        first = lines.first
        try:
            cells = next(reader, None)
        except (csv.Error, LineTooLong) as exc:
            problem = Problem(first, "", "", "NOT_CSV", f"not CSV: {exc}")
            yield BadRow(problem, Raw(first, lines.taken()))
            continue
        if cells is None:
            return
        raw = Raw(first, lines.taken())
        if any(cell.strip() for cell in cells):
            yield _record(raw, header, cells, encoding)


def _record(raw: Raw, header: tuple[str, ...], cells: list[str], encoding: Encoding) -> Record | BadRow:
    while len(cells) > len(header) and not cells[-1].strip():
        cells.pop()
    if len(cells) != len(header):
        description = f"{len(cells)} fields where the header has {len(header)}"
        return BadRow(Problem(raw.line, "", "", "NOT_CSV", description), raw)
    if is_damaged(raw.text, encoding):
        return BadRow(damaged(raw.line, encoding, "row"), raw)
    return Record({name: cell for name, cell in zip(header, cells, strict=True) if name}, raw)


def damaged(line: int, encoding: Encoding, what: str) -> Problem:
    """A row with bytes that are not of the file's encoding."""
    if encoding.name.startswith("utf-8"):
        return Problem(line, "", "", "NOT_UTF8", f"the {what} is not UTF-8")
    return Problem(line, "", "", "ENCODING", f"the {what} is not {encoding.name}")
