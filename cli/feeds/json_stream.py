"""The nodes of a JSON text one by one, in bounded memory: of an array, of the `@graph` of an object, or of lines."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

_CHUNK: Final = 64 * 1024
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_LISTS: Final = frozenset({"@graph", "itemListElement"})


class NotJson(Exception):
    """The text is not JSON from a place on.

    Attributes:
        line: of that place; the first one is 1.
        description: for people; never holds the text.
    """

    def __init__(self, line: int, description: str) -> None:
        super().__init__(f"line {line}: {description}")
        self.line = line
        self.description = description


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value, and the line that it begins on."""

    line: int
    value: Any


class JsonStream:
    """Reads a text piece by piece and holds one node of it at a time."""

    def __init__(self, read: Callable[[int], str], limit: int) -> None:
        """`read` gives the next characters; no node has more than `limit` of them."""
        self._read = read
        self._limit = limit
        self._text = ""
        self._at = 0
        self._line = 1
        self._is_over = False
        # Line breaks inside of texts are against the standard, and common in pages.
        self._decoder = json.JSONDecoder(strict=False, parse_float=Decimal, parse_constant=_refuse_constant)

    def nodes(self) -> Iterator[Node]:
        """Every node; the elements of an array at the top one by one, and so those of an object's `@graph`.

        Raises:
            NotJson: the rest cannot be read.
        """
        while sign := self._sign():
            if sign == "[":
                yield from self._elements()
            elif sign == "{":
                yield from self._members()
            else:
                yield self._node()

    def _elements(self) -> Iterator[Node]:
        self._at += 1
        if self._sign() == "]":
            self._at += 1
            return
        while True:
            yield self._node()
            if self._expect(",]") == "]":
                return

    def _members(self) -> Iterator[Node]:
        """An object at the top: its lists of nodes one by one, then the rest as a node of its own."""
        line, kept, size = self._line_here(), {}, 0
        self._at += 1
        if self._sign() == "}":
            self._at += 1
            return
        while True:
            name = self._node().value
            self._expect(":")
            if name in _LISTS and self._sign() == "[":
                yield from self._elements()
            elif isinstance(name, str):
                before = self._line_here()
                node = self._node()
                kept[name] = node.value
                size += self._size
            else:
                raise self._not_json("a name of a member is no text")
            if size > self._limit:
                raise NotJson(before, f"an object is longer than {self._limit} characters")
            if self._expect(",}") == "}":
                break
        if kept.keys() - {"@context"}:
            yield Node(line, kept)

    def _node(self) -> Node:
        self._sign()
        line = self._line_here()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as exc:
                if self._is_over:
                    raise self._not_json(exc.msg, exc.pos) from None
            except (ValueError, RecursionError):
                raise self._not_json("NaN, an infinity, an endless number or too deep") from None
            else:
                # A number at the end of the piece may go on in the next one.
                if end < len(self._text) or self._is_over:
                    self._size = end - self._at
                    self._at = end
                    return Node(line, value)
            if len(self._text) - self._at > self._limit:
                raise self._not_json(f"a value is longer than {self._limit} characters, or broken off")
            self._more(max(_CHUNK, len(self._text) - self._at))

    def _sign(self) -> str:
        """The next sign that is not blank, which stays; empty at the end."""
        while True:
            match = _BLANK.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._is_over:
                return ""
            self._more(_CHUNK)

    def _expect(self, signs: str) -> str:
        found = self._sign()
        if not found or found not in signs:
            raise self._not_json(f"expected one of {' '.join(signs)}")
        self._at += 1
        return found

    def _more(self, characters: int) -> None:
        piece = self._read(characters)
        self._is_over = not piece
        self._line += self._text.count("\n", 0, self._at)
        self._text = self._text[self._at :] + piece
        self._at = 0

    def _line_here(self) -> int:
        return self._line + self._text.count("\n", 0, self._at)

    def _not_json(self, description: str, position: int | None = None) -> NotJson:
        place = self._at if position is None else position
        return NotJson(self._line + self._text.count("\n", 0, place), description)


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
