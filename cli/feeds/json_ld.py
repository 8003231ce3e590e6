"""Products of schema.org as JSON-LD: a JSON text (object, array, `@graph`, one object a line) or a page of HTML."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from selectolax.lexbor import LexborHTMLParser

from cli.feeds.encodings import Encoding, encoding_of
from cli.feeds.json_stream import JsonStream, Node, NotJson
from cli.feeds.schema_org import products_in
from cli.feeds.text import is_damaged, opened_text
from cli.problems import Problem
from cli.rows import BadRow, FileError, FileFormat, ReadOptions, Remarks, Row, RowFile

MAX_PAGE: Final = 16 * 1024 * 1024
"""Characters of a page of HTML, which is held in memory as a whole."""
_SCRIPTS: Final = 'script[type^="application/ld+json" i]'
_OPENING: Final = re.compile(r"(?://|/\*)?\s{0,4}(?:<!\[CDATA\[|<!--)\s{0,4}(?:\*/)?")
_CLOSING: Final = re.compile(r"(?://|/\*)?\s{0,4}(?:\]\]>|-->)\s{0,4}(?:\*/)?\Z")
_CLOSING_CHARACTERS: Final = 16
_HALVES: Final = re.compile("[\ud800-\udfff]")
_UNICODE: Final = Encoding("utf-16")
"""Stands for any in which a byte that does not belong is U+FFFD."""


@contextmanager
def open_json_ld(path: Path, options: ReadOptions) -> Iterator[RowFile]:
    """The products of a file. Rows have no text of their own, so rejected ones are written as JSON lines of ours."""
    encoding = encoding_of(path, options.encoding)
    with opened_text(path, encoding) as (text, file):
        remarks = Remarks()
        yield RowFile(
            path.stat().st_size,
            None,
            _rows(path, text, encoding, remarks, options),
            file.tell,
            FileFormat.JSON_LD,
            encoding.name,
            remarks=remarks,
            hint=encoding.hint,
        )


def _rows(
    path: Path, text: TextIO, encoding: Encoding, remarks: Remarks, options: ReadOptions
) -> Iterator[Row | BadRow]:
    beginning = text.read(1024)
    if beginning.lstrip("\ufeff \t\r\n").startswith("<"):
        page = beginning + text.read(MAX_PAGE)
        if len(page) > MAX_PAGE:
            raise FileError(f"{path}: a page of more than {MAX_PAGE} characters")
        yield from _rows_of_page(page, remarks, options)
        return
    stream = JsonStream(_Rejoined(beginning.lstrip("\ufeff"), text).read, options.max_line)
    try:
        for node in stream.nodes():
            for row in products_in(node, remarks):
                yield _checked(row, encoding)
    except NotJson as exc:
        remarks.cut_short = True
        yield BadRow(Problem(exc.line, "", "", "CUT_SHORT", f"not JSON: {exc.description}"))


def _rows_of_page(page: str, remarks: Remarks, options: ReadOptions) -> Iterator[Row | BadRow]:
    """The products of a page's scripts, of which a broken one spoils no other."""
    # The parser takes no halves of surrogate pairs, which stand for bytes that are not of the encoding.
    for line, script in _scripts(_HALVES.sub("\ufffd", page)):
        try:
            for node in JsonStream(_Rejoined(script, None).read, options.max_line).nodes():
                for row in products_in(Node(line + node.line - 1, node.value), remarks):
                    yield _checked(row, _UNICODE)
        except NotJson as exc:
            place = line + exc.line - 1
            yield BadRow(Problem(place, "", "", "NOT_JSON", f"the script is not JSON: {exc.description}"))


def _scripts(page: str) -> Iterator[tuple[int, str]]:
    """Line and content of each script."""
    at = 0
    for element in LexborHTMLParser(page.encode()).css(_SCRIPTS):
        script = _unwrapped((element.text() or "").strip())
        found = page.find(script, at)
        at = found if found >= 0 else at
        yield page.count("\n", 0, at) + 1, script
        at += len(script)


def _unwrapped(script: str) -> str:
    """A script without what hides it from readers of XML and from old browsers: `//<![CDATA[`, `<!--`."""
    opening = _OPENING.match(script)
    if opening is None:
        return script
    bare = script[opening.end() :]
    rest, ending = bare[:-_CLOSING_CHARACTERS], bare[-_CLOSING_CHARACTERS:]
    return f"{rest}{_CLOSING.sub('', ending)}".strip()


class _Rejoined:
    """A text whose beginning has been read already."""

    def __init__(self, beginning: str, rest: TextIO | None) -> None:
        self._beginning = beginning
        self._rest = rest

    def read(self, characters: int) -> str:
        if self._beginning:
            piece, self._beginning = self._beginning, ""
            return piece
        return self._rest.read(characters) if self._rest is not None else ""


def _checked(row: Row, encoding: Encoding) -> Row | BadRow:
    if any(is_damaged(text, encoding) for value in row.values.values() for text in _texts(value)):
        return BadRow(Problem(row.line, "", "", "ENCODING", "the product holds bytes that are not of the encoding"))
    return row


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
