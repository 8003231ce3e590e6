"""Files with our own columns, or with others that a mapping file turns into ours: JSON lines, CSV and Parquet."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from cli.feeds.encodings import Encoding, encoding_of
from cli.feeds.mapping import IDENTITY, columns_by_field, mapped_header, mapped_values
from cli.feeds.tables import Record, check_header, damaged, opened_table
from cli.feeds.text import Lines, LineTooLong, is_damaged, opened_text
from cli.problems import Problem
from cli.rows import BadRow, FieldMapping, FileError, FileFormat, Raw, ReadOptions, Row, RowFile

_PARQUET_ROWS: Final = 512


@contextmanager
def open_jsonl(path: Path, options: ReadOptions) -> Iterator[RowFile]:
    """JSON lines: one object a line."""
    encoding = encoding_of(path, options.encoding)
    with opened_text(path, encoding, newline="\n") as (text, file):
        rows = _mapped(_json_rows(Lines(text, options.max_line), encoding, options.max_line), options)
        yield RowFile(path.stat().st_size, None, rows, file.tell, FileFormat.JSONL, encoding.name, hint=encoding.hint)


@contextmanager
def open_csv(path: Path, options: ReadOptions) -> Iterator[RowFile]:
    """A table of text with a header; an empty cell is no value."""
    encoding = encoding_of(path, options.encoding)
    mapping = options.mapping or IDENTITY
    with opened_table(path, encoding, options) as table:
        rows = _mapped(map(_table_row, table.records), options)
        yield RowFile(
            table.size,
            mapped_header(path, table.header, mapping),
            rows,
            table.position,
            FileFormat.CSV,
            encoding.name,
            table.header_text,
            hint=encoding.hint,
        )


@contextmanager
def open_parquet(path: Path, options: ReadOptions) -> Iterator[RowFile]:
    """A Parquet file."""
    with _reading_arrow(path):
        file = pq.ParquetFile(path)
    with file:
        columns = tuple(file.schema_arrow.names)
        check_header(path, columns)
        rows = _ParquetRows(file)
        yield RowFile(
            file.metadata.num_rows,
            mapped_header(path, columns, options.mapping or IDENTITY),
            _mapped(_naming(path, iter(rows)), options),
            lambda: rows.read,
            FileFormat.PARQUET,
        )


def _mapped(rows: Iterator[Row | BadRow], options: ReadOptions) -> Iterator[Row | BadRow]:
    mapping = options.mapping
    if mapping is None:
        return rows
    names = columns_by_field(mapping)
    return (row if isinstance(row, BadRow) else _renamed(row, mapping, names) for row in rows)


def _renamed(row: Row, mapping: FieldMapping, names: dict[str, str]) -> Row:
    return replace(row, values=mapped_values(row.values, mapping), columns=names)


def _table_row(record: Record | BadRow) -> Row | BadRow:
    if isinstance(record, BadRow):
        return record
    return Row(record.line, {name: cell for name, cell in record.cells.items() if cell.strip()}, raw=record.raw)


def _json_rows(lines: Lines, encoding: Encoding, limit: int) -> Iterator[Row | BadRow]:
    while True:
        try:
            line = lines.read()
        except LineTooLong:
            yield BadRow(Problem(lines.number, "", "", "TOO_LONG", f"the line is longer than {limit} characters"))
            continue
        if not line:
            return
        if line.strip():
            yield _json_row(Raw(lines.number, line if line.endswith("\n") else f"{line}\n"), encoding)


def _json_row(raw: Raw, encoding: Encoding) -> Row | BadRow:
    if is_damaged(raw.text, encoding):
        return BadRow(damaged(raw.line, encoding, "line"), raw)
    try:
        values = json.loads(raw.text, parse_float=Decimal, parse_constant=_refuse_constant)
    except json.JSONDecodeError as exc:
        return _not_json(raw, f"not JSON at column {exc.colno}: {exc.msg}")
    except (ValueError, RecursionError):
        return _not_json(raw, "not JSON: NaN, an infinity, an endless number or too deep")
    if not isinstance(values, dict):
        return _not_json(raw, "not a JSON object")
    return Row(raw.line, {key: value for key, value in values.items() if value is not None}, raw=raw)


def _not_json(raw: Raw, description: str) -> BadRow:
    return BadRow(Problem(raw.line, "", "", "NOT_JSON", description), raw)


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


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


def _naming(path: Path, rows: Iterator[Any]) -> Iterator[Any]:
    with _reading_arrow(path):
        yield from rows


@contextmanager
def _reading_arrow(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror or exc}") from exc
    except (pa.ArrowException, ValueError, RecursionError) as exc:
        raise FileError(f"{path}: not a Parquet file that can be read: {exc}") from exc
