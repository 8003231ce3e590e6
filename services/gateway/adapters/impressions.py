"""Impressions on their way to feedback, in the background."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from opentelemetry import metrics, trace

from services.common.channels import Peer
from services.common.errors import ServiceError
from services.gateway.ranked_lists import ListRequest, ShownPage
from zhiyin.feedback.v1 import feedback_service_pb2 as pb

logger = logging.getLogger(__name__)
_BATCH: Final = 100
_ATTEMPTS: Final = 3
_PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Noted:
    catalog: str
    impression: pb.Impression
    origin: trace.SpanContext


class BackgroundImpressionLog:
    """A `ranked_lists.ImpressionLog`: a bounded queue that one task empties in batches.

    A search never waits for it. What does not fit, or cannot be recorded after a few attempts, is dropped and counted
    in `zhiyin.impressions.dropped`.
    """

    def __init__(self, peer: Peer, queue_size: int) -> None:
        self._record = peer.unary(
            "/zhiyin.feedback.v1.FeedbackService/RecordImpressions",
            pb.RecordImpressionsRequest,
            pb.RecordImpressionsResponse,
        )
        self._queue: asyncio.Queue[_Noted] = asyncio.Queue(queue_size)
        self._unrecorded = 0
        """Pages queued or on their way."""
        self._tracer = trace.get_tracer(__name__)
        self._dropped = metrics.get_meter(__name__).create_counter("zhiyin.impressions.dropped", unit="{page}")

    def record(self, surface: str, request: ListRequest, page: ShownPage, query: str = "") -> None:
        """Takes note of a page."""
        impression = _impression(surface, request, page, query)
        noted = _Noted(request.catalog, impression, trace.get_current_span().get_span_context())
        try:
            self._queue.put_nowait(noted)
            self._unrecorded += 1
        except asyncio.QueueFull:
            self._dropped.add(1, {"reason": "queue_full"})

    @asynccontextmanager
    async def running(self, flush_seconds: float) -> AsyncIterator[None]:
        """Records in the background inside; when left, what is queued gets `flush_seconds` to be recorded."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(flush_seconds):
                    await self._queue.join()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            if self._unrecorded:
                self._dropped.add(self._unrecorded, {"reason": "shutdown"})
                logger.warning("impressions were not recorded", extra={"count": self._unrecorded})

    async def _run(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            for catalog in dict.fromkeys(noted.catalog for noted in batch):
                await self._send(catalog, [noted for noted in batch if noted.catalog == catalog])
            for _ in batch:
                self._queue.task_done()
            self._unrecorded -= len(batch)

    async def _send(self, catalog: str, batch: Sequence[_Noted]) -> None:
        links = [trace.Link(noted.origin) for noted in batch if noted.origin.is_valid]
        request = pb.RecordImpressionsRequest(catalog=catalog, impressions=[noted.impression for noted in batch])
        with self._tracer.start_as_current_span(
            "record impressions", links=links, record_exception=False, set_status_on_exception=False
        ):
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    await self._record(request)
                except ServiceError as error:
                    if error.retry_after is None or attempt == _ATTEMPTS:
                        self._dropped.add(len(batch), {"reason": error.reason})
                        return
                    await asyncio.sleep(_PAUSE * attempt)
                else:
                    return


def _impression(surface: str, request: ListRequest, page: ShownPage, query: str) -> pb.Impression:
    impression = pb.Impression(
        impression_id=uuid.uuid4().bytes,
        attribution_id=page.attribution_id,
        visitor_id=request.visitor_id,
        surface=pb.Surface.Value(f"SURFACE_{surface}"),
        policy=page.policy,
        feature_schema=page.feature_schema,
        query=query,
    )
    impression.show_time.GetCurrentTime()
    for position, place in enumerate(page.places, page.first_position):
        if place.product_id in page.summaries:
            impression.products.add(
                product_id=place.product_id,
                position=position,
                score=place.score,
                propensity=place.propensity,
                features=place.features,
            )
    return impression
