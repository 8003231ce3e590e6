"""The server that is backed up: the one of the stack that runs on this machine, or one named by URL."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

from local.config import StackSettings
from local.postgres import ADMIN
from local.processes import LocalError

CONNECT_SECONDS = 10.0
COMMAND_SECONDS = 60.0
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class ServerAwayError(LocalError):
    """The server does not answer, or not as it should; it may do so later."""


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """What WAL has to have in common to be one history."""

    system: int
    """The identifier that initdb drew; a restored copy has the same."""
    timeline: int
    """Grows with every promotion, thus with every restore."""
    segment_bytes: int


@dataclass(frozen=True, slots=True)
class Source:
    """A server to back up. The role needs REPLICATION."""

    url: str = field(repr=False)
    """`postgresql://role:password@host:port/database`"""

    def __post_init__(self) -> None:
        """Raises LocalError where the URL cannot be read; the message has nothing of it, for it holds a password."""
        try:
            parts = urlsplit(self.url)
            readable = parts.scheme in {"postgresql", "postgres"} and parts.port != 0
        except ValueError:
            readable = False
        if not readable:
            raise LocalError(
                "ZHIYIN_DATABASE_URL is not postgresql://role:password@host:port/database "
                "(is a / or @ in the password percent-encoded?)"
            )

    @property
    def address(self) -> str:
        """host:port, for messages."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def connection(self) -> str:
        """The URL without its password, for a command line, which every user of the machine can read."""
        parts = urlsplit(self.url)
        user = f"{quote(unquote(parts.username), safe='')}@" if parts.username else ""
        options = [(name, value) for name, value in parse_qsl(parts.query) if name != "password"]
        return urlunsplit(parts._replace(netloc=user + self.address, query=urlencode(options)))

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """`given` and the password, which the programs of Postgres take from there."""
        parts = urlsplit(self.url)
        password = unquote(parts.password) if parts.password else dict(parse_qsl(parts.query)).get("password")
        own = {"PGAPPNAME": "zhiyin-backup", "PGCONNECT_TIMEOUT": f"{CONNECT_SECONDS:.0f}"}
        return {**given, **own} | ({} if password is None else {"PGPASSWORD": password})

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """A connection for a few statements.

        Raises:
            ServerAwayError: The server cannot be reached, or refuses what is asked of it.
        """
        try:
            connection = await asyncpg.connect(self.url, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS)
            try:
                yield connection
            finally:
                await connection.close(timeout=CONNECT_SECONDS)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            reason = str(exc) or type(exc).__name__
            raise ServerAwayError(f"the server at {self.address} cannot be backed up: {reason}") from exc


async def identify(connection: Connection) -> ServerIdentity:
    """Which history the server writes at this moment; a standby refuses to say."""
    row = await connection.fetchrow(
        "SELECT (pg_control_system()).system_identifier AS system, pg_walfile_name(pg_current_wal_lsn()) AS segment, "
        "pg_size_bytes(current_setting('wal_segment_size')) AS segment_bytes"
    )
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return ServerIdentity(row["system"], int(row["segment"][:8], 16), row["segment_bytes"])


def stack_source(settings: StackSettings, server: str) -> Source:
    """The server of `ZHIYIN_DATABASE_URL`, else the embedded one named `server` in the stack's data directory.

    Raises:
        LocalError: The URL cannot be read.
        ServerAwayError: There is no such embedded server, or it does not run.
    """
    if settings.database_url is not None:
        return Source(settings.database_url.get_secret_value())
    directory = settings.data_dir / server
    try:
        password = (directory / "password").read_text(encoding="ascii")
        port = _port(directory / "data/postmaster.pid")
    except (OSError, IndexError, ValueError) as exc:
        raise ServerAwayError(_not_running(settings.data_dir, server)) from exc
    return Source(f"postgresql://{ADMIN}:{password}@127.0.0.1:{port}/postgres")


def _port(pid_file: Path) -> int:
    return int(pid_file.read_text(encoding="utf-8").splitlines()[3])


def _not_running(data_dir: Path, server: str) -> str:
    others = ", ".join(sorted(path.parent.name for path in data_dir.glob("*/password") if path.parent.name != server))
    also = f" There is {others}: name it with --server." if others else ""
    return f"no server {server} runs in {data_dir}: start the stack, or name a server with ZHIYIN_DATABASE_URL.{also}"
