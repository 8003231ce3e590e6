"""How far long work is: a bar with rate and time left, or a line now and then where there is no terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cli.output import NOTES, note

LINE_SECONDS: Final = 10.0
Show = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


@contextmanager
def progress_shown(noun: str) -> Iterator[Show]:
    """Shows on stderr; the rate counts from here, so that of work which another process began is right too."""
    if NOTES.is_terminal:
        with _bar(noun) as show:
            yield show
    else:
        yield _Lines(noun).show


@contextmanager
def _bar(noun: str) -> Iterator[Show]:
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} {task.description}"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=NOTES) as progress:
        task, rate = progress.add_task(noun, total=0, rate=0.0), Rate(time.monotonic())

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, rate=rate.of(done, time.monotonic()))

        yield show


class _Lines:
    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._rate = Rate(time.monotonic())
        self._next = 0.0

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        rate = self._rate.of(done, now)
        if now < self._next:
            return
        self._next = now + LINE_SECONDS
        note(progress_line(done, total, self._noun, rate), "dim")


class Rate:
    """Items a second since the first look. Work that begins anew, with less done than before, is counted anew."""

    def __init__(self, now: float) -> None:
        self._begin = now
        self._first: int | None = None

    def of(self, done: int, now: float) -> float:
        """The rate at `now`, in seconds of any clock that only goes forward."""
        if self._first is None or done < self._first:
            self._begin, self._first = now, done
        return (done - self._first) / max(now - self._begin, 1e-3)


def progress_line(done: int, total: int, noun: str, rate: float) -> str:
    """`1,200 of 4,000 products, 400/s, 7 s left`."""
    left = f", {rate:,.0f}/s, {(total - done) / rate:,.0f} s left" if rate > 0 and done < total else ""
    return f"{done:,} of {total:,} {noun}{left}"
