import contextlib

import grpc
import pytest

from services.common.server import Registration, open_server
from services.common.settings import ServiceSettings
from services.gateway.config import GatewaySettings
from services.gateway.wiring import open_service
from tests.fakes import FakeFeedback, FakeRanker, FakeRetrieval
from tests.gateway.fakes import ScriptedService
from zhiyin.feedback.v1 import user_data_service_pb2
from zhiyin.feedback.v1.feedback_service_pb2_grpc import add_FeedbackServiceServicer_to_server
from zhiyin.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from zhiyin.ranker.v1.ranker_service_pb2_grpc import add_RankerServiceServicer_to_server
from zhiyin.retrieval.v1 import catalog_settings_service_pb2, index_admin_service_pb2
from zhiyin.retrieval.v1.retrieval_service_pb2_grpc import add_RetrievalServiceServicer_to_server

NOBODY = "127.0.0.1:1"
KEY = "a signing key of the tests, long enough"


class GatewayUnderTest:
    """A gateway among fake peers; a peer can be left out, and further replicas share the peers."""

    def __init__(self, stack):
        self._stack = stack
        self.retrieval, self.ranker, self.feedback = FakeRetrieval(), FakeRanker(), FakeFeedback()
        self.catalog_settings = ScriptedService(
            catalog_settings_service_pb2.DESCRIPTOR.services_by_name["CatalogSettingsService"]
        )
        self.user_data = ScriptedService(user_data_service_pb2.DESCRIPTOR.services_by_name["UserDataService"])
        self.index_admin = ScriptedService(index_admin_service_pb2.DESCRIPTOR.services_by_name["IndexAdminService"])

    async def start(self, without=(), **settings):
        peers = {
            "retrieval": [
                Registration(
                    "zhiyin.retrieval.v1.RetrievalService",
                    lambda server: add_RetrievalServiceServicer_to_server(self.retrieval, server),
                ),
                Registration("zhiyin.retrieval.v1.CatalogSettingsService", self.catalog_settings.add_to),
                Registration("zhiyin.retrieval.v1.IndexAdminService", self.index_admin.add_to),
            ],
            "ranker": [
                Registration(
                    "zhiyin.ranker.v1.RankerService",
                    lambda server: add_RankerServiceServicer_to_server(self.ranker, server),
                )
            ],
            "feedback": [
                Registration(
                    "zhiyin.feedback.v1.FeedbackService",
                    lambda server: add_FeedbackServiceServicer_to_server(self.feedback, server),
                ),
                Registration("zhiyin.feedback.v1.UserDataService", self.user_data.add_to),
            ],
        }
        self.targets = {}
        for name, services in peers.items():
            address = await self._stack.enter_async_context(open_server(ServiceSettings(), services))
            self.targets[f"{name}_target"] = NOBODY if name in without else address
        self.stub = await self.replica(**settings)
        return self.stub

    async def channel(self, **settings):
        """A channel to a further replica."""
        # Patient by default: a busy machine must not look like a peer that hangs.
        patient = {
            "profile_seconds": 5.0,
            "long_profile_seconds": 5.0,
            "related_seconds": 5.0,
            "popular_seconds": 5.0,
            "ranker_seconds": 5.0,
        }
        values = {"bind": "127.0.0.1:0", "signing_key": KEY, **patient, **self.targets, **settings}
        gateway_settings = GatewaySettings(**values)
        services = await self._stack.enter_async_context(open_service(gateway_settings))
        address = await self._stack.enter_async_context(open_server(gateway_settings, services))
        return await self._stack.enter_async_context(grpc.aio.insecure_channel(address))

    async def replica(self, **settings):
        return GatewayServiceStub(await self.channel(**settings))


@pytest.fixture
async def gateway():
    async with contextlib.AsyncExitStack() as stack:
        yield GatewayUnderTest(stack)
