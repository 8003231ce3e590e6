import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from local.directories import locked, secret
from local.processes import (
    AlreadyRunningError,
    LocalError,
    ProcessIdentity,
    end_leftovers,
    record,
    start_child,
)
from local.program import Program

FOREVER = "import time\nwhile True: time.sleep(1)"
# Starts two children, notes them, says so, and waits to be killed. The second one ignores everything but SIGKILL.
PARENT = """
import signal, sys, time
from pathlib import Path
from local.processes import record, start_child
directory = Path(sys.argv[1])
stubborn = "import signal, time\\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\\n" + sys.argv[2]
for name, program in (("meek", sys.argv[2]), ("stubborn", stubborn)):
    child = start_child([sys.executable, "-c", program], log=directory / "log")
    record(child.identity, directory / "run" / f"{name}.json")
time.sleep(1)
print("ready", flush=True)
time.sleep(60)
"""


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def killed_parent(stack_directory):
    """Children by name, after their parent was killed with SIGKILL."""
    command = [sys.executable, "-c", PARENT, str(stack_directory), FOREVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"ready\n"
        notes = {path.stem: json.loads(path.read_text()) for path in (stack_directory / "run").iterdir()}
        children = {name: psutil.Process(note["pid"]) for name, note in notes.items()}
        parent.kill()
    yield children
    for child in children.values():
        if not gone(child):
            child.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells children only on Linux")
def test_a_child_ends_when_its_parent_is_killed(killed_parent):
    psutil.wait_procs([killed_parent["meek"]], timeout=5)
    assert gone(killed_parent["meek"])


def test_the_next_start_ends_what_a_killed_parent_left(killed_parent, stack_directory):
    assert not gone(killed_parent["stubborn"])
    assert "stubborn" in end_leftovers(stack_directory / "run", seconds=0.5)
    assert all(gone(child) for child in killed_parent.values())
    assert list((stack_directory / "run").iterdir()) == []


def test_a_process_that_has_the_number_of_a_noted_one_is_left_alone(stack_directory):
    me = ProcessIdentity.of(os.getpid())
    record(ProcessIdentity(me.pid, me.started - 100), stack_directory / "run" / "other.json")
    (stack_directory / "run" / "broken.json").write_text("{")
    assert end_leftovers(stack_directory / "run", seconds=0.5) == []


async def test_a_program_is_killed_where_it_does_not_end_in_its_time(stack_directory):
    async def at_once(_address):
        await asyncio.sleep(0.3)
        return True

    ignoring = "import signal\nsignal.signal(15, signal.SIG_IGN)\n" + FOREVER
    program = Program(
        [sys.executable, "-c", ignoring],
        address="nowhere:1",
        log=stack_directory / "log",
        probe=at_once,
        stop_seconds=0.3,
    )
    async with program:
        child = program.child
    assert child.exit_code == -signal.SIGKILL


async def test_a_program_that_ends_at_once_is_reported_with_its_log(stack_directory):
    async def never(_address):
        return False

    command = [sys.executable, "-c", "raise SystemExit('the reason')"]
    program = Program(command, address="nowhere:1", log=stack_directory / "log", probe=never)
    with pytest.raises(LocalError, match="the reason"):
        await program.start()


async def test_a_program_that_never_serves_is_stopped_and_reported(stack_directory):
    async def never(_address):
        return False

    program = Program(
        [sys.executable, "-c", FOREVER],
        address="nowhere:1",
        log=stack_directory / "log",
        probe=never,
        start_seconds=0.3,
    )
    started = time.time()
    with pytest.raises(LocalError, match="did not serve in time"):
        await program.start()
    assert program.child is None
    assert not [p for p in psutil.Process().children() if p.create_time() >= started and not gone(p)]


def test_a_command_that_is_not_there_is_reported(stack_directory):
    child = start_child([str(stack_directory / "nothing")], log=stack_directory / "log")
    assert asyncio.run(child.ended(5))
    assert child.exit_code != 0


def test_the_lock_of_a_directory_names_its_holder(stack_directory):
    with locked(stack_directory), pytest.raises(AlreadyRunningError, match=str(os.getpid())):
        locked(stack_directory).__enter__()
    with locked(stack_directory):
        pass


def test_a_secret_is_made_once_and_for_its_owner_only(stack_directory):
    path = stack_directory / "secrets" / "key"
    assert secret(path) == secret(path)
    assert len(secret(path)) >= 43
    assert path.stat().st_mode & 0o777 == 0o600
