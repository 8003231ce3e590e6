"""The log of erasures: files outside the database that only grow, one for each process."""

import asyncio
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from services.common.errors import Unavailable
from services.feedback.erasure import LoggedErasure

_SUFFIX: Final = ".erasures.jsonl"


class NoErasureLog:
    """An ErasureLog that keeps nothing: whoever restores a backup must know himself what was erased since."""

    async def append(self, erasure: LoggedErasure) -> None:
        """As ErasureLog."""


class DirectoryErasureLog:
    """An ErasureLog in a directory that several processes may share. Each line is one erasure."""

    def __init__(self, directory: Path) -> None:
        """The directory is made when it is first needed."""
        self._directory = directory
        self._file = _new_file(directory)
        self._turn = asyncio.Lock()

    async def append(self, erasure: LoggedErasure) -> None:
        """As ErasureLog."""
        async with self._turn:
            try:
                await asyncio.to_thread(self._write, _line(erasure))
            except OSError as exc:
                # What was written of the line stays the end of its file.
                self._file = _new_file(self._directory)
                message = "the log of erasures cannot be written"
                raise Unavailable(message, reason="ERASURE_LOG_UNAVAILABLE", retry_after=1.0) from exc

    def _write(self, line: str) -> None:
        is_new = not self._file.exists()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._file.open("a", encoding="ascii") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            _sync(self._directory)


def _new_file(directory: Path) -> Path:
    return directory / f"{uuid4().hex}{_SUFFIX}"


def logged_erasures(directory: Path) -> Iterator[LoggedErasure]:
    """All erasures of a log. A line that was cut off by a crash belongs to one that was never answered OK.

    Raises:
        OSError: the directory cannot be read.
        ValueError: a file holds something else.
    """
    for path in sorted(directory.glob(f"*{_SUFFIX}")):
        for line in path.read_text(encoding="ascii").splitlines(keepends=True):
            if line.endswith("\n"):
                yield _erasure(line)


def _line(erasure: LoggedErasure) -> str:
    said = {
        "erasure_id": str(erasure.erasure_id),
        "erase_time": erasure.erase_time.isoformat(),
        "marks": [mark.hex() for mark in erasure.marks],
    }
    return json.dumps(said) + "\n"


def _erasure(line: str) -> LoggedErasure:
    try:
        said = json.loads(line)
        marks = [bytes.fromhex(mark) for mark in said["marks"]]
        return LoggedErasure(UUID(said["erasure_id"]), datetime.fromisoformat(said["erase_time"]), marks)
    except (KeyError, TypeError) as exc:
        raise ValueError("a line of the log is no erasure") from exc


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
