"""What the gateway says of itself: health of each of its services, and reflection."""

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.contract.services import services

NAMES = [service.full_name for service in services("gateway")]


@pytest.mark.parametrize("name", ["", *NAMES])
async def test_every_service_is_serving(gateway, name):
    await gateway.start()
    stub = health_pb2_grpc.HealthStub(await gateway.channel())
    reply = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


async def test_the_health_of_a_service_of_retrieval_is_not_found_here(gateway):
    await gateway.start()
    stub = health_pb2_grpc.HealthStub(await gateway.channel())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="zhiyin.retrieval.v1.RetrievalService"), timeout=10)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_every_service_and_describes_it(gateway):
    await gateway.start()
    stub = reflection_pb2_grpc.ServerReflectionStub(await gateway.channel())
    asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
    asked += [reflection_pb2.ServerReflectionRequest(file_containing_symbol=name) for name in NAMES]
    listed, *files = [reply async for reply in stub.ServerReflectionInfo(iter(asked))]
    assert {service.name for service in listed.list_services_response.service} >= set(NAMES)
    for name, reply in zip(NAMES, files, strict=True):
        described = [
            FileDescriptorProto.FromString(file) for file in reply.file_descriptor_response.file_descriptor_proto
        ]
        assert name in {f"{file.package}.{service.name}" for file in described for service in file.service}
