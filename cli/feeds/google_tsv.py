"""Google Merchant product feeds as a table: tabs, or what else stands between the cells."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.feeds.google import USED, attribute_name, fields_of, row_of
from cli.feeds.tables import Record, check_header, opened_table
from cli.feeds.text import encoding_of, sample_of
from cli.rows import BadRow, FileFormat, ReadOptions, Remarks, Row, RowFile


@contextmanager
def open_google_tsv(path: Path, options: ReadOptions) -> Iterator[RowFile]:
    """A feed as a table; several values of a repeated attribute stand between commas."""
    encoding = encoding_of(sample_of(path), options.encoding)
    with opened_table(path, encoding, options) as table:
        names = {column: attribute_name(column) for column in table.header if column}
        check_header(path, tuple(names.values()))
        remarks = Remarks(unused={column: None for column, name in names.items() if name not in USED})
        yield RowFile(
            table.size,
            None,
            (_row(record, names, options) for record in table.records),
            table.position,
            FileFormat.GOOGLE_TSV,
            encoding.name,
            table.header_text,
            fields_of(names.values()),
            remarks,
            encoding.hint,
        )


def _row(record: Record | BadRow, names: dict[str, str], options: ReadOptions) -> Row | BadRow:
    if isinstance(record, BadRow):
        return record
    item = {names[column]: [cell.strip()] for column, cell in record.cells.items() if cell.strip()}
    return row_of(record.line, item, options, record.raw)
