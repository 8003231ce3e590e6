import asyncio
import os
import signal
import sys

import pytest

from local.assembly import Assembly
from local.config import StackSettings
from local.processes import AlreadyRunningError, LocalError
from local.program import Program
from local.stack import Stack, State

FOREVER = "import time\nwhile True: time.sleep(1)"
NAMES = ("encoder", "ranker", "gateway")


async def at_once(_address):
    return True


def dummies(programs: dict[str, str]):
    """An assembler of parts that are no services but do start and end as real processes."""

    def assembler(settings, environment):
        services = {
            name: Program(
                [sys.executable, "-c", program],
                address=f"127.0.0.1:{number}",
                log=settings.data_dir / "logs" / f"{name}.log",
                probe=at_once if program == FOREVER else never,
                environment=environment,
                note=settings.data_dir / "run" / f"{name}.json",
                stop_seconds=2.0,
            )
            for number, (name, program) in enumerate(programs.items(), start=1)
        }
        return Assembly(stores={}, databases={}, engines={}, services=services, environments={})

    return assembler


async def never(_address):
    return False


@pytest.fixture
def settings(stack_directory):
    return StackSettings(data_dir=stack_directory, restart_pause_seconds=0.05)


@pytest.fixture
def stack(settings):
    return Stack(settings, dict(os.environ), assembler=dummies(dict.fromkeys(NAMES, FOREVER)))


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_everything_starts_and_ends_with_the_gateway_first(settings):
    seen = []
    parts = dummies(dict.fromkeys(NAMES, FOREVER))
    stack = Stack(settings, {}, lambda name, state: seen.append((name, state)), parts)
    async with stack:
        assert stack.addresses == {"encoder": "127.0.0.1:1", "ranker": "127.0.0.1:2", "gateway": "127.0.0.1:3"}
        pids = [stack.pid(name) for name in NAMES]
    assert not any(running(pid) for pid in pids)
    assert [name for name, state in seen if state is State.STOPPED] == ["gateway", "ranker", "encoder"]
    assert list((settings.data_dir / "run").iterdir()) == []


async def test_a_second_stack_on_the_directory_is_refused_and_the_first_goes_on(settings, stack):
    async with stack:
        other = Stack(settings, {}, assembler=dummies({"encoder": FOREVER}))
        with pytest.raises(AlreadyRunningError, match=str(settings.data_dir)):
            await other.open()
        assert running(stack.pid("encoder"))


async def test_where_one_part_fails_the_others_are_stopped_and_the_directory_is_free_again(settings, stack):
    broken = Stack(settings, {}, assembler=dummies({"encoder": FOREVER, "ranker": "raise SystemExit('why')"}))
    with pytest.raises(LocalError, match="why"):
        await broken.open()
    assert list((settings.data_dir / "run").iterdir()) == []
    async with stack:
        assert running(stack.pid("ranker"))


async def test_a_killed_part_starts_again_at_its_address(stack):
    async with stack:
        pid, address = stack.pid("ranker"), stack.addresses["ranker"]
        await stack.kill("ranker")
        assert not running(pid)
        await stack.start("ranker")
        assert stack.pid("ranker") != pid
        assert stack.addresses["ranker"] == address


async def test_a_stopped_process_can_be_continued(stack):
    async with stack:
        pid = stack.pid("ranker")
        await stack.kill("ranker", signal.SIGSTOP)
        await stack.kill("ranker", signal.SIGCONT)
        assert stack.pid("ranker") == pid


async def test_supervision_starts_again_what_died(settings):
    states = asyncio.Queue()
    stack = Stack(
        settings,
        {},
        lambda name, state: states.put_nowait((name, state)),
        dummies(dict.fromkeys(NAMES, FOREVER)),
    )
    async with stack:
        while not states.empty():
            states.get_nowait()
        watch = asyncio.create_task(stack.supervise())
        pid = stack.pid("ranker")
        await stack.kill("ranker")
        assert [await states.get() for _ in range(3)] == [
            ("ranker", State.DIED),
            ("ranker", State.STARTING),
            ("ranker", State.SERVING),
        ]
        watch.cancel()
        assert stack.pid("ranker") != pid
