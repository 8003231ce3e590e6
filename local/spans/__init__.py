"""A small receiver of OpenTelemetry spans, for machines without Jaeger, and how to read them back."""

from local.spans.reading import Span, TraceSummary, read_trace, recent_traces

__all__ = ["Span", "TraceSummary", "read_trace", "recent_traces"]
