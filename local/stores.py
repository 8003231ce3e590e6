"""The Postgres servers of the stack and the databases on them."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from local.config import StackSettings
from local.databases import database_url, ensure_owner
from local.directories import secret
from local.layout import ERASURE_LOG, choose_port
from local.postgres import PostgresServer
from local.processes import LocalError, free_port, log_tail, start_child

OWNERS = {"retrieval": "catalogue", "feedback": "feedback"}
"""Database by the service that owns it."""
SHARED = "postgres"
KILL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class OwnedDatabase:
    """A database and the role that alone may use it; both have the same name."""

    name: str
    password: str = field(repr=False)
    admin_url: str = field(repr=False)

    @property
    def url(self) -> str:
        """URL for the owner."""
        return database_url(self.admin_url, self.name, user=self.name, password=self.password)

    async def ensure(self) -> None:
        """Makes role and database where they lack.

        Raises:
            LocalError: The server cannot be reached or refuses.
        """
        try:
            await ensure_owner(self.admin_url, self.name, self.password)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            raise LocalError(f"the database {self.name} could not be made: {exc}") from exc


def postgres_servers(settings: StackSettings) -> dict[str, PostgresServer]:
    """The embedded servers by name: none where the operator has one, one per owner where asked for.

    Raises:
        LocalError: The port was set and is taken.
    """
    if settings.database_url is not None:
        return {}
    ports = {SHARED: choose_port(settings, "postgres_port")}
    if settings.separate_postgres:
        ports = {f"{SHARED}-{owner}": free_port() for owner in OWNERS.values()}
    logs, data = settings.data_dir / "logs", settings.data_dir
    return {name: PostgresServer(data / name, port=port, log=logs / f"{name}.log") for name, port in ports.items()}


def owned_databases(settings: StackSettings, servers: Mapping[str, PostgresServer]) -> dict[str, OwnedDatabase]:
    """The databases, on the operator's server or on ours, by the service that owns each."""
    databases = {}
    for service, owner in OWNERS.items():
        if settings.database_url is not None:
            admin_url = settings.database_url.get_secret_value()
        else:
            admin_url = (servers.get(SHARED) or servers[f"{SHARED}-{owner}"]).url()
        password = secret(settings.data_dir / "secrets" / f"{owner}-password")
        databases[service] = OwnedDatabase(owner, password, admin_url)
    return databases


async def migrate(service: str, environment: Mapping[str, str], log: Path, seconds: float) -> None:
    """Runs `python -m services.<service>.migrate` to its end.

    Raises:
        LocalError: It failed or took too long; the message ends with the last lines of its log.
    """
    command = [sys.executable, "-m", f"services.{service}.migrate"]
    await _run(f"the migration of {service}", command, environment, log, seconds)


async def replay_erasures(environment: Mapping[str, str], log: Path, seconds: float) -> None:
    """Erases in feedback's database what its log of erasures says: a restored database holds it again.

    What the database knows of costs a look each, so this is right at every start.

    Raises:
        LocalError: It failed or took too long; nobody may read what should be erased.
    """
    directory = Path(environment[ERASURE_LOG])
    if await asyncio.to_thread(_holds_files, directory):
        command = [sys.executable, "-m", "services.feedback.replay_erasures", str(directory)]
        await _run("the replay of erasures", command, environment, log, seconds)


def _holds_files(directory: Path) -> bool:
    return directory.is_dir() and any(directory.iterdir())


async def _run(what: str, command: Sequence[str], environment: Mapping[str, str], log: Path, seconds: float) -> None:
    child = start_child(command, log=log, environment=environment)
    try:
        if not await child.ended(seconds) or child.exit_code != 0:
            raise LocalError(f"{what} failed; {log} ends with:\n{log_tail(log)}")
    finally:
        await child.stop(KILL_SECONDS)
