"""A gateway that commands can call: the real server with a fake behind it, on a thread and an event loop of its own."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from services.common.server import Registration, open_server
from services.common.settings import ServiceSettings
from tests.fakes import FakeGateway
from zhiyin.gateway.v1 import gateway_service_pb2_grpc as rpc


@dataclass
class RunningGateway:
    fake: FakeGateway
    address: str


@pytest.fixture
def gateway() -> Iterator[RunningGateway]:
    fake, listening, stop = FakeGateway(), threading.Event(), asyncio.Event()
    running = RunningGateway(fake, "")
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        registration = Registration(
            "zhiyin.gateway.v1.GatewayService", lambda server: rpc.add_GatewayServiceServicer_to_server(fake, server)
        )
        async with open_server(ServiceSettings(bind="127.0.0.1:0"), [registration]) as address:
            running.address = address
            listening.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert listening.wait(10)
    yield running
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


class Zhiyin:
    """The command line, called as a person would, against one gateway."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})

    def __call__(self, *words: object) -> Result:
        return self._runner.invoke(app, [str(w) for w in words], env={"ZHIYIN_GATEWAY": self._address})


@pytest.fixture
def zhiyin(gateway) -> Zhiyin:
    return Zhiyin(gateway.address)


def json_lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]
