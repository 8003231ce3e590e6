"""Reading a file of products row by row, in bounded memory: JSON lines, CSV and Parquet.

A row that cannot be read becomes a Problem with its line, and reading goes on behind it. Only a file that cannot be
read at all raises.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from cli.problems import Problem

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""Longest line of JSON, and longest field of a CSV in characters. A product at all its limits is far below it."""
_PARQUET_ROWS: Final = 512
_BOM: Final = b"\xef\xbb\xbf"


class FileFormat(StrEnum):
    """How a file of products is written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class FileError(Exception):
    """The file as a whole cannot be read."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row as the file gives it; a column without a value is left out."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowFile:
    """An open file of products."""

    size: int
    """Bytes of a text file, rows of a Parquet file."""
    columns: tuple[str, ...] | None
    """Names of the columns; None where each row has its own (JSON lines)."""
    rows: Iterator[Row | Problem]
    position: Callable[[], int]
    """How much of `size` has been read."""


_SUFFIXES: Final = {
    ".jsonl": FileFormat.JSONL,
    ".ndjson": FileFormat.JSONL,
    ".csv": FileFormat.CSV,
    ".parquet": FileFormat.PARQUET,
}


def format_of(path: Path) -> FileFormat:
    """The format that the suffix of a file stands for.

    Raises:
        FileError: it stands for none.
    """
    try:
        return _SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise FileError(f"{path}: name the format with --format: {', '.join(FileFormat)}") from None


def open_rows(path: Path, file_format: FileFormat) -> AbstractContextManager[RowFile]:
    """Opens a file of products.

    Raises:
        FileError: it cannot be read, or is not of that format.
    """
    openers = {FileFormat.JSONL: _open_jsonl, FileFormat.CSV: _open_csv, FileFormat.PARQUET: _open_parquet}
    return openers[file_format](path)


@contextmanager
def _open_jsonl(path: Path) -> Iterator[RowFile]:
    with _opened(path) as file:
        if file.read(len(_BOM)) != _BOM:
            file.seek(0)
        yield RowFile(path.stat().st_size, None, _naming(path, _json_rows(file)), file.tell)


def _json_rows(file: BinaryIO) -> Iterator[Row | Problem]:
    for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), start=1):
        if len(line) > MAX_LINE_BYTES:
            _skip_line(file, line)
            yield Problem(number, "", "", "TOO_LONG", f"the line is longer than {MAX_LINE_BYTES} bytes")
        elif line.strip():
            yield _json_row(number, line)


def _skip_line(file: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(MAX_LINE_BYTES)


def _json_row(number: int, line: bytes) -> Row | Problem:
    try:
        values = json.loads(line.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        return Problem(number, "", "", "NOT_UTF8", "the line is not UTF-8")
    except json.JSONDecodeError as exc:
        return Problem(number, "", "", "NOT_JSON", f"not JSON at column {exc.colno}: {exc.msg}")
    except (ValueError, RecursionError):
        return Problem(number, "", "", "NOT_JSON", "not JSON: NaN, an infinity, an endless number or too deep")
    if not isinstance(values, dict):
        return Problem(number, "", "", "NOT_JSON", "not a JSON object")
    return Row(number, {key: value for key, value in values.items() if value is not None})


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


@contextmanager
def _open_csv(path: Path) -> Iterator[RowFile]:
    csv.field_size_limit(MAX_LINE_BYTES)
    with _opened(path) as file:
        # Bytes that are no UTF-8 are let through as lone surrogates, so that they spoil their own row only.
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        reader = csv.reader(text, strict=True)
        try:
            header = tuple(name.strip() for name in next(reader, []))
        except csv.Error as exc:
            raise FileError(f"{path}: the header is no CSV: {exc}") from exc
        _check_header(path, header)
        yield RowFile(path.stat().st_size, header, _naming(path, _csv_rows(reader, header)), file.tell)


def _csv_rows(reader: Any, header: tuple[str, ...]) -> Iterator[Row | Problem]:
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield Problem(line, "", "", "NOT_CSV", f"not CSV: {exc}")
            continue
        if fields:
            yield _csv_row(line, header, fields)


def _csv_row(line: int, header: tuple[str, ...], fields: list[str]) -> Row | Problem:
    if len(fields) != len(header):
        return Problem(line, "", "", "NOT_CSV", f"{len(fields)} fields where the header has {len(header)}")
    values = {name: value for name, value in zip(header, fields, strict=True) if value.strip()}
    try:
        "".join(fields).encode("utf-8")
    except UnicodeEncodeError:
        return Problem(line, "", "", "NOT_UTF8", "the row is not UTF-8")
    return Row(line, values)


@contextmanager
def _open_parquet(path: Path) -> Iterator[RowFile]:
    with _reading(path):
        file = pq.ParquetFile(path)
    with file:
        columns = tuple(file.schema_arrow.names)
        _check_header(path, columns)
        rows = _ParquetRows(file)
        yield RowFile(file.metadata.num_rows, columns, _naming(path, iter(rows)), lambda: rows.read)


class _ParquetRows:
    def __init__(self, file: pq.ParquetFile) -> None:
        self._file = file
        self.read = 0

    def __iter__(self) -> Iterator[Row]:
        for batch in self._file.iter_batches(batch_size=_PARQUET_ROWS):
            for values in _without_nanoseconds(batch).to_pylist():
                self.read += 1
                yield Row(self.read, {name: value for name, value in values.items() if value is not None})


def _without_nanoseconds(batch: pa.RecordBatch) -> pa.Table:
    """Nanoseconds would become a type of pandas, which need not be there."""
    fields = [
        pa.field(field.name, pa.timestamp("us", tz=field.type.tz) if pa.types.is_timestamp(field.type) else field.type)
        for field in batch.schema
    ]
    return pa.Table.from_batches([batch]).cast(pa.schema(fields), safe=False)


def _check_header(path: Path, columns: tuple[str, ...]) -> None:
    if not columns:
        raise FileError(f"{path}: there is no header")
    twice = {name for name in columns if columns.count(name) > 1}
    if twice:
        raise FileError(f"{path}: columns that occur twice: {', '.join(sorted(twice))}")


def _opened(path: Path) -> BinaryIO:
    with _reading(path):
        return path.open("rb")


def _naming(path: Path, rows: Iterator[Row | Problem]) -> Iterator[Row | Problem]:
    with _reading(path):
        yield from rows


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror or exc}") from exc
    except pa.ArrowException as exc:
        raise FileError(f"{path}: not a Parquet file that can be read: {exc}") from exc
