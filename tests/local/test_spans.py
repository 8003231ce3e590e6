import asyncio
import sys

import pytest
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from local.processes import free_port
from local.program import Program, is_receiving
from local.spans import read_trace, recent_traces
from local.spans.server import open_server


@pytest.fixture
async def address():
    server, port = await open_server(capacity=100, host="127.0.0.1", port=0)
    yield f"127.0.0.1:{port}"
    await server.stop(0.1)


def export_a_search(address: str) -> str:
    exporter = OTLPSpanExporter(endpoint=f"http://{address}", insecure=True)
    provider = TracerProvider(resource=Resource({"service.name": "gateway"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("Search", kind=SpanKind.SERVER) as root:
        root.set_attribute("rpc.system.name", "grpc")
        root.set_attribute("results", 20)
        with tracer.start_as_current_span("SearchCandidates", kind=SpanKind.CLIENT) as child:
            child.set_status(Status(StatusCode.ERROR))
    provider.shutdown()
    return format(root.get_span_context().trace_id, "032x")


async def test_a_trace_comes_back_with_its_tree(address):
    trace_id = await asyncio.to_thread(export_a_search, address)
    root, child = await read_trace(address, trace_id)
    assert (root.name, root.kind, root.service, root.parent_id) == ("Search", "server", "gateway", "")
    assert (child.name, child.kind, child.parent_id) == ("SearchCandidates", "client", root.span_id)
    assert (root.is_error, child.is_error) == (False, True)
    assert root.attributes == {"rpc.system.name": "grpc", "results": 20}
    assert root.seconds >= child.seconds > 0


async def test_recent_traces_come_newest_first_and_unknown_ones_are_empty(address):
    first = await asyncio.to_thread(export_a_search, address)
    second = await asyncio.to_thread(export_a_search, address)
    assert [trace.trace_id for trace in await recent_traces(address)] == [second, first]
    assert [trace.root.name for trace in await recent_traces(address, limit=1)] == ["Search"]
    assert await read_trace(address, "0" * 32) == []


async def test_the_oldest_traces_leave_when_the_store_is_full(address):
    traces = [await asyncio.to_thread(export_a_search, address) for _ in range(60)]  # two spans each, 100 kept
    kept = [trace.trace_id for trace in await recent_traces(address, limit=100)]
    assert kept == traces[:-51:-1]


async def test_metrics_are_accepted(address):
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("test").create_counter("calls").add(1)
    exporter = OTLPMetricExporter(endpoint=f"http://{address}", insecure=True)
    result = await asyncio.to_thread(exporter.export, reader.get_metrics_data())
    exporter.shutdown()
    provider.shutdown()
    assert result is MetricExportResult.SUCCESS


async def test_the_receiver_runs_as_a_process(stack_directory):
    port = free_port()
    command = [sys.executable, "-m", "local.spans", "--port", str(port)]
    address = f"127.0.0.1:{port}"
    async with Program(command, address=address, log=stack_directory / "log", probe=is_receiving):
        trace_id = await asyncio.to_thread(export_a_search, address)
        assert len(await read_trace(address, trace_id)) == 2
