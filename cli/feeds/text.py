"""Text of a file: which encoding it is in, and its lines, in bounded memory.

The encoding is never guessed silently. A byte order mark or valid UTF-8 decides; otherwise the bytes have to fit one
reading only among the encodings that shops use, and the import says which. Where they fit several, the file is read as
UTF-8, rows with other bytes are refused, and the hint names the candidates.
"""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from charset_normalizer import from_bytes

from cli.rows import FileError

SAMPLE_BYTES: Final = 256 * 1024
_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CANDIDATES: Final = ("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1252", "cp1250", "cp1251")
_EVIDENCE_BYTES: Final = 32
"""Fewer bytes beyond ASCII fit too many encodings."""
_MESS: Final = 0.1
"""How much messier (charset-normalizer's chaos, 0 to 1) a second reading has to be to be dismissed."""
_DAMAGE: Final = {"surrogateescape": re.compile("[\ud800-\udfff]"), "replace": re.compile("\ufffd")}
_MULTI_BYTE: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


class LineTooLong(Exception):
    """A line goes beyond the limit. It has been skipped, and the next one can be read."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file's bytes are read."""

    name: str
    """A codec of Python."""
    hint: str = ""
    """What a person has to know about it."""

    @property
    def errors(self) -> str:
        """Handler of bytes that do not belong: each spoils its own row only."""
        return "replace" if self.name.startswith(("utf-16", "utf-32")) else "surrogateescape"


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


def encoding_of(sample: bytes, insisted: str | None) -> Encoding:
    """The encoding of a file that begins with `sample`.

    Raises:
        FileError: `insisted` names none.
    """
    if insisted is not None:
        return _named(insisted)
    for mark, name in _MARKS.items():
        if sample.startswith(mark):
            return Encoding(name)
    if zeros := _utf16_without_mark(sample):
        return Encoding(zeros, f"read as {zeros}, which has no byte order mark")
    if is_utf8(sample) or _is_damaged_utf8(sample):
        return Encoding("utf-8")
    return _guessed(sample)


def is_utf8(sample: bytes) -> bool:
    """Whether bytes, possibly cut in the middle of a character, are UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


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


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Errors of the file system, and of bytes that no handler of errors accepts, as FileError."""
    try:
        yield
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror or exc}") from exc
    except UnicodeError:
        raise FileError(f"{path}: not text of that encoding; name the right one with --encoding") from None


def sample_of(path: Path) -> bytes:
    """The first bytes of a file.

    Raises:
        FileError: it cannot be read.
    """
    with reading(path), path.open("rb") as file:
        return file.read(SAMPLE_BYTES)


def _named(name: str) -> Encoding:
    try:
        "".encode(name)
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        raise FileError("--encoding: no encoding of that name; examples are utf-8, cp1252, gb18030") from None
    return Encoding("utf-8-sig" if found == "utf-8" else found)


def _utf16_without_mark(sample: bytes) -> str:
    """Markup and names of columns are ASCII, every other byte of which is zero in UTF-16."""
    head = sample[:8]
    if len(head) == 8 and not any(head[1::2]) and all(head[::2]):
        return "utf-16-le"
    if len(head) == 8 and not any(head[::2]) and all(head[1::2]):
        return "utf-16-be"
    return ""


def _is_damaged_utf8(sample: bytes) -> bool:
    """Other encodings have a few sequences of bytes that UTF-8 has too, but never nine in ten."""
    strange = sum(byte > 0x7F for byte in _MULTI_BYTE.sub(b"", sample))
    return 10 * strange < sum(byte > 0x7F for byte in sample)


def _guessed(sample: bytes) -> Encoding:
    if sum(byte > 0x7F for byte in sample) < _EVIDENCE_BYTES:
        return Encoding("utf-8", "some bytes are not UTF-8; --encoding names another encoding")
    matches = list(from_bytes(sample, cp_isolation=list(_CANDIDATES)))
    close = [match for match in matches if match.chaos <= matches[0].chaos + _MESS]
    if len({str(match) for match in close}) == 1:
        return Encoding(close[0].encoding, f"not UTF-8; read as {close[0].encoding}, --encoding names another one")
    names = " or ".join(sorted(match.encoding for match in close)) or "no encoding that is known here"
    return Encoding("utf-8", f"not UTF-8 throughout, it may be {names}: name the encoding with --encoding")
