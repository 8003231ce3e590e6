"""No bytes and no message, however odd, make a service answer INTERNAL or UNKNOWN, or take it down."""

from collections import Counter

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.contract.messages import messages
from tests.contract.services import methods, path, request_class
from zhiyin.common.v1 import product_pb2, write_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub

FORBIDDEN = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.DATA_LOSS,
}
REFUSED_BY_STATE = {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND}
"""What an index version that is not there, or not in that state, is answered with."""
CAREFUL = {
    "deadline": None,
    "derandomize": True,
    "phases": (Phase.generate, Phase.shrink),
    "suppress_health_check": list(HealthCheck),
}
RPCS = pytest.mark.parametrize(("name", "method"), methods(), ids=lambda value: getattr(value, "name", value))


def answer(stack, name, method, data):
    """The status of a call with these bytes as request."""
    with grpc.insecure_channel(stack.addresses[name]) as channel:
        call = channel.unary_unary(path(method), request_serializer=bytes, response_deserializer=bytes)
        try:
            call(data, timeout=20)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def keep_products(stack):
    """Has the products that requests name, in the index too."""
    products = [product_pb2.Product(id=f"p{number}", title="milk") for number in (1, 2, 3)]
    with grpc.insecure_channel(stack.addresses["gateway"]) as channel:
        request = pb.UpsertProductsRequest(
            catalog="fuzzed", products=products, wait_until=write_pb2.WAIT_UNTIL_SEARCHABLE
        )
        GatewayServiceStub(channel).UpsertProducts(request, timeout=20)


def healthy(stack, name):
    with grpc.insecure_channel(stack.addresses[name]) as channel:
        reply = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    return reply.status == health_pb2.HealthCheckResponse.SERVING


@RPCS
def test_random_bytes(stack, name, method):
    @settings(max_examples=25, **CAREFUL)
    @given(st.binary(max_size=200))
    def check(data):
        assert answer(stack, name, method, data) not in FORBIDDEN

    check()
    assert healthy(stack, name)


@RPCS
def test_random_messages(stack, name, method):
    answers = Counter()
    keep_products(stack)

    @settings(max_examples=150, **CAREFUL)
    @given(messages(request_class(method)))
    def check(message):
        code = answer(stack, name, method, message.SerializeToString())
        answers[code] += 1
        assert code not in FORBIDDEN

    check()
    past = {grpc.StatusCode.OK} | (REFUSED_BY_STATE if method.containing_service.name == "IndexAdminService" else set())
    assert past & answers.keys(), f"nothing got past the checks: {answers}"
    assert healthy(stack, name)
