"""The one-machine stack: everything as processes of its own, started, watched and stopped together."""

import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from enum import StrEnum
from types import TracebackType
from typing import Self

from local.assembly import Assembly, Part, assemble
from local.config import StackSettings
from local.directories import locked
from local.postgres import unprivileged_user
from local.processes import LocalError, end_leftovers
from local.stores import migrate, replay_erasures

WATCH_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0
LEFTOVER_SECONDS = 5.0


class State(StrEnum):
    """What an observer is told of a part."""

    STARTING = "starting"
    SERVING = "serving"
    DIED = "died"
    STOPPING = "stopping"
    STOPPED = "stopped"


Observer = Callable[[str, State], None]
Assembler = Callable[[StackSettings, Mapping[str, str]], Assembly]


class Stack:
    """All parts on one data directory; an async context manager, or `open` and `close`.

    Parts are `spans`, `qdrant`, `postgres` (or `postgres-catalogue` and `postgres-feedback`), `encoder`,
    `feedback`, `ranker`, `retrieval` and `gateway`, without those that the operator's settings replace. Every
    method belongs to the thread that called `open`, and that thread must outlive the stack (`start_child`).
    """

    def __init__(
        self,
        settings: StackSettings,
        environment: Mapping[str, str],
        observer: Observer = lambda _name, _state: None,
        assembler: Assembler = assemble,
    ) -> None:
        """`environment` is what the processes inherit, so that settings of services pass through."""
        self._assembler = assembler
        self._settings = settings
        self._environment = environment
        self._observe = observer
        self._parts: dict[str, Part] = {}
        self._held = ExitStack()
        self.leftovers: list[str] = []
        """Names of processes of an earlier stack that `open` found running and ended."""

    @property
    def addresses(self) -> dict[str, str]:
        """host:port of every part, by name, in the order of their start."""
        return {name: part.address for name, part in self._parts.items()}

    @property
    def spans_address(self) -> str | None:
        """host:port for `local.spans.read_trace`; None where a collector of the operator takes the spans."""
        return self.addresses.get("spans")

    async def open(self) -> None:
        """Starts everything and waits until all of it serves. Where something fails, all is stopped again.

        Raises:
            AlreadyRunningError: Another process runs a stack on the same directory.
            LocalError: A port that was set is taken, or a part did not start.
        """
        directory = self._settings.data_dir
        self._held.enter_context(locked(directory))
        try:
            if unprivileged_user() is not None:
                directory.chmod(0o711)  # Postgres runs as another user, and must get to its own directory
            self.leftovers = end_leftovers(directory / "run", LEFTOVER_SECONDS)
            assembly = self._assembler(self._settings, self._environment)
            self._parts = assembly.parts
            await self._start_all(assembly)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Drains and ends everything, the gateway first and the stores last."""
        with self._held:
            for name in reversed(self._parts):
                await self.stop(name)

    async def start(self, name: str) -> None:
        """Starts a part, again where it runs, at the address that it had.

        Raises:
            LocalError: It did not start.
        """
        self._observe(name, State.STARTING)
        await self._parts[name].start()
        self._observe(name, State.SERVING)

    async def stop(self, name: str) -> None:
        """Drains and ends a part."""
        if self._parts[name].child is not None:
            self._observe(name, State.STOPPING)
            await self._parts[name].stop()
            self._observe(name, State.STOPPED)

    def pid(self, name: str) -> int:
        """Number of the process of a part.

        Raises:
            LocalError: It is not started.
        """
        child = self._parts[name].child
        if child is None:
            raise LocalError(f"{name} is not started")
        return child.pid

    async def kill(self, name: str, signal_number: int = signal.SIGKILL) -> None:
        """Sends a signal to the process of a part. After SIGKILL it is gone when this returns."""
        child = self._parts[name].child
        if child is not None:
            child.send(signal_number)
            if signal_number == signal.SIGKILL:
                await child.ended(LEFTOVER_SECONDS)

    async def supervise(self) -> None:
        """Starts again what dies, until this is cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, part in self._parts.items():
                group.create_task(self._supervise(name, part))

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def _start_all(self, assembly: Assembly) -> None:
        # What needs no database starts beside it: the encoder takes longest.
        free = [name for name in (*assembly.engines, *assembly.services) if name not in assembly.databases]
        try:
            async with asyncio.TaskGroup() as group:
                for name in free:
                    group.create_task(self.start(name))
                group.create_task(self._start_owners(assembly))
        except ExceptionGroup as failures:
            raise _first(failures) from None

    async def _start_owners(self, assembly: Assembly) -> None:
        for name in assembly.stores:
            await self.start(name)
        async with asyncio.TaskGroup() as group:
            for service in assembly.databases:
                group.create_task(self._start_owner(assembly, service))

    async def _start_owner(self, assembly: Assembly, service: str) -> None:
        await assembly.databases[service].ensure()
        logs, environment = self._settings.data_dir / "logs", assembly.environments[service]
        await migrate(service, environment, logs / f"{service}-migrate.log", self._settings.start_seconds)
        if service == "feedback":
            await replay_erasures(environment, logs / "erasures.log", self._settings.replay_seconds)
        await self.start(service)

    async def _supervise(self, name: str, part: Part) -> None:
        pause = self._settings.restart_pause_seconds
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if part.child is None or part.child.exit_code is None:
                continue
            self._observe(name, State.DIED)
            pause = await self._start_again(name, pause)

    async def _start_again(self, name: str, pause: float) -> float:
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            try:
                await self.start(name)
            except LocalError:
                self._observe(name, State.DIED)
            else:
                return pause


def _first(group: ExceptionGroup[Exception]) -> Exception:
    failure = group.exceptions[0]
    return _first(failure) if isinstance(failure, ExceptionGroup) else failure
