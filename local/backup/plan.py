"""What a restore is made of, and whether it can be done at all."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local.backup.directory import BackupDirectory, BaseBackup
from local.backup.wal import Segment, is_partial
from local.processes import LocalError

SPARE_BYTES = 64 * 1024 * 1024
"""Room for what the replay itself writes, beside the copies."""


IN_THE_MAKING = ".restoring"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore is made of."""

    base: BaseBackup
    time: datetime | None
    """Restore what was committed until then; None = everything at hand."""
    segments: dict[Segment, Path]
    """All WAL that there is without a gap."""
    missing: Segment | None
    """The segment at which the gap begins, where there is one."""

    @property
    def bytes(self) -> int:
        """Room that the copies take."""
        return self.base.bytes + sum(segment.bytes for segment in self.segments)

    @property
    def last_complete(self) -> Segment | None:
        """The last segment that was written to its end."""
        return max((segment for segment, path in self.segments.items() if not is_partial(path)), default=None)


def require_fresh(target: Path, server: str) -> None:
    """Raises LocalError where something is in `target` that does not belong beside a restored server."""
    if not target.exists():
        return
    for path in sorted(target.iterdir()):
        beside = path.name in {"secrets", "lost+found", IN_THE_MAKING} or path.name.startswith("postgres-")
        if path.name == server or not beside:
            raise LocalError(f"{target} is not empty: it has {path.name}. Restore into a fresh directory")


def plan_restore(backup: BackupDirectory, time: datetime | None) -> Plan:
    """Chooses the base backup and the WAL.

    Raises:
        LocalError: There is no base backup before the time; or everything is asked for and a segment is missing.
    """
    backups = backup.backups()
    usable = [base for base in backups if time is None or base.finish_time <= time]
    if not usable:
        since = f"the first one was finished at {_iso(backups[0].finish_time)}" if backups else "there is none at all"
        raise LocalError(f"no base backup in {backup.path} is old enough to restore that time: {since}")
    base = usable[-1]
    archive = backup.archive(beside=[base])
    missing = archive.first_missing_from(base.first)
    if time is None and missing is not None:
        raise LocalError(gap(missing))
    return Plan(base, time, {s: archive.files[s] for s in archive.unbroken_from(base.first)}, missing)


def workplace(target: Path) -> Path:
    """Where `target` is made: beside it, or inside where it is a disk of its own, whose borders no rename crosses."""
    return target / IN_THE_MAKING if target.is_mount() else target.with_name(target.name + IN_THE_MAKING)


def require_space(directory: Path, needed: int) -> None:
    """Raises LocalError where the disk of `directory` has no room for `needed` bytes and some more."""
    free = shutil.disk_usage(directory).free
    if free < needed + SPARE_BYTES:
        raise LocalError(f"{needed + SPARE_BYTES:,} bytes are needed in {directory}, {free:,} are free")


def gap(missing: Segment) -> str:
    """What to tell where a segment is missing."""
    return (
        f"WAL segment {missing.name} is missing from the archive: restore a --time before it, or one after a later "
        "base backup"
    )


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()
