"""A server that replays WAL, seen only by whoever restores."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg

from local.backup.source import COMMAND_SECONDS, CONNECT_SECONDS, Connection
from local.postgres import ADMIN, NOT_DURABLE, STOP_SECONDS, reachable_programs, unprivileged_user
from local.processes import Child, LocalError, log_tail, start_child

_POLL_SECONDS: Final = 0.05
_PORT: Final = 5432
"""Part of the socket's name only: it listens on no port."""
_NOT_YET: Final = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    # It ended while it was asked.
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,
)
_ENDED_EARLY: Final = "recovery ended before configured recovery target was reached"
_LAST_TRANSACTION: Final = re.compile("last completed transaction was at log time (.+)")
_SAID_LINES: Final = 200
"""What the server says after the end of the WAL is a few lines, and one more for each of our attempts to connect."""


class TargetNotReachedError(LocalError):
    """The WAL at hand ends before the time that was asked for."""


@asynccontextmanager
async def recovered_server(
    server: Path, time_wanted: datetime | None, seconds: float, *, durable: bool = True
) -> AsyncIterator[Connection]:
    """A superuser's connection to the cluster in `server/data`, once all WAL of `server/wal` up to a time is replayed.

    The cluster is then promoted to a timeline of its own. Nobody else gets in: it listens on a socket in a directory
    that only its own user can enter. `server/data` and `server/wal` must belong to that user.

    Raises:
        TargetNotReachedError: The WAL ends before the time.
        LocalError: It was not done within `seconds` or failed; the message ends with the last lines of its log.
    """
    user, log = unprivileged_user(), server / "restore.log"
    sockets = Path(tempfile.mkdtemp(prefix="zhiyin-"))  # not in `server`: the name of a socket has 107 bytes at most
    try:
        (sockets / "hba").write_text("local all all trust\n", encoding="ascii")
        (server / "data/recovery.signal").touch()
        for path in (sockets, sockets / "hba", server / "data/recovery.signal"):
            give(path, user)
        command = [str(reachable_programs(server, user) / "postgres"), "-D", str(server / "data")]
        command += _options(sockets, time_wanted, {} if durable else NOT_DURABLE)
        child = start_child(command, log=log, parent_death_signal=signal.SIGINT, user=user, directory=server)
        try:
            connection = await _promoted(child, sockets, log, seconds)
            try:
                yield connection
            finally:
                await connection.close(timeout=CONNECT_SECONDS)
        finally:
            await child.stop(STOP_SECONDS, signal.SIGINT)
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


def give(path: Path, user: tuple[int, int] | None) -> None:
    """Makes `user`, where there is another one, the owner of a file or directory."""
    if user is not None:
        os.chown(path, *user)


def _options(sockets: Path, time_wanted: datetime | None, more: Mapping[str, str]) -> list[str]:
    settings = {
        **more,
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "port": str(_PORT),
        "hba_file": str(sockets / "hba"),
        "archive_mode": "off",
        # Without it, connections wait for the promotion, and limits of the server that was copied do not matter.
        "hot_standby": "off",
        "restore_command": 'cp "../wal/%f" "%p"',
        "recovery_target_action": "promote",
        "recovery_target_timeline": "current",
    }
    if time_wanted is not None:
        settings["recovery_target_time"] = time_wanted.isoformat()
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


async def _promoted(child: Child, sockets: Path, log: Path, seconds: float) -> Connection:
    end = time.monotonic() + seconds
    while child.exit_code is None and time.monotonic() < end:
        with contextlib.suppress(*_NOT_YET):
            return await asyncpg.connect(
                host=str(sockets),
                port=_PORT,
                user=ADMIN,
                database="postgres",
                timeout=CONNECT_SECONDS,
                command_timeout=COMMAND_SECONDS,
            )
        await asyncio.sleep(_POLL_SECONDS)
    said = log_tail(log, _SAID_LINES)
    if _ENDED_EARLY in said:
        last = _LAST_TRANSACTION.findall(said) or ["none after the base backup"]
        raise TargetNotReachedError(f"the WAL ends before the time that was asked for; last transaction: {last[-1]}")
    how = f"within {seconds:g} s" if child.exit_code is None else "and ended"
    raise LocalError(f"Postgres did not replay the WAL {how}:\n{log_tail(log)}")
