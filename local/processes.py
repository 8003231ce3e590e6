"""Child processes that leave nothing behind."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

LAUNCHER = Path(__file__).with_name("child.py")
POLL_SECONDS = 0.01


class LocalError(Exception):
    """Something of the one-machine stack could not be done. The message is for a person at a terminal."""


class AlreadyRunningError(LocalError):
    """Another process works in the same directory."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process and not merely its number: numbers are used again, start times are not.

    `started` is in seconds since the epoch, as psutil reports it.
    """

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process, or None where it is gone or the number belongs to another one."""
        try:
            found = psutil.Process(self.pid)
            # psutil derives the start time from the boot time, which moves by a clock tick or so.
            same = abs(found.create_time() - self.started) < 1.0
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class Child:
    """A process started by us.

    It dies with us (see `local.child`). It is not in our process group, so that Ctrl-C at the terminal
    reaches only us and the order of the shutdown is ours.
    """

    def __init__(self, popen: "subprocess.Popen[bytes]", identity: ProcessIdentity) -> None:
        self._popen = popen
        self.identity = identity

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number where a signal ended it."""
        return self._popen.poll()

    def send(self, signal_number: int) -> None:
        """Sends a signal; does nothing where the process has ended."""
        self._popen.send_signal(signal_number)

    async def ended(self, seconds: float) -> bool:
        """Waits until the process has ended, `seconds` at most."""
        end = time.monotonic() + seconds
        # Polled, because what watches children in asyncio belongs to one event loop; a child may see several.
        while self.exit_code is None and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)
        return self.exit_code is not None

    async def stop(self, seconds: float, signal_number: int = signal.SIGTERM) -> None:
        """Asks the process to end, and kills it where it has not done so within `seconds`."""
        self.send(signal_number)
        if not await self.ended(seconds):
            self.send(signal.SIGKILL)
            await self.ended(seconds)


def start_child(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    parent_death_signal: int = signal.SIGTERM,
    user: tuple[int, int] | None = None,
    directory: Path | None = None,
) -> Child:
    """Starts `command` with its output appended to `log`.

    `user` is (uid, gid). Call it from a thread that outlives the child: Linux takes the end of the thread
    that started a process for the end of the parent.

    Raises:
        LocalError: The program could not be started.
    """
    uid, gid = user if user is not None else (-1, -1)
    launch = [sys.executable, "-I", str(LAUNCHER)]
    launch += [str(int(parent_death_signal)), str(uid), str(gid), str(os.getpid()), "--", *command]
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("ab") as output:
            popen = subprocess.Popen(
                launch,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=directory,
                start_new_session=True,
            )
        return Child(popen, ProcessIdentity.of(popen.pid))
    except (OSError, psutil.NoSuchProcess) as exc:
        raise LocalError(f"{command[0]} could not be started: {exc}") from exc


def record(identity: ProcessIdentity, path: Path) -> None:
    """Notes a process, so that the next start finds it even where this one is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(identity)), encoding="ascii")


def end_leftovers(directory: Path, seconds: float) -> list[str]:
    """Ends the processes noted in `directory` that still run, all at once, and returns their names.

    They get SIGTERM, and SIGKILL after `seconds`. Only for whoever holds the lock of the directory.
    """
    found: dict[psutil.Process, str] = {}
    for path in sorted(directory.glob("*.json")):
        with contextlib.suppress(ValueError, TypeError):
            process = ProcessIdentity(**json.loads(path.read_text(encoding="ascii"))).process()
            if process is not None:
                found[process] = path.stem
        path.unlink()
    end_processes(list(found), seconds)
    return list(found.values())


def end_processes(processes: Sequence[psutil.Process], seconds: float) -> None:
    """SIGTERM to all, and SIGKILL to those that still run after `seconds`."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=seconds)


def free_port() -> int:
    """A TCP port of the loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether somebody could listen on the port of the loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def log_tail(path: Path, lines: int = 12) -> str:
    """The last lines of a log, for the message of an error."""
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    return ""
