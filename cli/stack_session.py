"""The one-machine stack for the length of a command: started with progress, drained at Ctrl-C or SIGTERM."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, cast

from rich.live import Live
from rich.table import Table

from cli.output import NOTES, RESULTS, note, plain
from cli.running import CommandFailed
from local.config import StackSettings
from local.processes import AlreadyRunningError, LocalError
from local.stack import Stack, State
from services.common.settings import load

_STYLES: Final = {State.SERVING: "green", State.DIED: "red", State.STOPPED: "dim"}


def stack_settings(data_dir: Path | None, port: int | None) -> StackSettings:
    """What the environment says, and the command line where it says more.

    Raises:
        SettingsError: variables of the environment are wrong.
    """
    given = {"data_dir": data_dir, "gateway_port": port}
    return load(StackSettings).model_copy(update={name: value for name, value in given.items() if value is not None})


@asynccontextmanager
async def running_stack(settings: StackSettings) -> AsyncIterator[Stack]:
    """The stack, with all parts serving; watched and, where a part dies, healed; drained when this is left.

    Raises:
        CommandFailed: a part did not start, or a stack runs already on the same directory.
    """
    states = _States()
    # The processes inherit the environment: settings of a service go through the command to it.
    stack = Stack(settings, dict(os.environ), states.note)
    try:
        with states.live():
            await stack.open()
        watch = asyncio.create_task(stack.supervise())
        try:
            yield stack
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            with states.live():
                await stack.close()
    except AlreadyRunningError as exc:
        raise CommandFailed(f"a stack runs already: {exc}") from exc
    except LocalError as exc:
        raise CommandFailed(str(exc)) from exc


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGINT and SIGTERM cancel the current task, so that everything that it holds open is drained."""
    task, loop = cast("asyncio.Task[object]", asyncio.current_task()), asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def show_addresses(stack: Stack, settings: StackSettings) -> None:
    """Prints where everything listens, the gateway first."""
    table = Table(header_style="bold")
    table.add_column("part")
    table.add_column("address")
    addresses = stack.addresses
    for name in sorted(addresses, key=lambda name: (name != "gateway", list(addresses).index(name))):
        table.add_row(plain(name, "bold" if name == "gateway" else ""), plain(addresses[name]))
    table.add_row("logs", plain(str(settings.data_dir / "logs")))
    RESULTS.print(table)


class _States:
    """What the parts of the stack are at, as a table that changes, or as lines where there is no terminal."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._live: Live | None = None

    def note(self, name: str, state: State) -> None:
        self._states[name] = state
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
        else:
            note(f"{name}: {state}", "red" if state is State.DIED else "dim")

    @contextmanager
    def live(self) -> Iterator[None]:
        if not NOTES.is_terminal:
            yield
            return
        with Live(console=NOTES, transient=True) as self._live:
            yield
        self._live = None

    def _table(self) -> Table:
        table = Table(box=None, show_header=False)
        for name, state in self._states.items():
            table.add_row(plain(name), plain(state, _STYLES.get(state, "yellow")))
        return table
