"""The newest spans, in memory."""

from collections.abc import Iterable

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData


class SpanStore:
    """Spans by trace, bounded by their number: the trace that was silent longest leaves first."""

    def __init__(self, capacity: int) -> None:
        """`capacity` is the number of spans kept."""
        self._capacity = capacity
        self._traces: dict[bytes, list[ResourceSpans]] = {}
        self._count = 0

    def add(self, received: Iterable[ResourceSpans]) -> None:
        """Takes the spans of one export."""
        for resource_spans in received:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    self._add(resource_spans, scope_spans, span)
        while self._count > self._capacity:
            self._count -= len(self._traces.pop(next(iter(self._traces))))

    def trace(self, trace_id: bytes) -> TracesData:
        """The spans of a trace that have arrived; none where it is not known."""
        return TracesData(resource_spans=self._traces.get(trace_id, []))

    def recent(self, limit: int) -> TracesData:
        """The spans without parent of the newest traces, newest first."""
        newest = list(reversed(self._traces.values()))[:limit]
        roots = [spans for trace in newest for spans in trace if not _span(spans).parent_span_id]
        return TracesData(resource_spans=roots)

    def _add(self, resource_spans: ResourceSpans, scope_spans: ScopeSpans, span: Span) -> None:
        alone = ResourceSpans(
            resource=resource_spans.resource, scope_spans=[ScopeSpans(scope=scope_spans.scope, spans=[span])]
        )
        trace = self._traces.pop(span.trace_id, [])
        trace.append(alone)
        self._traces[span.trace_id] = trace
        self._count += 1


def _span(resource_spans: ResourceSpans) -> Span:
    return resource_spans.scope_spans[0].spans[0]
