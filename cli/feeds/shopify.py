"""Shopify's product CSV as rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.feeds.encodings import encoding_of
from cli.feeds.shopify_groups import columns_of, groups_of
from cli.feeds.shopify_products import fields_of, products_of
from cli.feeds.tables import Table, opened_table
from cli.rows import BadRow, FileFormat, ReadOptions, Remarks, Row, RowFile


@contextmanager
def open_shopify(path: Path, options: ReadOptions) -> Iterator[RowFile]:
    """A product CSV of Shopify, each variant a row."""
    encoding = encoding_of(path, options.encoding)
    with opened_table(path, encoding, options, may_repeat=True) as table:
        columns = columns_of(path, table.header)
        remarks = Remarks(unused={name: None for name in table.header if name and name not in columns.values()})
        yield RowFile(
            table.size,
            None,
            _rows(table, columns, remarks),
            table.position,
            FileFormat.SHOPIFY,
            encoding.name,
            table.header_text,
            fields_of(columns),
            remarks,
            encoding.hint,
        )


def _rows(table: Table, columns: dict[str, str], remarks: Remarks) -> Iterator[Row | BadRow]:
    for group in groups_of(table, columns):
        if isinstance(group, BadRow):
            yield group
        else:
            yield from products_of(group, remarks)
