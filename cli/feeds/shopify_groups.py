"""Shopify's product CSV: the names of its columns, old and new, and its rows grouped by handle.

All rows of a handle stand together: the first one holds the product and its first variant, the others a variant or an
image each. A handle that comes back later in the file is refused, because its title would be missing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from cli.feeds.tables import Record, Table
from cli.problems import Problem
from cli.rows import BadRow, FileError, Raw

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "handle": ("handle", "url handle"),
    "title": ("title",),
    "body": ("body (html)", "description"),
    "vendor": ("vendor",),
    "category": ("product category", "standardized product type"),
    "type": ("type", "custom product type"),
    "tags": ("tags",),
    "published": ("published", "published on online store"),
    "status": ("status",),
    "option1 name": ("option1 name",),
    "option1 value": ("option1 value",),
    "option2 name": ("option2 name",),
    "option2 value": ("option2 value",),
    "option3 name": ("option3 name",),
    "option3 value": ("option3 value",),
    "sku": ("variant sku", "sku"),
    "barcode": ("variant barcode", "barcode"),
    "price": ("variant price", "price"),
    "compare": ("variant compare at price", "compare-at price", "compare at price"),
    "quantity": ("variant inventory qty", "inventory quantity"),
    "policy": ("variant inventory policy", "continue selling when out of stock"),
    "tracker": ("variant inventory tracker", "inventory tracker"),
    "image": ("image src", "product image url"),
    "image position": ("image position",),
    "variant image": ("variant image", "variant image url"),
}
_COLUMN: Final = {name: ours for ours, names in _NAMES.items() for name in names}
_SIGNS: Final = frozenset({"body", "vendor", "option1 name", "option1 value", "sku", "price", "published", "image"})
"""A table with a handle and some of these is one of Shopify."""
_VARIANT: Final = ("option1 value", "sku", "price", "barcode", "quantity")
"""A row with none of these is an image only."""
MAX_GROUP: Final = 5_000
"""Rows of one handle: Shopify allows 2,048 variants, and an image has a row of its own."""


@dataclass(frozen=True, slots=True)
class ShopifyRow:
    """One row under the short names of this module."""

    line: int
    cells: Mapping[str, str]
    raw: Raw

    @property
    def is_variant(self) -> bool:
        """Whether it holds more than an image."""
        return any(self.cells.get(name) for name in _VARIANT)


@dataclass(frozen=True, slots=True)
class Group:
    """All rows of one handle."""

    handle: str
    rows: tuple[ShopifyRow, ...]
    columns: Mapping[str, str]
    """Name of the file's column by the short name. One that is missing is not an empty cell."""

    def has(self, name: str) -> bool:
        """Whether the file has the column."""
        return name in self.columns

    @property
    def raw(self) -> Raw:
        """The rows as they stand in the file."""
        return Raw(self.rows[0].line, "".join(row.raw.text for row in self.rows))


def is_shopify(header: Iterable[str]) -> bool:
    """Whether columns are those of Shopify's product CSV."""
    found = {_COLUMN.get(_normal(name)) for name in header}
    return "handle" in found and len(found & _SIGNS) >= 2


def _normal(name: str) -> str:
    return re.sub(r"\s+", " ", name.strip().lower())


def columns_of(path: Path, header: tuple[str, ...]) -> dict[str, str]:
    """The file's columns by their short names.

    Raises:
        FileError: two columns stand for one thing, or there is none for the handle.
    """
    found: dict[str, str] = {}
    for name in header:
        ours = _COLUMN.get(_normal(name))
        if ours is not None:
            if ours in found:
                raise FileError(f"{path}: two columns for one thing: `{found[ours]}` and `{name}`")
            found[ours] = name
    if "handle" not in found:
        raise FileError(f"{path}: there is no column `Handle` or `URL handle`")
    return found


def groups_of(table: Table, columns: Mapping[str, str]) -> Iterator[Group | BadRow]:
    """The rows of a table by handle; rows that belong to no group are bad ones."""
    seen: set[int] = set()
    for handle, entries in groupby(_rows(table, columns), key=lambda entry: entry[0]):
        rows = (row for _, row in entries)
        if not handle:
            yield from (row if isinstance(row, BadRow) else _bad(row, "REQUIRED", "has no handle") for row in rows)
        elif hash(handle) in seen:
            yield from (row if isinstance(row, BadRow) else _again(row) for row in rows)
        else:
            yield from _group(handle, rows, columns)
            # A hash of 64 bits each, so that a file of a million handles fits into memory.
            seen.add(hash(handle))


def _group(handle: str, entries: Iterator[ShopifyRow | BadRow], columns: Mapping[str, str]) -> Iterator[Group | BadRow]:
    """The group, if all its rows can be read: a missing one would move the places of variants."""
    rows: list[ShopifyRow] = []
    is_whole = True
    for row in entries:
        if isinstance(row, BadRow):
            is_whole = False
            yield row
        elif len(rows) >= MAX_GROUP:
            yield _bad(row, "TOO_MANY", f"more than {MAX_GROUP:,} rows of one handle")
        else:
            rows.append(row)
    group = Group(handle, tuple(rows), columns)
    if is_whole:
        yield group
    elif rows:
        problem = Problem(rows[0].line, "", "", "INCOMPLETE", "another row of its handle cannot be read")
        yield BadRow(problem, group.raw)


def _rows(table: Table, columns: Mapping[str, str]) -> Iterator[tuple[str, ShopifyRow | BadRow]]:
    """Each row with its handle. One that cannot be read is taken to belong to the handle before it."""
    handle = ""
    for record in table.records:
        if isinstance(record, Record):
            named = record.cells
            cells = {ours: named[name].strip() for ours, name in columns.items()}
            handle = cells["handle"]
            yield handle, ShopifyRow(record.line, cells, record.raw)
        else:
            yield handle, record


def _again(row: ShopifyRow) -> BadRow:
    return _bad(row, "HANDLE_AGAIN", "its handle has occurred before, with other handles in between")


def _bad(row: ShopifyRow, reason: str, description: str) -> BadRow:
    return BadRow(Problem(row.line, "", "id", reason, description, "Handle"), row.raw)
