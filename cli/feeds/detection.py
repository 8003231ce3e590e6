"""Which format a file has: told from its content, then from its suffix."""

import json
from pathlib import Path
from typing import Final

from cli.feeds.encodings import Encoding, encoding_of_sample, sample_of
from cli.feeds.google import attribute_name
from cli.feeds.shopify_groups import is_shopify
from cli.feeds.tables import header_of
from cli.products import unknown_columns
from cli.rows import FileError, FileFormat, ReadOptions

_SUFFIXES: Final = {
    ".jsonl": FileFormat.JSONL,
    ".ndjson": FileFormat.JSONL,
    ".csv": FileFormat.CSV,
    ".tsv": FileFormat.CSV,
    ".parquet": FileFormat.PARQUET,
    ".xml": FileFormat.GOOGLE_XML,
    ".rss": FileFormat.GOOGLE_XML,
    ".atom": FileFormat.GOOGLE_XML,
    ".jsonld": FileFormat.JSON_LD,
    ".html": FileFormat.JSON_LD,
    ".htm": FileFormat.JSON_LD,
}
_PARQUET: Final = b"PAR1"
_XML_SIGNS: Final = ("<rss", "<feed", "base.google.com/ns")
_HTML_SIGNS: Final = ("<html", "<!doctype html", "application/ld+json")
_GOOGLE_ONLY: Final = frozenset(
    {
        *("link", "image_link", "additional_image_link", "google_product_category", "product_type", "item_group_id"),
        *("sale_price", "condition", "mpn", "shipping", "identifier_exists", "mobile_link", "age_group"),
    }
)
"""Attributes of Google's specification that are no columns of ours."""


def format_of(path: Path, options: ReadOptions) -> FileFormat:
    """The format of a file.

    Raises:
        FileError: the file cannot be read, or it cannot be told.
    """
    if options.file_format is not None:
        return options.file_format
    sample = sample_of(path)
    if sample.startswith(_PARQUET):
        return FileFormat.PARQUET
    # Signs and names of formats are ASCII, which all encodings that would have to be guessed have in common.
    encoding = encoding_of_sample(sample, options.encoding) or Encoding("utf-8")
    text = sample.decode(encoding.name, "replace").lstrip("\ufeff \t\r\n")
    found = _by_content(text, options) or _SUFFIXES.get(path.suffix.lower()) or _plain_table(text)
    if found is None:
        raise FileError(f"{path}: name the format with --format: {', '.join(FileFormat)}")
    return found


def _by_content(text: str, options: ReadOptions) -> FileFormat | None:
    """The format that a text can only be, if there is one."""
    if options.mapping is None and text.startswith("<"):
        return _markup(text.lower())
    if text.startswith(("{", "[")):
        return _json(text)
    header = header_of(text) if options.mapping is None else ()
    if is_shopify(header):
        return FileFormat.SHOPIFY
    names = {attribute_name(name) for name in header}
    return FileFormat.GOOGLE_TSV if "id" in names and len(names & _GOOGLE_ONLY) >= 2 else None


def _markup(text: str) -> FileFormat | None:
    if any(sign in text[:4096] for sign in _XML_SIGNS):
        return FileFormat.GOOGLE_XML
    return FileFormat.JSON_LD if any(sign in text for sign in _HTML_SIGNS) else None


def _json(text: str) -> FileFormat | None:
    if '"@type"' in text or '"@context"' in text or '"@graph"' in text:
        return FileFormat.JSON_LD
    try:
        is_object = isinstance(json.loads(text.partition("\n")[0]), dict)
    except (ValueError, RecursionError):
        return None
    return FileFormat.JSONL if is_object else None


def _plain_table(text: str) -> FileFormat | None:
    """A table whatever its suffix, if all its columns are ours."""
    header = header_of(text)
    return FileFormat.CSV if len(header) > 1 and "id" in header and not unknown_columns(header) else None
