"""Reads spans back from the receiver."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import grpc
from google.protobuf.wrappers_pb2 import BytesValue, UInt32Value
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from local.spans.server import READ_TRACE, RECENT_TRACES

READ_SECONDS = 5.0
Attribute: TypeAlias = str | bool | int | float


@dataclass(frozen=True, slots=True)
class Span:
    """One operation of a trace."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    parent_id: str
    """Id of the span that it is part of; empty for a root."""
    name: str
    """What was done, `zhiyin.gateway.v1.GatewayService/Search`."""
    service: str
    """Who did it: `service.name`."""
    kind: str
    """`server`, `client`, `internal`, `producer` or `consumer`."""
    start: int
    """Nanoseconds since the epoch, by the clock of the process."""
    end: int
    """As `start`."""
    is_error: bool
    """Whether its status is an error."""
    attributes: Mapping[str, Attribute]
    """Attributes with a plain value; lists are left out."""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end - self.start) / 1e9


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """A trace in a list."""

    trace_id: str
    root: Span


async def read_trace(address: str, trace_id: str) -> list[Span]:
    """The spans of a trace that have arrived at the receiver at `address`, by start. None where it is not known.

    Exporters send spans in batches, so the last ones arrive a moment after the reply.

    Raises:
        ValueError: `trace_id` is not hexadecimal.
        grpc.aio.AioRpcError: The receiver cannot be reached.
    """
    request = BytesValue(value=bytes.fromhex(trace_id))
    return sorted(_spans(await _call(address, READ_TRACE, request)), key=lambda span: span.start)


async def recent_traces(address: str, limit: int = 20) -> list[TraceSummary]:
    """The newest traces whose root has arrived, newest first, `limit` at most.

    Raises:
        grpc.aio.AioRpcError: The receiver cannot be reached.
    """
    roots = _spans(await _call(address, RECENT_TRACES, UInt32Value(value=limit)))
    return [TraceSummary(root.trace_id, root) for root in roots]


async def _call(address: str, method: str, request: BytesValue | UInt32Value) -> trace_pb2.TracesData:
    options = [("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
        reply = await call(request.SerializeToString(), timeout=READ_SECONDS)
        return trace_pb2.TracesData.FromString(reply)


def _spans(data: trace_pb2.TracesData) -> list[Span]:
    return [
        _span(span, str(_attributes(received.resource.attributes).get("service.name", "")))
        for received in data.resource_spans
        for scope in received.scope_spans
        for span in scope.spans
    ]


def _span(span: trace_pb2.Span, service: str) -> Span:
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        service=service,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        is_error=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        attributes=_attributes(span.attributes),
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Attribute]:
    plain = {"string_value", "bool_value", "int_value", "double_value"}
    kinds = ((pair, pair.value.WhichOneof("value")) for pair in pairs)
    return {pair.key: getattr(pair.value, kind) for pair, kind in kinds if kind in plain}
