"""Puts the parts of the stack together, without starting any."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from local.config import StackSettings
from local.directories import secret
from local.layout import (
    ERASURE_LOG,
    GENERATED_KEYS,
    KEYS,
    SERVICES,
    Addresses,
    choose_addresses,
    port_of,
    shared_environment,
)
from local.postgres import PostgresServer
from local.processes import Child
from local.program import Program, is_receiving, is_serving
from local.qdrant import QdrantServer
from local.qdrant.settings import OptimiserSettings
from local.stores import OwnedDatabase, owned_databases, postgres_servers


class Part(Protocol):
    """A process of the stack."""

    @property
    def address(self) -> str:
        """host:port."""

    @property
    def child(self) -> Child | None:
        """The process, from start to stop, alive or not."""

    async def start(self) -> None:
        """Starts it, again where it runs, and waits until it serves."""

    async def stop(self) -> None:
        """Drains and ends it."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything that is to run; each dictionary in the order of the start."""

    stores: Mapping[str, PostgresServer]
    databases: Mapping[str, OwnedDatabase]
    """By the service that owns each."""
    engines: Mapping[str, Part]
    services: Mapping[str, Program]
    environments: Mapping[str, Mapping[str, str]]
    """What each service is told."""

    @property
    def parts(self) -> dict[str, Part]:
        """All processes by name, in an order in which nothing is stopped before what calls it."""
        return {**self.engines, **self.stores, **self.services}


def assemble(settings: StackSettings, given: Mapping[str, str]) -> Assembly:
    """Chooses ports, makes the secrets that lack, and names what each process is told.

    Raises:
        LocalError: A port that was set is taken.
    """
    addresses = choose_addresses(settings)
    stores = postgres_servers(settings)
    databases = owned_databases(settings, stores)
    shared = shared_environment(given, settings, addresses)
    environments = {name: shared | own_environment(name, settings, given, addresses, databases) for name in SERVICES}
    services = {
        name: _program(
            settings,
            name,
            [sys.executable, "-m", f"services.{name}"],
            addresses.services[name],
            environments[name],
        )
        for name in SERVICES
    }
    return Assembly(stores, databases, _engines(settings, addresses, shared), services, environments)


def own_environment(
    name: str,
    settings: StackSettings,
    given: Mapping[str, str],
    addresses: Addresses,
    databases: Mapping[str, OwnedDatabase],
) -> dict[str, str]:
    """What one service is told and no other: where it listens, its database, the key that it signs with.

    Feedback is also told where to remember erasures: a backup of its database does not know the later ones.
    """
    environment = {"ZHIYIN_BIND": addresses.services[name]}
    if name == "feedback" and not given.get(ERASURE_LOG):
        environment[ERASURE_LOG] = str(settings.data_dir / "erasures")
    if name in databases:
        environment["ZHIYIN_DATABASE_URL"] = databases[name].url
    if name in GENERATED_KEYS:
        key = GENERATED_KEYS[name]
        generated = secret(settings.data_dir / "secrets" / key.replace("_", "-"))
        environment |= {f"ZHIYIN_{key.upper()}": generated}
        environment |= {variable: given[variable] for variable in KEYS[name] if variable in given}
    return environment


def _engines(settings: StackSettings, addresses: Addresses, environment: Mapping[str, str]) -> dict[str, Part]:
    engines: dict[str, Part] = {}
    if addresses.spans is not None:
        command = [sys.executable, "-m", "local.spans", "--port", str(port_of(addresses.spans))]
        command += ["--capacity", str(settings.kept_spans)]
        spans = _program(settings, "spans", command, addresses.spans, environment)
        engines["spans"] = spans
    if settings.qdrant_url is None:
        engines["qdrant"] = QdrantServer(
            settings.data_dir / "qdrant",
            port=port_of(addresses.qdrant),
            log=settings.data_dir / "logs" / "qdrant.log",
            environment=environment,
            note=settings.data_dir / "run" / "qdrant.json",
            settings=OptimiserSettings(exact_points=settings.local_exact_points),
        )
    return engines


def _program(
    settings: StackSettings, name: str, command: list[str], address: str, environment: Mapping[str, str]
) -> Program:
    return Program(
        command,
        address=address,
        log=settings.data_dir / "logs" / f"{name}.log",
        probe=is_receiving if name == "spans" else is_serving,
        environment=environment,
        note=settings.data_dir / "run" / f"{name}.json",
        start_seconds=settings.start_seconds,
        stop_seconds=settings.stop_seconds,
    )
