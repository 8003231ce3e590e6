"""Google Merchant product feeds as a table: tabs, or what else stands between the cells."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.feeds.encodings import encoding_of
from cli.feeds.google import USED, attribute_name, fields_of, row_of
from cli.feeds.tables import Record, opened_table
from cli.rows import BadRow, FileFormat, ReadOptions, Remarks, Row, RowFile


@contextmanager
def open_google_tsv(path: Path, options: ReadOptions) -> Iterator[RowFile]:
    """A feed as a table; several values of an attribute stand in columns of one name, or between commas."""
    encoding = encoding_of(path, options.encoding)
    with opened_table(path, encoding, options, may_repeat=True) as table:
        names = {column: attribute_name(column) for column in table.header if column}
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
    item: dict[str, list[str]] = {}
    for column, cell in record.named_cells:
        if value := cell.strip():
            item.setdefault(names[column], []).append(value)
    return row_of(record.line, item, options, record.raw)
