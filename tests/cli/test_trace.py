"""`zhiyin trace`: the tree that the spans of a trace make, whatever order they arrive in."""

import asyncio
import itertools
import re
import threading

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from cli.trace_tree import trace_tree
from local.spans import Span
from local.spans.server import open_server
from tests.cli.conftest import json_lines

TRACE = "0123456789abcdef" * 2


def span(span_id, parent_id="", start=0, end=10, **given):
    values = {"name": span_id, "service": "zhiyin-gateway", "kind": "server", "is_error": False, "attributes": {}}
    return Span(TRACE, span_id, parent_id, start=start, end=end, **{**values, **given})


def outline(nodes):
    return [(node.span.span_id, outline(node.children)) if node.children else node.span.span_id for node in nodes]


def test_children_stand_below_their_parent_in_the_order_of_their_start():
    spans = [span("a"), span("b", "a", 5), span("c", "a", 2), span("d", "c", 3)]
    for order in itertools.permutations(spans):
        assert outline(trace_tree(order)) == [("a", [("c", ["d"]), "b"])]


def test_siblings_that_start_at_once_are_ordered_by_id():
    assert outline(trace_tree([span("c", "a", 1), span("b", "a", 1), span("a")])) == [("a", ["b", "c"])]


def test_a_caller_that_records_nothing_makes_no_orphans_of_what_it_called():
    nodes = trace_tree([span("a", "caller", 0), span("b", "a", 1), span("c", "caller", 5)])
    assert outline(nodes) == [("a", ["b"]), "c"]
    assert not any(node.is_orphan for node in nodes)


def test_a_span_whose_parent_is_missing_is_shown_as_an_orphan():
    nodes = trace_tree([span("a", "caller"), span("x", "lost", 4), span("y", "x", 5)])
    assert outline(nodes) == ["a", ("x", ["y"])]
    assert [node.is_orphan for node in nodes] == [False, True]


def test_spans_in_a_circle_are_shown_and_not_walked_for_ever():
    nodes = trace_tree([span("a"), span("x", "y", 1), span("y", "x", 2), span("z", "z", 3)])
    assert outline(nodes) == ["a", ("x", ["y"]), "z"]


def test_a_span_that_was_exported_twice_is_shown_once():
    assert outline(trace_tree([span("a"), span("b", "a"), span("b", "a")])) == [("a", ["b"])]


def test_offsets_are_from_the_begin_of_the_trace():
    (node,) = trace_tree([span("a", start=1_000_000_000), span("b", "a", start=1_002_500_000)])
    assert (node.offset, node.children[0].offset) == (0.0, pytest.approx(0.0025))


def test_a_trace_without_spans_is_empty():
    assert trace_tree([]) == ()


@pytest.fixture
def receiver():
    """The real receiver of the stack, on a thread of its own."""
    loop, stop, bound = asyncio.new_event_loop(), asyncio.Event(), []
    listening = threading.Event()

    async def serve():
        server, port = await open_server(1000, "127.0.0.1", 0)
        bound.append(port)
        listening.set()
        await stop.wait()
        await server.stop(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert listening.wait(10)
    yield f"127.0.0.1:{bound[0]}"
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def export(address, *spans):
    request = trace_service_pb2.ExportTraceServiceRequest()
    for service, span_id, parent_id, name, start, end, code in spans:
        received = request.resource_spans.add()
        received.resource.attributes.add(key="service.name").value.string_value = service
        received.scope_spans.add().spans.add(
            trace_id=bytes.fromhex(TRACE),
            span_id=span_id.to_bytes(8, "big"),
            parent_span_id=parent_id.to_bytes(8, "big"),
            name=name,
            start_time_unix_nano=start,
            end_time_unix_nano=end,
            kind=trace_pb2.Span.SPAN_KIND_SERVER,
            status=trace_pb2.Status(code=code),
        )
    with grpc.insecure_channel(address) as channel:
        trace_service_pb2_grpc.TraceServiceStub(channel).Export(request)


def test_the_tree_of_a_trace_is_printed_with_durations_and_errors(receiver, zhiyin):
    ms = 1_000_000
    export(receiver, ("zhiyin-ranker", 3, 2, "zhiyin.ranker.v1.RankerService/RankCandidates", 4 * ms, 6 * ms, 2))
    export(receiver, ("zhiyin-gateway", 2, 1, "zhiyin.gateway.v1.GatewayService/Search", 1 * ms, 11 * ms, 0))
    result = zhiyin("trace", TRACE, "--spans", receiver)
    assert result.exit_code == 0
    assert [line.strip() for line in result.stdout.splitlines()] == [
        f"trace {TRACE}",
        "└── GatewayService/Search  gateway server  10.0 ms  at 0.0",
        "└── RankerService/RankCandidates  ranker server  2.0 ms  at 3.0  ERROR",
    ]


def test_the_tree_is_one_object_for_programs(receiver, zhiyin):
    export(receiver, ("s", 2, 1, "a", 0, 10, 0), ("s", 3, 2, "b", 1, 5, 0))
    (printed,) = json_lines(zhiyin("trace", TRACE, "--spans", receiver, "--json").stdout)
    assert printed["trace_id"] == TRACE
    assert [child["name"] for child in printed["spans"][0]["children"]] == ["b"]


def test_spans_that_arrive_a_moment_later_are_waited_for(receiver, zhiyin):
    later = threading.Timer(0.3, export, (receiver, ("s", 2, 1, "late", 0, 10, 0)))
    later.start()
    result = zhiyin("trace", TRACE, "--spans", receiver)
    later.join()
    assert "late" in result.stdout


@pytest.mark.parametrize(
    ("trace_id", "status", "message"),
    [("xyz", 2, "32 hex digits"), (TRACE, 1, "no span of this trace has arrived")],
)
def test_a_trace_that_cannot_be_shown_says_why(receiver, zhiyin, trace_id, status, message):
    result = zhiyin("trace", trace_id, "--spans", receiver, "--wait", 0)
    assert (result.exit_code, result.stdout) == (status, "")
    assert re.search(message, result.stderr)


def test_a_receiver_that_is_not_there_says_how_to_start_it(zhiyin):
    result = zhiyin("trace", TRACE, "--spans", "127.0.0.1:9")
    assert result.exit_code == 1
    assert "no span receiver answers at 127.0.0.1:9" in result.stderr
