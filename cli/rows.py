"""What a file of products is to the import, whatever its format: rows, each with its place in the file.

A row that cannot be read becomes a BadRow, and reading goes on behind it. Only a file that cannot be read at all
raises.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from cli.problems import FieldError, Problem

MAX_LINE: Final = 4 * 1024 * 1024
"""Longest line of JSON, cell of a table and element of XML, in characters. A product at all its limits is far below."""


class FileFormat(StrEnum):
    """How a file of products is written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    GOOGLE_TSV = "google-tsv"
    GOOGLE_XML = "google-xml"
    SHOPIFY = "shopify"
    JSON_LD = "json-ld"


class NumberStyle(StrEnum):
    """Which sign of a written amount is the decimal one."""

    UNSAID = "unsaid"
    """Read from each amount; one that can be read in two ways is a problem."""
    POINT = "point"
    COMMA = "comma"


class FileError(Exception):
    """The file as a whole cannot be read."""


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How the columns of a shop's own file become fields."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Field by column of the file."""
    constants: Mapping[str, Any] = field(default_factory=dict)
    """Value of a field in every row."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Value of a field where a row has none."""
    ignored: frozenset[str] = frozenset()
    """Columns that are left out."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a person can say about a file that does not stand in it."""

    file_format: FileFormat | None = None
    """None = told from the content, then from the suffix."""
    encoding: str | None = None
    """None = told from the content."""
    mapping: FieldMapping | None = None
    numbers: NumberStyle = NumberStyle.UNSAID
    currency: str = ""
    """Of amounts that name none."""
    region: str = ""
    """Of offers that name none."""
    drop_bad_gtin: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When a sale price has to be in effect."""
    max_line: int = MAX_LINE


@dataclass(frozen=True, slots=True)
class Raw:
    """Lines of a text file, as they stand there."""

    line: int
    """The first one's number."""
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One product as the file gives it, under the names of our columns; a column without a value is left out."""

    line: int
    values: Mapping[str, Any]
    columns: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Column of the file by ours, where they differ."""
    raw: Raw | None = field(default=None, compare=False)
    """None where the file is no table and no JSON lines."""
    errors: tuple[FieldError, ...] = field(default=(), compare=False)
    """What the reader of the format found wrong; the field is one of our columns."""
    warnings: tuple[FieldError, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read."""

    problem: Problem
    raw: Raw | None = field(default=None, compare=False)

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.problem.line


@dataclass(slots=True)
class Remarks:
    """What reading a file brought to light beside its rows; complete once the rows are read."""

    unused: dict[str, None] = field(default_factory=dict)
    """Columns of a feed that no field of a product holds, in the order of their appearance."""
    skipped: int = 0
    """Products that the shop does not offer: drafts, archived and unpublished ones."""
    cut_short: bool = False
    """Whether the file could not be read to its end."""


@dataclass(frozen=True, slots=True)
class RowFile:
    """An open file of products."""

    size: int
    """Bytes of a text file, rows of a Parquet file."""
    columns: tuple[str, ...] | None
    """Names of our columns; None where each row has its own."""
    rows: Iterator[Row | BadRow]
    position: Callable[[], int]
    """How much of `size` has been read."""
    file_format: FileFormat = FileFormat.JSONL
    encoding: str = ""
    """Of a text file; empty for Parquet."""
    header: str | None = None
    """First lines of a table, as they stand there; None where rejected rows need none."""
    fields: tuple[str, ...] | None = None
    """Fields that the file's columns speak of, `offers.price` for those of offers; None where `columns` say it."""
    remarks: Remarks = field(default_factory=Remarks)
    hint: str = ""
    """What a person should know before the rows are read."""

    @property
    def copies_rows(self) -> bool:
        """Whether rows have the text that they stand as in the file."""
        return self.file_format in _WITH_TEXT

    @property
    def errors(self) -> str:
        """Handler of characters that the encoding lacks, for copies of rows."""
        return (
            "replace" if not self.copies_rows or self.encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
        )


_WITH_TEXT: Final = frozenset({FileFormat.JSONL, FileFormat.CSV, FileFormat.GOOGLE_TSV, FileFormat.SHOPIFY})
