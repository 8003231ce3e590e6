"""The gRPC server: takes OTLP, and gives spans back.

Reading is two unary methods on the same port, with messages that exist already:

    /zhiyin.local.Spans/ReadTrace     google.protobuf.BytesValue (trace id, 16 bytes) -> TracesData
    /zhiyin.local.Spans/RecentTraces  google.protobuf.UInt32Value (how many)          -> TracesData, root spans only
"""

from typing import Any, TypeAlias

import grpc
from google.protobuf.wrappers_pb2 import BytesValue, UInt32Value
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from local.spans.store import SpanStore

READ_TRACE = "/zhiyin.local.Spans/ReadTrace"
RECENT_TRACES = "/zhiyin.local.Spans/RecentTraces"
CONCURRENT_CALLS = 64
Context: TypeAlias = "grpc.aio.ServicerContext[object, object]"  # generic in the stubs only


class TraceReceiver(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans."""

    def __init__(self, store: SpanStore) -> None:
        self._store = store

    async def Export(  # noqa: N802 - the method's name in the protocol
        self, request: trace_service_pb2.ExportTraceServiceRequest, _context: Context
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Keeps the spans."""
        self._store.add(request.resource_spans)
        return trace_service_pb2.ExportTraceServiceResponse()


class MetricsReceiver(metrics_service_pb2_grpc.MetricsServiceServicer):
    """Takes metrics, so that exporters are content, and drops them."""

    async def Export(  # noqa: N802 - the method's name in the protocol
        self, _request: metrics_service_pb2.ExportMetricsServiceRequest, _context: Context
    ) -> metrics_service_pb2.ExportMetricsServiceResponse:
        """Drops the metrics."""
        return metrics_service_pb2.ExportMetricsServiceResponse()


class Reader:
    """Gives spans back."""

    def __init__(self, store: SpanStore) -> None:
        self._store = store

    async def read_trace(self, request: BytesValue, _context: Context) -> TracesData:
        """One trace."""
        return self._store.trace(request.value)

    async def recent_traces(self, request: UInt32Value, _context: Context) -> TracesData:
        """The newest traces."""
        return self._store.recent(request.value)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Both methods, for a server."""
        methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            READ_TRACE.rpartition("/")[2]: grpc.unary_unary_rpc_method_handler(
                self.read_trace, BytesValue.FromString, TracesData.SerializeToString
            ),
            RECENT_TRACES.rpartition("/")[2]: grpc.unary_unary_rpc_method_handler(
                self.recent_traces, UInt32Value.FromString, TracesData.SerializeToString
            ),
        }
        return grpc.method_handlers_generic_handler("zhiyin.local.Spans", methods)


async def open_server(capacity: int, host: str, port: int) -> tuple[grpc.aio.Server, int]:
    """Starts a server with an empty store and returns it with its port.

    Raises:
        RuntimeError: The port is taken.
    """
    store = SpanStore(capacity)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)], maximum_concurrent_rpcs=CONCURRENT_CALLS)
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(TraceReceiver(store), server)  # type: ignore[no-untyped-call]
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(MetricsReceiver(), server)  # type: ignore[no-untyped-call]
    server.add_generic_rpc_handlers((Reader(store).handlers(),))
    bound = server.add_insecure_port(f"{host}:{port}")
    await server.start()
    return server, bound
