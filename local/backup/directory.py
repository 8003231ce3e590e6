"""What a backup directory holds, and for how long.

```
server.json                  whose history this is
base/20261125T151508Z/       one finished base backup
    backup.json              written last
    cluster/                 as pg_basebackup made it, with its manifest
wal/                         segments, as pg_receivewal wrote them
lock, wal/lock               held while a base backup or the archive is at work
```
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from local.backup.source import ServerIdentity
from local.backup.wal import Archive, Segment
from local.processes import LocalError

UNFINISHED = ".new"
DISCARDED = ".old"


@dataclass(frozen=True, slots=True)
class BaseBackup:
    """One finished base backup."""

    path: Path
    start_time: datetime
    finish_time: datetime
    """The earliest time that can be restored from it, by the server's clock."""
    first: Segment
    """The first segment that is needed to restore from it."""
    last: Segment
    """The last one that is needed whatever the target; all up to it are in the base backup too."""
    bytes: int

    @property
    def name(self) -> str:
        """The time of its start."""
        return self.path.name

    @property
    def cluster(self) -> Path:
        """The copy of the data directory."""
        return self.path / "cluster"


@dataclass(frozen=True, slots=True)
class BackupDirectory:
    """Base backups and WAL of one server, on one timeline."""

    path: Path

    @property
    def wal(self) -> Path:
        """Where the archive's segments are."""
        return self.path / "wal"

    @property
    def base(self) -> Path:
        """Where the base backups are."""
        return self.path / "base"

    def claim(self, server: ServerIdentity) -> None:
        """Notes whose history this is, at the first call; all later ones must come from the same.

        Raises:
            LocalError: The directory holds another history, or is no directory of ours.
        """
        note = self.path / "server.json"
        if not note.exists():
            self._require_nothing_else()
            note.write_text(json.dumps(asdict(server)), encoding="ascii")
            return
        held = self.server
        if held.system != server.system:
            raise LocalError(f"{self.path} holds backups of another server: choose a directory of its own")
        if held != server:
            raise LocalError(
                f"{self.path} holds timeline {held.timeline} and the server is on timeline {server.timeline}: it was "
                "restored or promoted since, so begin a new backup directory"
            )

    @property
    def server(self) -> ServerIdentity:
        """Whose history this is.

        Raises:
            LocalError: This is no backup directory.
        """
        try:
            return ServerIdentity(**json.loads((self.path / "server.json").read_text(encoding="ascii")))
        except (OSError, ValueError, TypeError) as exc:
            raise LocalError(f"{self.path} is no backup directory: it has no readable server.json") from exc

    def backups(self) -> list[BaseBackup]:
        """The finished base backups, the oldest first.

        Raises:
            LocalError: This is no backup directory.
        """
        server = self.server
        return sorted(
            (_read(note, server) for note in self.base.glob("*/backup.json") if _is_finished(note.parent)),
            key=lambda backup: backup.finish_time,
        )

    def archive(self, *, beside: Sequence[BaseBackup] = ()) -> Archive:
        """The segments in the archive, and those inside the base backups named."""
        inside = [backup.cluster / "pg_wal" for backup in beside]
        return Archive.of([self.wal, *inside], self.server.segment_bytes)

    def prune(self, keep: int) -> list[str]:
        """Removes all base backups but the newest `keep`, and the WAL that none of these needs; returns their names.

        For whoever holds the lock. A kill half way leaves nothing that looks whole: the next call goes on.

        Raises:
            LocalError: This is no backup directory.
        """
        backups = self.backups()
        kept = backups[-keep:]
        discarded = [backup.path for backup in backups[:-keep]]
        for path in discarded:
            path.rename(path.with_name(path.name + DISCARDED))
        for path in [*self.base.glob(f"*{DISCARDED}"), *self.base.glob(f"*{UNFINISHED}")]:
            shutil.rmtree(path)
        if kept:
            needed = min(backup.first for backup in kept)
            for segment, path in self.archive().files.items():
                if segment < needed:
                    path.unlink()
        return [path.name for path in discarded]

    def _require_nothing_else(self) -> None:
        ours = {"lock", "wal", "base", "base.log", "wal.log"}
        strangers = sorted(path.name for path in self.path.iterdir() if path.name not in ours)
        if strangers:
            raise LocalError(f"{self.path} is no backup directory: it has {strangers[0]}. Choose an empty one")


def note_finished(path: Path, start_time: datetime, finish_time: datetime) -> None:
    """Writes `backup.json` of the base backup in `path`, which makes it a finished one once it has its name."""
    size = sum(file.stat().st_size for file in (path / "cluster").rglob("*") if file.is_file())
    note = {"start_time": start_time.isoformat(), "finish_time": finish_time.isoformat(), "bytes": size}
    (path / "backup.json").write_text(json.dumps(note), encoding="ascii")


def _is_finished(path: Path) -> bool:
    return path.suffix not in {UNFINISHED, DISCARDED}


def _read(note: Path, server: ServerIdentity) -> BaseBackup:
    path = note.parent
    try:
        facts = json.loads(note.read_text(encoding="ascii"))
        manifest = json.loads((path / "cluster/backup_manifest").read_text(encoding="utf-8"))
        wal = manifest["WAL-Ranges"][0]
        first, last = (
            Segment.holding(wal["Timeline"], wal[position], server.segment_bytes)
            for position in ("Start-LSN", "End-LSN")
        )
        start_time, finish_time = (datetime.fromisoformat(facts[name]) for name in ("start_time", "finish_time"))
        return BaseBackup(path, start_time, finish_time, first, last, facts["bytes"])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as exc:
        raise LocalError(f"the base backup {path} cannot be read: {type(exc).__name__}") from exc
