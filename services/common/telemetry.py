"""Traces, metrics and logs of a process, set up once by the server.

Everything goes through OpenTelemetry; it is exported by OTLP when `OTEL_EXPORTER_OTLP_ENDPOINT` is set and costs
close to nothing when it is not. Logs are JSON lines on standard error that carry the trace id. Neither holds shoppers'
texts: an exception is logged by type and place, without its message, which may quote what somebody typed.
"""

import logging
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from pythonjsonlogger.json import JsonFormatter

from services.common.settings import ServiceSettings

DURATION_BUCKETS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.25,
    0.5,
    0.75,
    1,
    2.5,
    5,
    7.5,
    10,
)
"""Seconds; OpenTelemetry's advice for RPC durations, with two finer steps below 5 ms."""


@asynccontextmanager
async def open_telemetry(service: str, settings: ServiceSettings) -> AsyncIterator[None]:
    """Traces, metrics and logs of this process; everything recorded is flushed when it is left."""
    _configure_logs(service, settings.log_level)
    if settings.otlp_endpoint is None:
        yield
        return
    resource = Resource.create({"service.name": f"zhiyin-{service}", "service.namespace": "zhiyin"})
    insecure = not settings.otlp_endpoint.startswith("https://")
    tracer_provider = TracerProvider(
        resource=resource,
        sampler=ParentBased(TraceIdRatioBased(settings.trace_sample_ratio)),
        shutdown_on_exit=False,
    )
    spans = OTLPSpanExporter(endpoint=settings.otlp_endpoint, insecure=insecure, timeout=5)
    tracer_provider.add_span_processor(BatchSpanProcessor(spans, schedule_delay_millis=500))
    trace.set_tracer_provider(tracer_provider)
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(endpoint=settings.otlp_endpoint, insecure=insecure, timeout=5),
        export_interval_millis=settings.metric_export_seconds * 1000,
    )
    meter_provider = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
    metrics.set_meter_provider(meter_provider)
    try:
        yield
    finally:
        tracer_provider.shutdown()
        meter_provider.shutdown(timeout_millis=5000)


class _LogFormatter(JsonFormatter):
    """One JSON object a line: time, severity, service, logger, message, trace and span id, then the extra fields."""

    def __init__(self, service: str) -> None:
        super().__init__("%(message)s", json_ensure_ascii=False)
        self._service = service

    def add_fields(self, log_record: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        super().add_fields(log_record, record, message_dict)
        log_record["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_record["severity"] = record.levelname
        log_record["service"] = self._service
        log_record["logger"] = record.name
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            log_record["trace_id"] = trace.format_trace_id(span.trace_id)
            log_record["span_id"] = trace.format_span_id(span.span_id)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name that logging calls
        """Type and place of an exception and of its causes, without any message."""
        return "\n".join(_without_messages(ei[1]))


def _without_messages(exc: BaseException | None) -> list[str]:
    lines: list[str] = []
    while exc is not None:
        lines.append(f"{type(exc).__module__}.{type(exc).__qualname__}")
        frames = traceback.extract_tb(exc.__traceback__)
        lines.extend(f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    return lines


def _configure_logs(service: str, level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LogFormatter(service))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
