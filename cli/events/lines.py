"""Lines of a file, each with its place and the digest of all that was read up to it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

from cli.rows import MAX_LINE, FileError

_PIECE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was read."""

    offset: int = 0
    """Bytes."""
    line: int = 0
    """Lines."""
    digest: str = ""
    """SHA-256 of these bytes, hexadecimal; empty at the beginning."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One line that is not blank."""

    text: bytes | None
    """With its line end; None where it is too long."""
    end: Place
    """Behind it."""


class EventLines:
    """An open file. Memory does not grow with it."""

    def __init__(self, file: BinaryIO, max_line: int = MAX_LINE) -> None:
        self._file = file
        self._max_line = max_line
        self._digest = hashlib.sha256()
        self._offset = 0
        self._line = 0

    def go_to(self, place: Place) -> bool:
        """Goes behind a place that was reached before; False where the file is not the same up to it."""
        self._start()
        while self._offset < place.offset:
            piece = self._file.read(min(_PIECE, place.offset - self._offset))
            if not piece:
                break
            self._take(piece)
        if place.offset and (self._offset != place.offset or self._digest.hexdigest() != place.digest):
            self._start()
            return False
        self._line = place.line
        return True

    def __iter__(self) -> Iterator[SourceLine]:
        while line := self._file.readline(self._max_line + 1):
            self._take(line)
            self._line += 1
            is_too_long = len(line) > self._max_line
            if is_too_long and not line.endswith(b"\n"):
                self._skip_rest()
            if line.strip():
                yield SourceLine(None if is_too_long else line, self._place())

    def _skip_rest(self) -> None:
        while (piece := self._file.readline(_PIECE)) and not piece.endswith(b"\n"):
            self._take(piece)
        self._take(piece)

    def _take(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._offset += len(piece)

    def _place(self) -> Place:
        return Place(self._offset, self._line, self._digest.hexdigest())

    def _start(self) -> None:
        self._file.seek(0)
        self._digest, self._offset, self._line = hashlib.sha256(), 0, 0


def open_events(path: Path) -> BinaryIO:
    """The file.

    Raises:
        FileError: it cannot be read, or is compressed.
    """
    try:
        file = path.open("rb")
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror}") from exc
    if file.read(2) == b"\x1f\x8b":
        file.close()
        raise FileError(f"{path}: is compressed; unpack it first: gunzip --keep {path.name}")
    file.seek(0)
    return file


def first_objects(path: Path, count: int) -> list[Any]:
    """Up to `count` JSON objects from the beginning of a file.

    Raises:
        FileError: it cannot be read.
    """
    found: list[Any] = []
    with open_events(path) as file:
        for place, line in enumerate(EventLines(file)):
            made = parsed(line.text) if line.text is not None else None
            if isinstance(made, dict):
                found.append(made)
            if len(found) == count or place > 10 * count:
                break
    return found


def parsed(text: bytes) -> Any:
    """A line of JSON, numbers with a point as Decimal; None where it is none, or not UTF-8."""
    try:
        return json.loads(text.decode("utf-8-sig"), parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        return None
