"""The first phase of an import of events: the whole file is read by the service's rules, and nothing is sent."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cli.events.importing import EventRow, problem_of
from cli.events.lines import SourceLine
from cli.problems import FieldError, Problem, Severity
from zhiyin.common.v1.user_event_pb2 import UserEvent

_STEP: Final = 1_000
_MAX_PRODUCTS: Final = 500
Rules = Callable[[UserEvent], Iterator[FieldError]]


@dataclass(slots=True)
class CheckedEvents:
    """What was found so far."""

    rows: int = 0
    events: int = 0
    rejected: int = 0
    """Rows of which something would not go in."""
    skipped: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    """By code, as the warnings are."""
    warnings: Counter[str] = field(default_factory=Counter)
    position: int = 0


def check_events(
    rows: Iterable[EventRow],
    rules: Rules,
    *,
    report: Callable[[Sequence[Problem]], None],
    reject: Callable[[Sequence[SourceLine]], None],
    progress: Callable[[CheckedEvents], None],
) -> CheckedEvents:
    """Reads all rows, and tells of them as the import does."""
    checked = CheckedEvents()
    for row in rows:
        problems = [*row.problems]
        for event in row.events:
            problems.extend(problem_of(row.line.end.line, each) for each in rules(event))
        _count(checked, row, problems)
        report(problems)
        if any(problem.severity is Severity.ERROR for problem in problems):
            checked.rejected += 1
            reject([row.line])
        if checked.rows % _STEP == 0:
            progress(checked)
    progress(checked)
    return checked


def service_event_rules() -> Rules:
    """The rules of feedback, with its default limits; an installation may have others."""
    # Loaded here, because an import without a check needs nothing of the service.
    from services.feedback.config_events import EventSettings  # noqa: PLC0415
    from services.feedback.convert_events import event_batch  # noqa: PLC0415
    from services.feedback.event_rules import EventRules  # noqa: PLC0415
    from zhiyin.feedback.v1.feedback_service_pb2 import RecordedEvent, RecordEventsRequest  # noqa: PLC0415

    rules = EventRules(EventSettings.model_construct().event_limits())

    def violations(event: UserEvent) -> Iterator[FieldError]:
        request = RecordEventsRequest(events=[RecordedEvent(event=event)])
        for sent in event_batch(request, _MAX_PRODUCTS).events:
            for each in rules.violations(sent, int(time.time() * 1_000_000)):
                yield FieldError(each.field, each.description, each.reason)

    return violations


def _count(checked: CheckedEvents, row: EventRow, problems: Sequence[Problem]) -> None:
    checked.rows += 1
    checked.events += len(row.events)
    checked.position = row.line.end.offset
    if row.skipped:
        checked.skipped[row.skipped] += 1
    for problem in problems:
        (checked.errors if problem.severity is Severity.ERROR else checked.warnings)[problem.reason] += 1
