"""Opens a file of products, whatever its format."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from cli.feeds.detection import format_of
from cli.feeds.encodings import reading
from cli.feeds.google_tsv import open_google_tsv
from cli.feeds.google_xml import open_google_xml
from cli.feeds.json_ld import open_json_ld
from cli.feeds.normalising import normalised
from cli.feeds.own import open_csv, open_jsonl, open_parquet
from cli.feeds.shopify import open_shopify
from cli.rows import BadRow, FileError, FileFormat, ReadOptions, Row, RowFile

_Opener = Callable[[Path, ReadOptions], AbstractContextManager[RowFile]]
_OPENERS: Final[dict[FileFormat, _Opener]] = {
    FileFormat.JSONL: open_jsonl,
    FileFormat.CSV: open_csv,
    FileFormat.PARQUET: open_parquet,
    FileFormat.GOOGLE_TSV: open_google_tsv,
    FileFormat.GOOGLE_XML: open_google_xml,
    FileFormat.SHOPIFY: open_shopify,
    FileFormat.JSON_LD: open_json_ld,
}
_MAPPED: Final = frozenset({FileFormat.JSONL, FileFormat.CSV, FileFormat.PARQUET})


@contextmanager
def open_rows(path: Path, options: ReadOptions) -> Iterator[RowFile]:
    """Opens a file of products.

    Raises:
        FileError: it cannot be read, is not of that format, or its format cannot be told.
    """
    file_format = format_of(path, options)
    if options.mapping is not None and file_format not in _MAPPED:
        raise FileError(f"{path}: a mapping is for {', '.join(sorted(_MAPPED))}; this was taken for {file_format}")
    with reading(path), _OPENERS[file_format](path, options) as file:
        yield replace(file, rows=_normalised(path, file.rows, options))


def _normalised(path: Path, rows: Iterator[Row | BadRow], options: ReadOptions) -> Iterator[Row | BadRow]:
    with reading(path):
        for row in rows:
            yield normalised(row, options) if isinstance(row, Row) else row
