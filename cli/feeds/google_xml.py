"""Google Merchant product feeds as RSS 2.0 or Atom, read item by item in bounded memory.

A document cannot be read behind the place where it stops being XML: that is one problem, and the items before it count.
"""

import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import DefusedXMLParser  # type: ignore[import-untyped]

from cli.feeds.encodings import Encoding, encoding_of, sample_of
from cli.feeds.google import USED, row_of
from cli.feeds.text import opened_text
from cli.problems import Problem
from cli.rows import BadRow, FileError, FileFormat, ReadOptions, Remarks, Row, RowFile

_CHUNK: Final = 64 * 1024
_ITEMS: Final = frozenset({"item", "entry"})
_GOOGLE: Final = re.compile(r"\{https?://base\.google\.com/ns/1\.0/?", re.IGNORECASE)
"""The namespace of the attributes, as the specification and as shops write it."""
_ATOM: Final = "{http://www.w3.org/2005/Atom"
_NO_ATTRIBUTES: Final = frozenset(
    {"author", "category", "content", "guid", "pubDate", "published", "rights", "source", "updated"}
)
_DECLARED: Final = "encoding="
_MAX_DEPTH: Final = 100
_HALVES: Final = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class _Item:
    line: int
    namespace: str
    """Of the element itself, in which attributes without a prefix are too."""
    own: dict[str, list[str]] = field(default_factory=dict)
    plain: dict[str, list[str]] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    """Elements with a text in other namespaces, as `{namespace}name`."""
    characters: int = 0
    is_too_long: bool = False


class _Items:
    """Target of the parser: collects the attributes of each item, at most `limit` characters of it."""

    def __init__(self, limit: int) -> None:
        self.finished: deque[_Item] = deque()
        self.parser: DefusedXMLParser | None = None
        self.has_moved = False
        self.silence = 0
        self._limit = limit
        self._item: _Item | None = None
        self._path: list[str] = []
        self._item_depth = 0
        self._text: list[str] = []
        self._link = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.has_moved = True
        if len(self._path) >= _MAX_DEPTH:
            raise FileError(f"elements lie more than {_MAX_DEPTH} deep inside one another")
        self._path.append(tag)
        if self._item is None:
            if _local(tag) in _ITEMS:
                self._item, self._item_depth = _Item(self._line(), _namespace(tag)), len(self._path)
            return
        self._item.characters += len(tag)
        if len(self._path) == self._item_depth + 1:
            self._text = []
            self._link = attributes.get("href", "") if attributes.get("rel", "alternate") == "alternate" else ""

    def data(self, data: str) -> None:
        self.has_moved = True
        item = self._item
        if item is None or len(self._path) <= self._item_depth:
            return
        item.characters += len(data)
        if item.characters > self._limit:
            item.is_too_long = True
        else:
            self._text.append(data)

    def end(self, tag: str) -> None:
        depth = len(self._path)
        self._path.pop()
        if self._item is None:
            return
        if depth == self._item_depth:
            self.finished.append(self._item)
            self._item = None
        elif depth == self._item_depth + 1:
            self._keep(self._item, tag, "".join(self._text).strip() or self._link.strip())

    def close(self) -> None:
        """Nothing is left to do."""

    def _keep(self, item: _Item, tag: str, text: str) -> None:
        name, namespace = _local(tag), _namespace(tag)
        if not text:
            return
        if _GOOGLE.fullmatch(namespace):
            item.own.setdefault(name.lower(), []).append(text)
        elif namespace not in {"", _ATOM, item.namespace}:
            item.foreign.append(tag)
        elif name not in _NO_ATTRIBUTES:
            item.plain.setdefault("description" if name == "summary" else name.lower(), []).append(text)

    def _line(self) -> int:
        return int(self.parser.parser.CurrentLineNumber) if self.parser is not None else 0


@contextmanager
def open_google_xml(path: Path, options: ReadOptions) -> Iterator[RowFile]:
    """A feed as XML."""
    encoding = _encoding(path, options)
    with opened_text(path, encoding) as (text, file):
        remarks = Remarks()
        rows = _rows(path, iter(lambda: text.read(_CHUNK), ""), remarks, options)
        yield RowFile(
            path.stat().st_size,
            None,
            rows,
            file.tell,
            FileFormat.GOOGLE_XML,
            encoding.name,
            remarks=remarks,
            hint=encoding.hint,
        )


def _encoding(path: Path, options: ReadOptions) -> Encoding:
    """What the person insists on, the byte order mark, or what the document declares."""
    head = sample_of(path)[:200].decode("ascii", errors="replace")
    if options.encoding is None and head.startswith("<?xml") and _DECLARED in head.partition("?>")[0]:
        declared = head.partition(_DECLARED)[2]
        name = declared[1:].partition(declared[:1])[0]
        if name and "utf-16" not in name.lower():
            try:
                return encoding_of(path, name)
            except FileError:
                raise FileError("the document declares an encoding that is not known; insist with --encoding") from None
    return encoding_of(path, options.encoding)


def _rows(path: Path, chunks: Iterator[str], remarks: Remarks, options: ReadOptions) -> Iterator[Row | BadRow]:
    items = _Items(options.max_line)
    parser = items.parser = DefusedXMLParser(target=items)
    try:
        for chunk in chunks:
            # Expat takes no halves of surrogate pairs, which stand for bytes that are not of the encoding.
            parser.feed(_HALVES.sub("\ufffd", chunk))
            _refuse_endless_token(path, items, len(chunk), options)
            while items.finished:
                yield _row(items.finished.popleft(), remarks, options)
        parser.close()
    except ParseError as exc:
        while items.finished:
            yield _row(items.finished.popleft(), remarks, options)
        remarks.cut_short = True
        line, column = exc.position
        yield BadRow(Problem(line, "", "", "CUT_SHORT", f"not XML from column {column} on"))
    except DefusedXmlException:
        raise FileError(f"{path}: declares entities or refers to other files, which is not accepted") from None


def _refuse_endless_token(path: Path, items: _Items, characters: int, options: ReadOptions) -> None:
    """The parser holds a tag until it ends; a file with one tag of gigabytes is none of a shop."""
    items.silence = 0 if items.has_moved else items.silence + characters
    items.has_moved = False
    if items.silence > options.max_line:
        raise FileError(f"{path}: a tag is longer than {options.max_line} characters")


def _row(item: _Item, remarks: Remarks, options: ReadOptions) -> Row | BadRow:
    if item.is_too_long:
        description = f"the item is longer than {options.max_line} characters"
        return BadRow(Problem(item.line, "", "", "TOO_LONG", description))
    values = {**item.plain, **item.own}
    unused = [*(name for name in values if name not in USED), *item.foreign]
    remarks.unused.update({name: None for name in unused if len(remarks.unused) < 1000})
    if any("\ufffd" in text for texts in values.values() for text in texts):
        return BadRow(Problem(item.line, "", "", "ENCODING", "the item holds bytes that are not of the encoding"))
    return row_of(item.line, values, options)


def _namespace(tag: str) -> str:
    """With the bracket before it; empty where the element is in none."""
    return tag.rpartition("}")[0]


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
