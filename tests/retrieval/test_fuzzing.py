"""Random bytes and random valid messages at every RPC: refused or answered, never INTERNAL or UNKNOWN."""

import random
from contextlib import suppress

import grpc
from hypothesis import HealthCheck, given, settings

from tests.contract.messages import messages
from zhiyin.retrieval.v1 import catalog_settings_service_pb2, index_admin_service_pb2, retrieval_service_pb2

MODULES = (catalog_settings_service_pb2, index_admin_service_pb2, retrieval_service_pb2)
REQUESTS = {
    f"/{service.full_name}/{method.name}": getattr(module, method.input_type.name)
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}
MESSAGES_EACH = 40


def samples(message_class):
    """Serialised random messages: drawn at once, since hypothesis and a running event loop do not mix."""
    drawn = []

    @settings(max_examples=MESSAGES_EACH, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(message=messages(message_class))
    def draw(message):
        drawn.append(message.SerializeToString())

    draw()
    return drawn


async def answered(call, data):
    """The status code of a call."""
    answer = call(data, timeout=5)
    with suppress(grpc.aio.AioRpcError):
        await answer
    return await answer.code()


async def test_no_request_whatever_makes_the_service_fail(shop):
    noise = random.Random(7)
    async with grpc.aio.insecure_channel(shop.address) as channel:
        for name, message_class in REQUESTS.items():
            call = channel.unary_unary(name)
            for data in [*samples(message_class), *[noise.randbytes(noise.randrange(1, 80)) for _ in range(20)]]:
                code = await answered(call, data)
                assert code not in FAULTS, name
