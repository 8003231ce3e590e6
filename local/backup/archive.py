"""The continuous archive of WAL."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from local.backup.config import BackupSettings
from local.backup.directory import BackupDirectory
from local.backup.programs import STOP_SECONDS, Programs
from local.backup.source import Connection, ServerAwayError, Source, identify
from local.backup.wal import PARTIAL, Segment, is_partial
from local.directories import locked
from local.processes import Child, LocalError, log_tail

_WATCH_SECONDS: Final = 0.1


class WalArchive:
    """Receives the WAL of a server as it is written, flushed to disk before the server may forget it.

    A replication slot of its own makes the server keep what the archive lacks, over restarts of either, up to the
    server's `max_slot_wal_keep_size`.
    """

    def __init__(
        self,
        directory: BackupDirectory,
        source: Callable[[], Source],
        settings: BackupSettings,
        environment: Mapping[str, str],
        observe: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """`source` is asked before every connection: a stack that was started again may have another port.

        `observe` is told, in words, when the archive receives and when it lost the server.
        """
        self._directory = directory
        self._source = source
        self._settings = settings
        self._environment = environment
        self._observe = observe
        self._log = directory.path / "wal.log"
        self.child: Child | None = None
        """The process that receives."""

    async def keep(self) -> None:
        """Archives until it is cancelled; a server that goes away is waited for, unless it was never there.

        Raises:
            AlreadyRunningError: Another process archives into the directory.
            LocalError: The server cannot be reached at the first try; or the archive cannot go on without a gap.
        """
        with locked(self._directory.wal):
            source = self._source()
            await self._prepare(source)
            while True:
                await self._receive(source)
                self._observe(f"the server at {source.address} is away:\n{log_tail(self._log, 2)}")
                source = await self._prepared_again()

    async def _receive(self, source: Source) -> None:
        self._discard_unwritten()
        arguments = [f"--dbname={source.connection}", f"--directory={self._directory.wal}", "--no-password"]
        arguments += [f"--slot={self._settings.backup_slot}", "--synchronous", "--no-loop", "--status-interval=1"]
        programs = Programs(self._settings.backup_programs)
        child = programs.start("pg_receivewal", arguments, self._log, source.environment(self._environment))
        self.child = child
        try:
            self._observe(f"archiving the WAL of the server at {source.address}")
            # Polled, as `Child.ended` is, but for as long as it takes.
            while child.exit_code is None:  # noqa: ASYNC110
                await asyncio.sleep(_WATCH_SECONDS)
        finally:
            self.child = None
            await child.stop(STOP_SECONDS)

    async def _prepared_again(self) -> Source:
        told = ""
        while True:
            await asyncio.sleep(self._settings.backup_retry_seconds)
            try:
                source = self._source()
                await self._prepare(source)
            except ServerAwayError as exc:
                if str(exc) != told:
                    told = str(exc)
                    self._observe(told)
            else:
                return source

    async def _prepare(self, source: Source) -> None:
        async with source.connect() as connection:
            self._directory.claim(await identify(connection))
            await self._ensure_slot(connection)

    async def _ensure_slot(self, connection: Connection) -> None:
        name = self._settings.backup_slot
        slot = await connection.fetchrow(
            "SELECT wal_status, restart_lsn::text FROM pg_replication_slots WHERE slot_name = $1", name
        )
        lost = slot is not None and slot["wal_status"] == "lost"
        kept = None if slot is None or lost else slot["restart_lsn"]
        self._require_no_gap(kept)
        if lost:
            await connection.execute("SELECT pg_drop_replication_slot($1)", name)
        if kept is None:
            await connection.execute("SELECT pg_create_physical_replication_slot($1, true)", name)

    def _require_no_gap(self, kept: str | None) -> None:
        server, archived = self._directory.server, self._directory.archive().files
        if not archived:
            return
        last = max(archived)
        wanted = last if is_partial(archived[last]) else last.following
        if kept is None or Segment.holding(server.timeline, kept, server.segment_bytes) > wanted:
            raise LocalError(
                f"the server does not keep {wanted.name}, the next segment of the archive in {self._directory.path}, "
                f"for it (slot {self._settings.backup_slot} is gone, was given up or served another archive): "
                "begin a new backup directory, so that the gap cannot be overlooked"
            )

    def _discard_unwritten(self) -> None:
        # Killed while it fills a new segment with zeros, the receiver leaves a file that it refuses to go on with.
        size = self._directory.server.segment_bytes
        for path in self._directory.wal.glob(f"*{PARTIAL}"):
            if path.stat().st_size != size:
                path.unlink()
