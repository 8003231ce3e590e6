"""Which format a file of events has, told from its first rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cli.events.ga4 import Ga4
from cli.events.lines import first_objects
from cli.events.own import crossed
from cli.events.rows import Crosswalk, EventFormat
from cli.events.segment import Segment
from cli.rows import FileError

LOOKED_AT: Final = 50
_SEGMENT_CALLS: Final = ("track", "page", "screen", "identify", "group", "alias")
_OURS: Final = ({"visitorId", "type"}, {"visitor_id", "type"})


def format_of(path: Path) -> EventFormat:
    """The format of the first row that shows one.

    Raises:
        FileError: the file cannot be read, or none of its first rows shows what it is.
    """
    for row in first_objects(path, LOOKED_AT):
        if (found := _format_of(row)) is not None:
            return found
    raise FileError(f"{path}: its first rows are no events that are known here; name the format with --format")


def crosswalk(file_format: EventFormat, currency: str) -> Crosswalk:
    """How rows of a format become events; `currency` is that of amounts that name none."""
    if file_format is EventFormat.GA4:
        return Ga4(currency).crossed
    return Segment(currency).crossed if file_format is EventFormat.SEGMENT else crossed


def _format_of(row: Mapping[str, Any]) -> EventFormat | None:
    if "event_name" in row and "event_timestamp" in row:
        return EventFormat.GA4
    if row.get("type") in _SEGMENT_CALLS and ("anonymousId" in row or "userId" in row):
        return EventFormat.SEGMENT
    return EventFormat.JSONL if any(names <= row.keys() for names in _OURS) else None
