"""Names of WAL segments, and which of them an archive lacks.

A segment's name is 24 hex digits: timeline, then the number of the segment as a 64-bit position divided by the
segment's size (Postgres, `XLogFileName`). `pg_receivewal` adds `.partial` to the one that it is writing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PARTIAL = ".partial"
_NAME = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})")


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One segment of a timeline; `number` counts from the beginning of the cluster's WAL."""

    timeline: int
    number: int
    bytes: int
    """Size of every segment of the cluster."""

    @classmethod
    def holding(cls, timeline: int, lsn: str, size: int) -> "Segment":
        """The segment that holds a position, written as Postgres does: `16/B374D848`."""
        high, low = (int(part, 16) for part in lsn.split("/"))
        return cls(timeline, ((high << 32) + low) // size, size)

    @classmethod
    def named(cls, name: str, size: int) -> "Segment | None":
        """The segment of a file, `.partial` or not; None where the file is none."""
        match = _NAME.fullmatch(name.removesuffix(PARTIAL))
        if match is None:
            return None
        timeline, high, low = (int(part, 16) for part in match.groups())
        return cls(timeline, high * _per_high_word(size) + low, size)

    @property
    def name(self) -> str:
        """Name of its file."""
        high, low = divmod(self.number, _per_high_word(self.bytes))
        return f"{self.timeline:08X}{high:08X}{low:08X}"

    @property
    def following(self) -> "Segment":
        """The next one of the timeline."""
        return Segment(self.timeline, self.number + 1, self.bytes)


@dataclass(frozen=True, slots=True)
class Archive:
    """Segments at hand; a segment that is being written counts, as far as it is written."""

    files: dict[Segment, Path]

    @classmethod
    def of(cls, directories: Iterable[Path], size: int) -> "Archive":
        """All segments in `directories`; where two hold the same, the complete one, then the first.

        A `.partial` that has not its full size holds nothing yet: its writer was killed while filling it with zeros.
        """
        files: dict[Segment, Path] = {}
        for directory in directories:
            for path in sorted(directory.glob("*")):
                segment = Segment.named(path.name, size)
                if segment is None or path.stat().st_size != size:
                    continue
                if segment not in files or (is_partial(files[segment]) and not is_partial(path)):
                    files[segment] = path
        return cls(files)

    def unbroken_from(self, first: Segment) -> list[Segment]:
        """The segments from `first` on, up to the first that is missing."""
        run, segment = [], first
        while segment in self.files:
            run.append(segment)
            segment = segment.following
        return run

    def first_missing_from(self, first: Segment) -> Segment | None:
        """The first segment from `first` on that is missing although a later one is there."""
        run = self.unbroken_from(first)
        following = run[-1].following if run else first
        later = any(s.timeline == first.timeline and s > following for s in self.files)
        return following if later else None


def is_partial(path: Path) -> bool:
    """Whether the file is the segment that is being written."""
    return path.name.endswith(PARTIAL)


def _per_high_word(size: int) -> int:
    return 0x1_0000_0000 // size
