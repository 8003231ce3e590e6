"""The import of events: rows in batches to the gateway, in the order of the file, one batch after the other.

The next batch is read while one is on its way, and is sent when that one was answered: the gateway sets the pace, and
events of one visitor are stored in the order in which they stand in the file.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cli.events.lines import Place, SourceLine, parsed
from cli.events.rows import Crossed, Crosswalk
from cli.patience import Patience
from cli.problems import FieldError, Problem, Severity
from services.common.errors import ServiceError
from zhiyin.common.v1.user_event_pb2 import EventOutcome, EventResult, UserEvent

MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
MAX_ROW_EVENTS: Final = 500
_ROWS_FOR_AN_EVENT: Final = 20
_CONFLICT: Final = FieldError(
    "event_id", "an event of this id and visitor is stored and says something else", "CONFLICT"
)
Send = Callable[[Sequence[UserEvent]], Awaitable[Sequence[EventResult]]]


@dataclass(frozen=True, slots=True)
class EventRow:
    """One row of the file."""

    line: SourceLine
    events: Sequence[UserEvent] = ()
    problems: Sequence[Problem] = ()
    """Why it is no event, or what its events go in without."""
    skipped: str = ""
    """Its kind, where it is of one that is left out."""

    @property
    def is_bad(self) -> bool:
        """Whether it should be an event, and is none."""
        return not self.events and not self.skipped

    @property
    def bytes(self) -> int:
        """Of its events."""
        return sum(event.ByteSize() for event in self.events)


@dataclass(slots=True)
class EventBatch:
    """Rows that lie beside one another in the file."""

    events: list[UserEvent] = field(default_factory=list)
    rows: list[EventRow] = field(default_factory=list)
    bytes: int = 0

    def is_full_for(self, row: EventRow, batch_size: int) -> bool:
        """Whether a row belongs into the next batch. Rows of other kinds fill one too, so that counts go on."""
        if len(self.rows) >= _ROWS_FOR_AN_EVENT * batch_size:
            return True
        is_more = len(self.events) + len(row.events) > batch_size or self.bytes + row.bytes > MAX_BATCH_BYTES
        return bool(self.events and row.events) and is_more

    def add(self, row: EventRow) -> None:
        """Takes a row in."""
        self.rows.append(row)
        self.events.extend(row.events)
        self.bytes += row.bytes


@dataclass(slots=True)
class EventSummary:
    """What became of the rows so far."""

    rows: int = 0
    accepted: int = 0
    """Events."""
    duplicates: int = 0
    """Events that were there already."""
    conflicts: int = 0
    """Events of whose id another one is there."""
    rejected: int = 0
    """Events that were refused, and rows that are none."""
    warnings: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    position: int = 0
    """Bytes of the file."""

    @property
    def not_in(self) -> int:
        """What did not go in."""
        return self.conflicts + self.rejected


class EventsStopped(Exception):
    """A batch was not answered, and waiting did not help. All lines up to `line` have been."""

    def __init__(self, line: int, cause: ServiceError) -> None:
        super().__init__(f"stopped behind line {line:,}")
        self.line = line
        self.cause = cause


def rows_of(lines: Iterable[SourceLine], crosswalk: Crosswalk) -> Iterator[EventRow]:
    """The rows of a file."""
    for line in lines:
        number = line.end.line
        try:
            made = _crossed(line, crosswalk)
        except FieldError as exc:
            yield EventRow(line, problems=[problem_of(number, exc)])
        else:
            warnings = [problem_of(number, each, Severity.WARNING) for each in made.warnings]
            yield EventRow(line, made.events, warnings, made.skipped)


def batches(rows: Iterable[EventRow], batch_size: int) -> Iterator[EventBatch]:
    """The rows in batches of at most `batch_size` events, unless one row has more."""
    batch = EventBatch()
    for row in rows:
        if batch.is_full_for(row, batch_size):
            yield batch
            batch = EventBatch()
        batch.add(row)
    if batch.rows:
        yield batch


class EventImporter:
    """Sends batches and keeps count."""

    def __init__(
        self,
        send: Send,
        patience: Patience,
        *,
        report: Callable[[Sequence[Problem]], None],
        reject: Callable[[Sequence[SourceLine]], None],
        progress: Callable[[EventSummary], None],
        keep: Callable[[Place], None],
    ) -> None:
        """Sends through `send`, one batch a call.

        Args:
            send: records the events of one batch.
            patience: for how long one batch is tried again, while the service is away or overloaded.
            report: is told the problems, in the order of the file.
            reject: is given the lines that did not go in, in the order of the file.
            progress: is told the counts after each batch.
            keep: is told up to where everything has been answered, after each batch.
        """
        self.summary = EventSummary()
        self._send, self._patience = send, patience
        self._report, self._reject, self._progress, self._keep = report, reject, progress, keep
        self._last = Place()

    async def run(self, source: Iterator[EventBatch]) -> EventSummary:
        """Sends everything.

        Raises:
            EventsStopped: a batch failed for good. Importing again is harmless.
        """
        batch = await asyncio.to_thread(next, source, None)
        while batch is not None:
            reading = asyncio.create_task(asyncio.to_thread(next, source, None))
            try:
                results = await self._results(batch)
            finally:
                # A thread cannot be cancelled: it is waited for, so that nobody reads beside it.
                following = (await asyncio.gather(reading, return_exceptions=True))[0]
            self._settle(batch, results)
            if isinstance(following, BaseException):
                raise following
            batch = following
        return self.summary

    async def _results(self, batch: EventBatch) -> Sequence[EventResult]:
        if not batch.events:
            return ()
        try:
            return await self._patience.call(lambda: self._send(batch.events))
        except ServiceError as exc:
            raise EventsStopped(self._last.line, exc) from exc

    def _settle(self, batch: EventBatch, results: Sequence[EventResult]) -> None:
        summary, answers = self.summary, iter(results)
        problems, bad = list[Problem](), list[SourceLine]()
        for row in batch.rows:
            refusals = [each for _ in row.events for each in self._count(row.line, next(answers))]
            problems += [*row.problems, *refusals]
            summary.rejected += row.is_bad
            summary.warnings += sum(problem.severity is Severity.WARNING for problem in row.problems)
            if row.skipped:
                summary.skipped[row.skipped] += 1
            if row.is_bad or refusals:
                bad.append(row.line)
        self._last = batch.rows[-1].line.end
        summary.rows += len(batch.rows)
        summary.position = self._last.offset
        self._report(problems)
        self._reject(bad)
        self._progress(summary)
        self._keep(self._last)

    def _count(self, line: SourceLine, result: EventResult) -> list[Problem]:
        summary, number = self.summary, line.end.line
        match result.outcome:
            case EventOutcome.EVENT_OUTCOME_ACCEPTED:
                summary.accepted += 1
            case EventOutcome.EVENT_OUTCOME_DUPLICATE:
                summary.duplicates += 1
            case EventOutcome.EVENT_OUTCOME_CONFLICT:
                summary.conflicts += 1
                return [problem_of(number, _CONFLICT)]
            case _:
                summary.rejected += 1
                found = [FieldError(each.field, each.description, each.reason) for each in result.violations]
                return [problem_of(number, each) for each in found or [FieldError("", "was refused", "REJECTED")]]
        return []


def problem_of(line: int, error: FieldError, severity: Severity = Severity.ERROR) -> Problem:
    """A problem of a row of events."""
    return Problem(line, "", error.field, error.reason, error.description, severity=severity)


def _crossed(line: SourceLine, crosswalk: Crosswalk) -> Crossed:
    made = crosswalk(_object(line))
    if len(made.events) > MAX_ROW_EVENTS:
        raise FieldError("", f"has more than {MAX_ROW_EVENTS} events", "TOO_MANY")
    return made


def _object(line: SourceLine) -> dict[str, Any]:
    if line.text is None:
        raise FieldError("", "the line is too long", "TOO_LONG")
    found = parsed(line.text)
    if not isinstance(found, dict):
        raise FieldError("", "is no JSON object in UTF-8", "NOT_JSON")
    return found
