"""What the indexer does, as traces, metrics and logs."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from services.common.errors import ServiceError
from services.retrieval.adapters.queue_gauges import PostgresQueues, QueueLength
from services.retrieval.indexing_ports import BatchReport, PendingChange

logger = logging.getLogger(__name__)
_MAX_LINKS: Final = 16
_LOOK_SECONDS: Final = 5.0
_STATES: Final = ("building", "ready", "active", "deleted")


class IndexingTelemetry:
    """A PassObserver and an IndexingMeter."""

    def __init__(self) -> None:
        meter = metrics.get_meter(__name__)
        self._tracer = trace.get_tracer(__name__)
        self._products = meter.create_counter("zhiyin.indexer.products", unit="{product}")
        self._vectors = meter.create_counter("zhiyin.indexer.vectors", unit="{vector}")
        self._offers = meter.create_counter("zhiyin.indexer.offers", unit="{product}")
        self._waiting = meter.create_gauge("zhiyin.outbox.changes", unit="{change}")
        self._age = meter.create_gauge("zhiyin.outbox.oldest", unit="s")
        self._states = meter.create_gauge("zhiyin.index.version", unit="1")
        self._told: set[frozenset[tuple[str, str]]] = set()

    @contextmanager
    def one_pass(self, changes: list[PendingChange]) -> Iterator[None]:
        """A trace of its own, linked to the calls whose changes it carries."""
        parents = dict.fromkeys(change.trace_parent for change in changes if change.trace_parent)
        links = [Link(_span_context(parent)) for parent in list(parents)[:_MAX_LINKS]]
        with self._tracer.start_as_current_span(
            "index products",
            context.Context(),
            SpanKind.CONSUMER,
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception:
                # Without the message, which OpenTelemetry would put into the span.
                span.set_status(Status(StatusCode.ERROR))
                raise

    def finished(self, report: BatchReport) -> None:
        """Counts of one pass."""
        outcomes = {
            "indexed": report.indexed,
            "words_only": report.words_only,
            "removed": report.removed,
            "given_up": report.given_up,
        }
        for outcome, count in outcomes.items():
            self._products.add(count, {"outcome": outcome})
        self._vectors.add(report.encoded, {"source": "encoded"})
        self._vectors.add(report.reused, {"source": "kept"})
        trace.get_current_span().set_attributes(
            {
                "zhiyin.index.taken": report.taken,
                "zhiyin.index.encoded": report.encoded,
                **{f"zhiyin.index.{outcome}": count for outcome, count in outcomes.items()},
            }
        )

    def offers_indexed(self, count: int) -> None:
        """Products whose offers a pass has written."""
        self._offers.add(count)

    def gave_up(self, change: PendingChange, reason: str) -> None:
        """The index refuses a product."""
        logger.error(
            "the index refuses a product",
            extra={"catalog": change.catalog, "product_id": change.product_id, "reason": reason},
        )

    def text_refused(self, product_id: str) -> None:
        """The encoder refuses a text."""
        logger.error("the encoder refuses a product's text", extra={"product_id": product_id})

    def offers_refused(self, product_id: str) -> None:
        """The index refuses a product's offers."""
        logger.error("the index refuses a product's offers", extra={"product_id": product_id})

    def part_away(self, part: str, error: ServiceError, seconds: float) -> None:
        """A part is left alone."""
        logger.warning(
            "indexing goes on without a part",
            extra={"part": part, "error": type(error).__name__, "reason": error.reason, "seconds": round(seconds, 3)},
        )

    async def watch(self, queues: PostgresQueues) -> None:
        """Reports which index versions there are, how much each waits for and for how long, until cancelled."""
        while True:
            try:
                lengths = await queues.lengths()
            except ServiceError:
                logger.info("the outbox cannot be counted")
            except Exception:  # the gauges must outlive a schema that is not there yet
                logger.exception("the outbox cannot be counted")
            else:
                self._report(lengths)
            await asyncio.sleep(_LOOK_SECONDS)

    def _report(self, lengths: Sequence[QueueLength]) -> None:
        told = set()
        for length in lengths:
            version = {"catalog": length.catalog, "version": str(length.version)}
            for state in _STATES:
                self._states.set(int(state == length.state), {**version, "state": state})
            for queue, changes, seconds in (
                ("products", length.products, length.products_seconds),
                ("offers", length.offers, length.offers_seconds),
            ):
                attributes = {**version, "queue": queue}
                self._waiting.set(changes, attributes)
                self._age.set(seconds, attributes)
                told.add(frozenset(attributes.items()))
        # A gauge keeps what it was told: of a version that is gone, that nothing waits for it.
        for gone in self._told - told:
            self._waiting.set(0, dict(gone))
            self._age.set(0.0, dict(gone))
        self._told = told


def _span_context(trace_parent: str) -> trace.SpanContext:
    return trace.get_current_span(
        propagate.extract({"traceparent": trace_parent}, context.Context())
    ).get_span_context()
