"""A gateway that commands can call: the real server with a fake behind it, on a thread and an event loop of its own."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from services.common.server import Registration, open_server
from services.common.settings import ServiceSettings
from tests.cli.admin_fakes import FakeCatalogSettings, FakeIndexAdmin, ListingFake
from tests.cli.user_fakes import FakeUserData
from zhiyin.gateway.v1 import gateway_service_pb2_grpc as rpc
from zhiyin.gateway.v1.catalog_settings_service_pb2_grpc import add_CatalogSettingsServiceServicer_to_server
from zhiyin.gateway.v1.index_admin_service_pb2_grpc import add_IndexAdminServiceServicer_to_server
from zhiyin.gateway.v1.user_data_service_pb2_grpc import add_UserDataServiceServicer_to_server


@dataclass
class RunningGateway:
    fake: ListingFake = field(default_factory=ListingFake)
    index: FakeIndexAdmin = field(default_factory=FakeIndexAdmin)
    settings: FakeCatalogSettings = field(default_factory=FakeCatalogSettings)
    users: FakeUserData = field(default_factory=FakeUserData)
    address: str = ""

    def registrations(self) -> list[Registration]:
        adders = {
            "GatewayService": lambda server: rpc.add_GatewayServiceServicer_to_server(self.fake, server),
            "IndexAdminService": lambda server: add_IndexAdminServiceServicer_to_server(self.index, server),
            "CatalogSettingsService": lambda server: add_CatalogSettingsServiceServicer_to_server(
                self.settings, server
            ),
            "UserDataService": lambda server: add_UserDataServiceServicer_to_server(self.users, server),
        }
        return [Registration(f"zhiyin.gateway.v1.{name}", add) for name, add in adders.items()]


@pytest.fixture
def gateway() -> Iterator[RunningGateway]:
    running, listening, stop = RunningGateway(), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with open_server(ServiceSettings(bind="127.0.0.1:0"), running.registrations()) as address:
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

    def __call__(self, *words: object, answer: str | None = None) -> Result:
        env = {"ZHIYIN_GATEWAY": self._address}
        return self._runner.invoke(app, [str(w) for w in words], env=env, input=answer)


@pytest.fixture
def zhiyin(gateway) -> Zhiyin:
    return Zhiyin(gateway.address)


def json_lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]
