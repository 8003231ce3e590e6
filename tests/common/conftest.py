from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import pytest

from services.common.server import Registration, open_server
from services.common.settings import ServiceSettings
from zhiyin.encoder.v1 import encoder_service_pb2 as pb
from zhiyin.encoder.v1 import encoder_service_pb2_grpc as rpc

NAME = "zhiyin.encoder.v1.EncoderService"


class ScriptedServicer(rpc.EncoderServiceServicer):
    """Answers GetModel by whatever the test says."""

    def __init__(self, answer: Callable[[], Awaitable[pb.GetModelResponse]]) -> None:
        self.answer = answer
        self.calls = 0

    async def GetModel(self, request, context):
        self.calls += 1
        self.context = context
        return await self.answer()

    async def EncodeTexts(self, request, context):
        self.texts = list(request.texts)
        return pb.EncodeTextsResponse()


def registration(servicer, is_healthy=None):
    return Registration(NAME, lambda server: rpc.add_EncoderServiceServicer_to_server(servicer, server), is_healthy)


@pytest.fixture
def serve():
    @asynccontextmanager
    async def _serve(answer, is_healthy=None, **settings):
        servicer = ScriptedServicer(answer)
        async with (
            open_server(ServiceSettings(**settings), [registration(servicer, is_healthy)]) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            yield servicer, channel, address

    return _serve
