import asyncio
import contextlib
import signal
import sys

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.common import errors
from services.common.deadlines import time_left
from services.common.server import _listen
from services.common.settings import ServiceSettings
from tests.common.conftest import NAME, ScriptedServicer, registration
from tests.refusals import refusal
from zhiyin.encoder.v1 import encoder_service_pb2 as pb
from zhiyin.encoder.v1 import encoder_service_pb2_grpc as rpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def fine():
    return pb.GetModelResponse(max_tokens=7)


async def health_of(channel, name):
    stub = health_pb2_grpc.HealthStub(channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)).status


ERRORS = [
    (errors.InvalidArgument([errors.Violation("page_size", "must be 0 or more", "OUT_OF_RANGE")]), "INVALID_ARGUMENT"),
    (errors.NotFound("no such product", reason="PRODUCT_NOT_FOUND", metadata={"product_id": "p1"}), "NOT_FOUND"),
    (errors.FailedPrecondition("another model", reason="MODEL_NOT_LOADED"), "FAILED_PRECONDITION"),
    (errors.Aborted("changed meanwhile"), "ABORTED"),
    (errors.ResourceExhausted("queue full", retry_after=0.25), "RESOURCE_EXHAUSTED"),
    (errors.Unavailable("away", retry_after=1.5), "UNAVAILABLE"),
    (errors.DeadlineExceeded("over"), "DEADLINE_EXCEEDED"),
]


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=[code for _, code in ERRORS])
async def test_every_service_error_becomes_its_status_with_details(serve, error, code):
    async def refuse():
        raise error

    async with serve(refuse) as (_, channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.EncoderServiceStub(channel).GetModel(pb.GetModelRequest(), timeout=5)
    told = refusal(caught.value)
    assert told.code.name == code
    assert told.domain == "zhiyin"
    assert told.reason == error.reason
    assert told.metadata == error.metadata
    assert told.retry_seconds == error.retry_after
    assert told.fields == {v.field: v.reason for v in getattr(error, "violations", ())}


async def test_an_unforeseen_fault_tells_the_caller_a_request_id_and_nothing_else(serve):
    async def crash():
        raise RuntimeError("the shopper typed: secret words")

    async with serve(crash) as (_, channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.EncoderServiceStub(channel).GetModel(pb.GetModelRequest(), timeout=5)
    told = refusal(caught.value)
    assert told.code is grpc.StatusCode.INTERNAL
    assert "secret" not in repr(caught.value)
    assert told.message == f"internal error, request id {told.metadata['request_id']}"


async def test_bytes_that_are_no_message_are_an_invalid_argument(serve):
    async with serve(fine) as (servicer, channel, _):
        raw = channel.unary_unary(f"/{NAME}/EncodeTexts", request_serializer=bytes, response_deserializer=bytes)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await raw(b"\x0a\xff", timeout=5)
        assert refusal(caught.value).fields == {"request": "MALFORMED"}
        assert (await rpc.EncoderServiceStub(channel).GetModel(pb.GetModelRequest(), timeout=5)).max_tokens == 7
    assert servicer.calls == 1


async def test_health_knows_the_server_each_service_and_no_other_name(serve):
    async with serve(fine) as (_, channel, _):
        assert await health_of(channel, "") == SERVING
        assert await health_of(channel, NAME) == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health_of(channel, "nobody")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_is_not_serving_and_calls_are_unavailable_until_the_service_is_wired():
    async with (
        _listen(ServiceSettings(), [NAME]) as listener,
        grpc.aio.insecure_channel(listener.address) as channel,
    ):
        assert await health_of(channel, "") == NOT_SERVING
        assert await health_of(channel, NAME) == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.EncoderServiceStub(channel).GetModel(pb.GetModelRequest(), timeout=5)
        told = refusal(caught.value)
        assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "STARTING")
        assert told.retry_seconds == 1.0
        async with listener.serving([registration(ScriptedServicer(fine))]):
            assert await health_of(channel, NAME) == SERVING
            assert (await rpc.EncoderServiceStub(channel).GetModel(pb.GetModelRequest(), timeout=5)).max_tokens == 7


async def test_health_watch_sees_a_worker_that_hangs_and_recovers(serve):
    healthy = True

    async def is_healthy():
        return healthy

    async with serve(fine, is_healthy) as (_, channel, _):
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=NAME), timeout=20)
        assert (await watch.read()).status == SERVING
        healthy = False
        assert (await watch.read()).status == NOT_SERVING
        healthy = True
        assert (await watch.read()).status == SERVING
        watch.cancel()


async def test_reflection_lists_the_services(serve):
    async with serve(fine) as (_, channel, _):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=5)
        reply = await call.read()
        names = {service.name for service in reply.list_services_response.service}
        call.cancel()
    assert {NAME, "grpc.health.v1.Health"} <= names


async def test_a_call_in_progress_finishes_while_the_server_drains():
    started, release = asyncio.Event(), asyncio.Event()

    async def slow():
        started.set()
        await release.wait()
        return pb.GetModelResponse(max_tokens=3)

    async with contextlib.AsyncExitStack() as stack:
        listener = await stack.enter_async_context(_listen(ServiceSettings(drain_seconds=10), [NAME]))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(listener.address))
        serving = listener.serving([registration(ScriptedServicer(slow))])
        await serving.__aenter__()
        in_progress = rpc.EncoderServiceStub(channel).GetModel(pb.GetModelRequest(), timeout=20)
        await started.wait()
        draining = asyncio.create_task(serving.__aexit__(None, None, None))
        await asyncio.sleep(0.2)
        assert not draining.done()
        release.set()
        assert (await in_progress).max_tokens == 3
        await draining


async def test_a_caller_without_a_deadline_gets_the_default_and_no_caller_more_than_the_maximum(serve):
    async def left():
        return pb.GetModelResponse(max_tokens=round(time_left()))

    async with serve(left, default_deadline_seconds=42, max_deadline_seconds=99) as (_, channel, _):
        stub = rpc.EncoderServiceStub(channel)
        assert (await stub.GetModel(pb.GetModelRequest())).max_tokens == 42
        assert (await stub.GetModel(pb.GetModelRequest(), timeout=30)).max_tokens in {29, 30}
        assert (await stub.GetModel(pb.GetModelRequest(), timeout=5000)).max_tokens == 99


async def test_work_ends_when_its_caller_has_gone(serve):
    ended = asyncio.Event()
    started = asyncio.Event()

    async def endless():
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serve(endless) as (_, channel, _):
        call = rpc.EncoderServiceStub(channel).GetModel(pb.GetModelRequest(), timeout=60)
        await asyncio.wait_for(started.wait(), 10)
        call.cancel()
        await asyncio.wait_for(ended.wait(), 10)


async def test_calls_beyond_the_limit_are_refused_with_a_hint_and_the_next_one_works(serve):
    release = asyncio.Event()

    async def wait():
        await release.wait()
        return pb.GetModelResponse()

    async with serve(wait, max_concurrent_calls=2) as (servicer, channel, _):
        stub = rpc.EncoderServiceStub(channel)
        held = [stub.GetModel(pb.GetModelRequest(), timeout=30) for _ in range(2)]
        while servicer.calls < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetModel(pb.GetModelRequest(), timeout=30)
        told = refusal(caught.value)
        assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
        assert told.retry_seconds == pytest.approx(0.1)
        release.set()
        await asyncio.gather(*held)
        await stub.GetModel(pb.GetModelRequest(), timeout=30)


async def test_messages_above_grpcs_four_mebibytes_pass_up_to_the_setting(serve):
    async def large():
        return pb.GetModelResponse(query_prompt="x" * (6 << 20))

    limit = 8 << 20
    async with serve(large, max_message_bytes=limit) as (_, _, address):
        options = [("grpc.max_receive_message_length", limit), ("grpc.max_send_message_length", 64 << 20)]
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            stub = rpc.EncoderServiceStub(channel)
            assert len((await stub.GetModel(pb.GetModelRequest(), timeout=30)).query_prompt) == 6 << 20
            too_large = pb.EncodeTextsRequest(texts=["x" * (9 << 20)])
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.EncodeTexts(too_large, timeout=30)
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            await stub.EncodeTexts(pb.EncodeTextsRequest(texts=["x"]), timeout=30)


SERVICE_PROGRAM = """
from contextlib import asynccontextmanager
from services.common.server import run
from services.common.settings import ServiceSettings

@asynccontextmanager
async def open_service(settings):
    print("open", flush=True)
    yield []
    print("closed", flush=True)

run("encoder", ServiceSettings, open_service)
"""


async def test_sigterm_drains_closes_and_ends_with_status_zero():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVICE_PROGRAM, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert await process.stdout.readline() == b"open\n"
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"closed\n"
    assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_a_request_with_thousands_of_faults_is_still_told_about_the_first_ones(serve):
    async def refuse():
        raise errors.InvalidArgument(
            [
                errors.Violation(f"products[{n}].title", "must be at most 1000 characters" * 3, "TOO_LONG")
                for n in range(5000)
            ]
        )

    async with serve(refuse) as (_, channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.EncoderServiceStub(channel).GetModel(pb.GetModelRequest(), timeout=5)
    told = refusal(caught.value)
    assert told.code is grpc.StatusCode.INVALID_ARGUMENT
    assert list(told.fields) == [f"products[{n}].title" for n in range(errors.MAX_VIOLATIONS)]
    assert told.message.endswith("and 4997 more")
