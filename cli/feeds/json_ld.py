"""Products of schema.org as JSON-LD: a JSON text (object, array, `@graph`, one object a line) or a page of HTML."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from selectolax.lexbor import LexborHTMLParser

from cli.feeds.json_stream import JsonStream, Node, NotJson
from cli.feeds.schema_org import products_in
from cli.feeds.text import Encoding, encoding_of, is_damaged, opened_text, sample_of
from cli.problems import Problem
from cli.rows import BadRow, FileError, FileFormat, ReadOptions, Remarks, Row, RowFile

MAX_PAGE: Final = 16 * 1024 * 1024
"""Characters of a page of HTML, which is held in memory as a whole."""
_SCRIPTS: Final = 'script[type="application/ld+json"]'


@contextmanager
def open_json_ld(path: Path, options: ReadOptions) -> Iterator[RowFile]:
    """The products of a file. Rows have no text of their own, so rejected ones are written as JSON lines of ours."""
    encoding = encoding_of(sample_of(path), options.encoding)
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
    try:
        for node in _nodes(path, text, options):
            for row in products_in(node, remarks):
                yield _checked(row, encoding)
    except NotJson as exc:
        remarks.cut_short = True
        yield BadRow(Problem(exc.line, "", "", "CUT_SHORT", f"not JSON: {exc.description}"))


def _nodes(path: Path, text: TextIO, options: ReadOptions) -> Iterator[Node]:
    beginning = text.read(1024)
    if not beginning.lstrip("\ufeff \t\r\n").startswith("<"):
        yield from JsonStream(_Rejoined(beginning.lstrip("\ufeff"), text).read, options.max_line).nodes()
        return
    page = beginning + text.read(MAX_PAGE)
    if len(page) > MAX_PAGE:
        raise FileError(f"{path}: a page of more than {MAX_PAGE} characters")
    for line, script in _scripts(page):
        try:
            yield from (Node(line + node.line - 1, node.value) for node in _script_nodes(script, options))
        except NotJson as exc:
            raise NotJson(line + exc.line - 1, exc.description) from None


def _scripts(page: str) -> Iterator[tuple[int, str]]:
    at = 0
    for element in LexborHTMLParser(page.encode("utf-8", "replace")).css(_SCRIPTS):
        script = element.text() or ""
        found = page.find(script.strip(), at)
        at = found if found >= 0 else at
        yield page.count("\n", 0, at) + 1, script.strip()


def _script_nodes(script: str, options: ReadOptions) -> Iterator[Node]:
    return JsonStream(_Rejoined(script, None).read, options.max_line).nodes()


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
    if any(isinstance(value, str) and is_damaged(value, encoding) for value in row.values.values()):
        return BadRow(Problem(row.line, "", "", "ENCODING", "the product holds bytes that are not of the encoding"))
    return row
