"""Spans and metrics of the encoder. Texts are never among them."""

from collections.abc import Iterable
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import Status, StatusCode
from opentelemetry.util.types import AttributeValue

from services.common.errors import ServiceError
from services.common.telemetry import DURATION_BUCKETS
from services.encoder.batching import DropReason, Lane
from services.encoder.encoding import EncodeRequest, EncodeResult
from services.encoder.engine import Encoder
from services.encoder.model import ModelDescription
from services.encoder.worker import Outcome

_TOKEN_BUCKETS: Final = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
_RATIO_BUCKETS: Final = (0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


class BatchMetrics:
    """Counts batches and dropped texts; the engine's `Observer`."""

    def __init__(self) -> None:
        meter = metrics.get_meter(__name__)
        self._seconds = meter.create_histogram(
            "zhiyin.encoder.batch.duration",
            unit="s",
            description="Time of one forward pass.",
            explicit_bucket_boundaries_advisory=DURATION_BUCKETS,
        )
        self._tokens = meter.create_histogram(
            "zhiyin.encoder.batch.tokens",
            unit="{token}",
            description="Tokens of one batch, padding not counted.",
            explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
        )
        self._fill = meter.create_histogram(
            "zhiyin.encoder.batch.fill",
            unit="1",
            description="Share of a batch that is not padding.",
            explicit_bucket_boundaries_advisory=_RATIO_BUCKETS,
        )
        self._dropped = meter.create_counter(
            "zhiyin.encoder.dropped", unit="{text}", description="Texts that left the queue without a vector."
        )
        self._failed = meter.create_counter(
            "zhiyin.encoder.failed", unit="{text}", description="Texts that the model failed on."
        )

    def batch_ended(self, outcome: Outcome) -> None:
        """Records a forward pass."""
        attributes = {"lane": outcome.lane.value}
        if outcome.error is not None:
            self._failed.add(len(outcome.jobs), attributes)
            return
        lengths = [job.tokens for job in outcome.jobs]
        self._seconds.record(outcome.seconds, attributes)
        self._tokens.record(sum(lengths), attributes)
        self._fill.record(sum(lengths) / (max(lengths) * len(lengths)), attributes)

    def dropped(self, reason: DropReason, texts: int) -> None:
        """Records texts that were dropped."""
        self._dropped.add(texts, {"reason": reason.value})


class TracedEncoder:
    """An encoder with a span around each call, and the queue's depth and waiting time as metrics."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._tracer = trace.get_tracer(__name__)
        meter = metrics.get_meter(__name__)
        self._waits = meter.create_histogram(
            "zhiyin.encoder.queue.duration",
            unit="s",
            description="Longest time that a text of a call waited for its batch.",
            explicit_bucket_boundaries_advisory=DURATION_BUCKETS,
        )
        meter.create_observable_gauge("zhiyin.encoder.queue.tokens", [self._waiting_tokens], unit="{token}")
        meter.create_observable_gauge("zhiyin.encoder.queue.texts", [self._waiting_texts], unit="{text}")

    @property
    def description(self) -> ModelDescription:
        """The loaded model."""
        return self._encoder.description

    async def encode(self, request: EncodeRequest) -> EncodeResult:
        """As the encoder's own `encode`."""
        identity = self.description.identity
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.request.model": identity.name,
            "gen_ai.embeddings.dimension.count": identity.dims,
            "zhiyin.encoder.texts": len(request.texts),
            "zhiyin.encoder.lane": request.lane.value,
        }
        with self._tracer.start_as_current_span(
            f"embeddings {identity.name}",
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                result = await self._encoder.encode(request)
            except ServiceError as error:
                span.set_attribute("error.type", error.reason)
                span.set_status(Status(StatusCode.ERROR))
                raise
            span.set_attribute("gen_ai.usage.input_tokens", result.tokens)
            span.set_attribute("zhiyin.encoder.queue_seconds", result.queue_seconds)
            span.set_attribute("zhiyin.encoder.compute_seconds", result.compute_seconds)
        self._waits.record(result.queue_seconds, {"lane": request.lane.value})
        return result

    def _waiting_tokens(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._encoder.queue_depth(lane).tokens, {"lane": lane.value}) for lane in Lane]

    def _waiting_texts(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._encoder.queue_depth(lane).texts, {"lane": lane.value}) for lane in Lane]
