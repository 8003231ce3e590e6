import asyncio

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.common import errors
from services.common.channels import open_peer
from services.common.deadlines import deadline_after, time_left
from services.common.server import open_server
from services.common.settings import ServiceSettings, TransportSettings
from tests.common.conftest import NAME, ScriptedServicer, registration
from zhiyin.encoder.v1 import encoder_service_pb2 as pb

METHOD = f"/{NAME}/GetModel"


async def fine():
    return pb.GetModelResponse(max_tokens=7)


def get_model(peer):
    return peer.unary(METHOD, pb.GetModelRequest, pb.GetModelResponse)


@pytest.fixture(scope="module")
def spans():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


async def test_a_peer_gets_the_time_that_is_left_minus_the_reserve(serve):
    async def left():
        return pb.GetModelResponse(max_tokens=round(time_left() * 1000))

    async with serve(left) as (_, _, address), open_peer("encoder", address, TransportSettings()) as peer:
        call = get_model(peer)
        with deadline_after(3.0):
            assert 1500 < (await call(pb.GetModelRequest(), reserve=1.0)).max_tokens <= 2100
        assert 500 < (await call(pb.GetModelRequest(), at_most=1.0)).max_tokens <= 1100
        with deadline_after(0.5), pytest.raises(errors.DeadlineExceeded):
            await call(pb.GetModelRequest(), reserve=0.6)


async def test_a_request_arrives_as_it_was_sent(serve):
    async with serve(fine) as (servicer, _, address), open_peer("encoder", address, TransportSettings()) as peer:
        encode = peer.unary(f"/{NAME}/EncodeTexts", pb.EncodeTextsRequest, pb.EncodeTextsResponse)
        await encode(pb.EncodeTextsRequest(texts=["牛奶", "milk"]))
    assert servicer.texts == ["牛奶", "milk"]


async def test_a_peers_refusal_keeps_reason_fields_metadata_and_retry_hint(serve):
    refusals = iter(
        [
            errors.InvalidArgument([errors.Violation("texts[3]", "too long", "TOO_LONG")]),
            errors.ResourceExhausted("full", reason="QUEUE_FULL", retry_after=0.5, metadata={"limit": "10"}),
        ]
    )

    async def refuse():
        raise next(refusals)

    async with serve(refuse) as (_, _, address), open_peer("encoder", address, TransportSettings()) as peer:
        with pytest.raises(errors.InvalidArgument) as invalid:
            await get_model(peer)(pb.GetModelRequest())
        assert [(v.field, v.description, v.reason) for v in invalid.value.violations] == [
            ("texts[3]", "too long", "TOO_LONG")
        ]
        with pytest.raises(errors.ResourceExhausted) as full:
            await get_model(peer)(pb.GetModelRequest())
        assert (full.value.reason, full.value.retry_after) == ("QUEUE_FULL", 0.5)
        assert full.value.metadata == {"limit": "10", "peer": "encoder"}


async def test_what_a_server_decided_itself_is_never_retried_below(serve):
    async def away():
        raise errors.Unavailable("the index is away", retry_after=1.0)

    async with serve(away) as (servicer, _, address), open_peer("encoder", address, TransportSettings()) as peer:
        with pytest.raises(errors.Unavailable):
            await get_model(peer)(pb.GetModelRequest())
        assert servicer.calls == 1


async def test_a_peer_that_is_away_is_unavailable_with_a_retry_hint_within_the_time():
    async with open_peer("encoder", "dns:///127.0.0.1:1", TransportSettings()) as peer:
        with deadline_after(2.0), pytest.raises(errors.Unavailable) as away:
            await get_model(peer)(pb.GetModelRequest())
    assert away.value.reason == "ENCODER_UNAVAILABLE"
    assert away.value.retry_after == 1.0


async def test_a_peer_that_restarts_is_called_again_without_a_restart_here():
    settings = ServiceSettings()
    async with open_server(settings, [registration(ScriptedServicer(fine))]) as address:
        peer_context = open_peer("encoder", f"dns:///{address}", TransportSettings())
        peer = await peer_context.__aenter__()
        call = get_model(peer)
        assert (await call(pb.GetModelRequest())).max_tokens == 7
    with pytest.raises(errors.Unavailable):
        await call(pb.GetModelRequest(), at_most=1.0)
    async with open_server(ServiceSettings(bind=address), [registration(ScriptedServicer(fine))]):
        async with asyncio.timeout(10):
            while True:
                try:
                    assert (await call(pb.GetModelRequest())).max_tokens == 7
                except errors.Unavailable:
                    await asyncio.sleep(0.05)
                else:
                    break
    await peer_context.__aexit__(None, None, None)


async def test_calls_go_to_all_replicas_in_turn():
    replicas = [ScriptedServicer(fine), ScriptedServicer(fine)]
    async with (
        open_server(ServiceSettings(), [registration(replicas[0])]) as first,
        open_server(ServiceSettings(), [registration(replicas[1])]) as second,
        open_peer("encoder", f"ipv4:{first},{second}", TransportSettings()) as peer,
    ):
        for _ in range(40):
            await get_model(peer)(pb.GetModelRequest())
    assert min(replica.calls for replica in replicas) >= 10


async def test_client_and_server_span_share_a_trace_and_carry_the_code(serve, spans):
    async def refuse():
        raise errors.Unavailable("away", reason="INDEX_AWAY", retry_after=1.0)

    spans.clear()
    async with serve(refuse) as (_, _, address), open_peer("encoder", address, TransportSettings()) as peer:
        with pytest.raises(errors.Unavailable) as caught:
            await get_model(peer)(pb.GetModelRequest())
    assert caught.value.reason == "INDEX_AWAY"
    server, client = sorted(spans.get_finished_spans(), key=lambda span: span.kind.name, reverse=True)
    assert (client.kind, server.kind) == (trace.SpanKind.CLIENT, trace.SpanKind.SERVER)
    assert server.name == client.name == f"{NAME}/GetModel"
    assert server.parent.span_id == client.context.span_id
    assert server.context.trace_id == client.context.trace_id
    for span in (server, client):
        assert span.attributes["rpc.response.status_code"] == "UNAVAILABLE"
        assert span.attributes["rpc.system.name"] == "grpc"
        assert not span.status.is_ok
        assert not span.events
    assert client.attributes["server.address"] == address


async def test_a_refusal_that_is_the_callers_doing_does_not_fail_the_server_span(serve, spans):
    async def refuse():
        raise errors.invalid("page_size", "must be 0 or more")

    spans.clear()
    async with serve(refuse) as (_, channel, _):
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=bytes)(b"", timeout=5)
    (server,) = spans.get_finished_spans()
    assert server.attributes["rpc.response.status_code"] == "INVALID_ARGUMENT"
    assert server.status.status_code is trace.StatusCode.UNSET


async def test_concurrent_calls_keep_their_own_parents(serve, spans):
    spans.clear()
    tracer = trace.get_tracer("test")
    async with serve(fine) as (_, _, address), open_peer("encoder", address, TransportSettings()) as peer:

        async def one(number):
            with tracer.start_as_current_span(f"request {number}"):
                await get_model(peer)(pb.GetModelRequest())

        await asyncio.gather(*(one(number) for number in range(20)))
    finished = {span.context.span_id: span for span in spans.get_finished_spans()}
    roots = [span for span in finished.values() if span.name.startswith("request")]
    assert len(roots) == 20
    for span in finished.values():
        if span.kind is trace.SpanKind.SERVER:
            client = finished[span.parent.span_id]
            assert finished[client.parent.span_id] in roots
            assert span.context.trace_id == finished[client.parent.span_id].context.trace_id


async def test_connections_are_renewed_by_age_without_a_failed_call(serve):
    peers = set()

    async def fine_and_noted():
        peers.add(servicer.context.peer())
        return pb.GetModelResponse(max_tokens=7)

    async with (
        serve(fine_and_noted, max_connection_age_seconds=0.3) as (servicer, _, address),
        open_peer("encoder", f"dns:///{address}", TransportSettings()) as peer,
    ):
        async with asyncio.timeout(20):
            while len(peers) < 3:
                assert (await get_model(peer)(pb.GetModelRequest())).max_tokens == 7
                await asyncio.sleep(0.01)
