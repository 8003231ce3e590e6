"""Text of a file: its lines, in bounded memory, and whether bytes of it are not of the encoding."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from cli.feeds.encodings import Encoding, reading

_DAMAGE: Final = {"surrogateescape": re.compile("[\ud800-\udfff]"), "replace": re.compile("\ufffd")}


class LineTooLong(Exception):
    """A line goes beyond the limit. It has been skipped, and the next one can be read."""


class Lines:
    """The lines of a text, counted."""

    def __init__(self, text: io.TextIOBase, limit: int) -> None:
        """No line has more than `limit` characters."""
        self.number = 0
        self._text = text
        self._limit = limit

    def read(self) -> str:
        """The next line with its end; empty at the end of the text.

        Raises:
            LineTooLong: the line is longer than the limit.
        """
        line = self._text.readline(self._limit + 1)
        if line:
            self.number += 1
        if len(line) > self._limit:
            while line and not line.endswith("\n"):
                line = self._text.readline(self._limit)
            raise LineTooLong(f"the line is longer than {self._limit} characters")
        return line


def is_damaged(text: str, encoding: Encoding) -> bool:
    """Whether a text holds what stands for bytes that are not of the encoding."""
    return not text.isascii() and _DAMAGE[encoding.errors].search(text) is not None


@contextmanager
def opened_text(path: Path, encoding: Encoding, newline: str = "") -> Iterator[tuple[io.TextIOWrapper, BinaryIO]]:
    """The text of a file, and the file itself for its position. `newline` as in `open`.

    Raises:
        FileError: the file cannot be opened.
    """
    with reading(path), path.open("rb") as file:
        yield io.TextIOWrapper(file, encoding=encoding.name, errors=encoding.errors, newline=newline), file
