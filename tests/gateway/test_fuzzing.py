"""Random bytes and random valid messages at every RPC of the gateway: answered or refused, never its own fault."""

import random
from contextlib import suppress

import grpc
import pytest
from hypothesis import HealthCheck, given, settings

from tests.contract.messages import messages
from tests.contract.services import path, request_class, services

METHODS = [method for service in services("gateway") for method in service.methods]
FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED}


def samples(message_class):
    """Serialised random messages: drawn at once, since hypothesis and a running event loop do not mix."""
    drawn = []

    @settings(max_examples=60, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(message=messages(message_class))
    def draw(message):
        drawn.append(message.SerializeToString())

    draw()
    return drawn


async def answered(call, data):
    """The status code of a call."""
    answer = call(data, timeout=10)
    with suppress(grpc.aio.AioRpcError):
        await answer
    return await answer.code()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_no_request_whatever_makes_the_gateway_fail(gateway, method):
    gateway.retrieval.titles |= {"p1": "milk", "p2": "牛奶", "p3": "tea"}
    await gateway.start()
    call = (await gateway.channel()).unary_unary(path(method))
    noise = random.Random(7)
    codes = set()
    for data in [*samples(request_class(method)), *[noise.randbytes(noise.randrange(1, 80)) for _ in range(20)]]:
        codes.add(await answered(call, data))
    assert not codes & FAULTS
    assert {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT} <= codes
