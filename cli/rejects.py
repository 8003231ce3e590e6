"""The file of rejected rows: in the form of the imported file, so that it can be mended and sent again."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from cli.rows import BadRow, FileError, Row, RowFile


class Rejects:
    """Copies rejected rows: lines of a text file as they stand there, others as JSON lines of our columns."""

    def __init__(self, file: TextIO, header: str | None) -> None:
        """`header` comes before the first row."""
        self.missing = 0
        """Rows that have nothing to copy."""
        self._file = file
        self._header = header
        self._last_line = 0

    def write(self, rows: Sequence[Row | BadRow]) -> None:
        """Rows in the order of the file. Lines that several products share are written once."""
        for row in rows:
            if row.raw is not None:
                self._write_raw(row.raw.line, row.raw.text)
            elif isinstance(row, Row) and row.values:
                self._file.write(json.dumps(dict(row.values), ensure_ascii=True, default=_json_value) + "\n")
            else:
                self.missing += 1

    def _write_raw(self, line: int, text: str) -> None:
        if self._header is not None:
            self._file.write(self._header)
            self._header = None
        if line != self._last_line:
            self._file.write(text)
            self._last_line = line


@contextmanager
def open_rejects(path: Path, source: Path, file: RowFile) -> Iterator[Rejects]:
    """Opens the file, in the encoding of the source where rows are copied.

    Raises:
        FileError: it cannot be written, or is the source itself.
    """
    if path.exists() and path.samefile(source):
        raise FileError(f"{path}: is the file that is imported")
    encoding = file.encoding if file.copies_rows else "utf-8"
    try:
        with path.open("w", encoding=encoding or "utf-8", errors=file.errors, newline="") as output:
            yield Rejects(output, file.header)
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror}") from exc


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
