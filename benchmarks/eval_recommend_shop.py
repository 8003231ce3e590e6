"""A shop on the one-machine stack that is told what real visitors did: catalogues, and their histories as events."""

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import grpc

from benchmarks.recommend_data import BehaviourSet, Choice, Visitor
from local.assembly import Assembly, assemble
from local.config import StackSettings
from local.processes import LocalError
from local.stack import Stack
from services.common.settings import load
from zhiyin.common.v1 import user_event_pb2
from zhiyin.common.v1.product_pb2 import Product
from zhiyin.common.v1.write_pb2 import WAIT_UNTIL_COMMITTED, WAIT_UNTIL_SEARCHABLE, WaitUntil
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1 import gateway_service_pb2_grpc as rpc

PATIENT: Final[Mapping[str, str]] = {
    "ZHIYIN_PROFILE_SECONDS": "1.0",
    "ZHIYIN_LONG_PROFILE_SECONDS": "1.0",
    "ZHIYIN_RELATED_SECONDS": "1.0",
    "ZHIYIN_CONTENT_SECONDS": "5.0",
    "ZHIYIN_RANKER_SECONDS": "2.0",
    "ZHIYIN_POPULAR_SECONDS": "5.0",
    "ZHIYIN_MAX_EXCLUDED_PRODUCTS": "2000",
}
"""What is measured is which products are recommended: no part is left out because the machine is busy, and all that a
household ever bought can be excluded."""
STEP: Final = timedelta(days=1)
"""Between two events of a visitor whose set has no times."""
_JITTER: Final = 0.2
"""Share of the step: events as regular as a clock's are taken for a program's."""
_OLDEST: Final = timedelta(days=380)
"""Feedback keeps events for 395 days."""
_BATCH: Final = 250
_EVENTS: Final = 1_000
_IN_FLIGHT: Final = 3
_CALL_SECONDS: Final = 120.0
_COUNT_SECONDS: Final = 900.0
_FEED_SECONDS: Final = 4.0
"""In which the ranker has read the changed statistics: it looks once a second."""
_IS_COUNTED: Final = """
    SELECT (cursors.tx, cursors.seq) >= (last.tx, last.seq)
    FROM cursors, (SELECT tx, seq FROM events ORDER BY tx DESC, seq DESC LIMIT 1) AS last WHERE name = 'statistics'
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """A running stack."""

    gateway: "rpc.GatewayServiceAsyncStub"
    database_url: str
    """Of feedback."""

    async def put_on_sale(self, catalog: str, data: BehaviourSet) -> None:
        """Imports the titles, and waits until all are found by meaning.

        Raises:
            LocalError: a product was refused, or did not become searchable.
        """
        begun = time.perf_counter()
        # Some titles of amazon_beauty are empty.
        products = [
            Product(id=i, title=title.strip() or i) for i, title in zip(data.product_ids, data.titles, strict=True)
        ]
        for start in range(0, len(products), _BATCH):
            is_last = start + _BATCH >= len(products)
            wait = WAIT_UNTIL_SEARCHABLE if is_last or start % (8 * _BATCH) == 0 else WAIT_UNTIL_COMMITTED
            await self._write(catalog, products[start : start + _BATCH], wait)
        _say(f"{catalog}: {len(products):,} products on sale", begun)

    async def _write(self, catalog: str, products: Sequence[Product], wait: "WaitUntil.ValueType") -> None:
        request = pb.UpsertProductsRequest(catalog=catalog, products=products, wait_until=wait)
        reply = await self.gateway.UpsertProducts(request, timeout=_CALL_SECONDS)
        refused = [result for result in reply.results if result.violations]
        if refused:
            raise LocalError(
                f"{catalog}: {len(refused)} products were refused, the first for {refused[0].violations[0]}"
            )
        if reply.degradations:
            raise LocalError(f"{catalog}: not searchable in time: {reply.degradations[0].reason}")

    async def replay(self, catalog: str, data: BehaviourSet, step: timedelta | None) -> int:
        """Records the histories of all visitors, and waits until they are counted; returns the number of events.

        Args:
            catalog: where.
            data: what they did.
            step: between two events of a visitor; None = at the times of the set, moved so that its split is now.

        Raises:
            LocalError: an event was refused, or counting took too long.
        """
        begun = time.perf_counter()
        now = datetime.now(UTC)
        batches = batched(catalog, data, step, now)
        counts = await asyncio.gather(*(self._send(batches) for _ in range(_IN_FLIGHT)))
        _say(f"{catalog}: {sum(counts):,} events on disk", begun)
        await self._counted()
        _say(f"{catalog}: all of them counted", begun)
        return sum(counts)

    async def record(self, request: pb.RecordEventsRequest) -> None:
        """Records one batch.

        Raises:
            LocalError: an event was refused.
        """
        reply = await self.gateway.RecordEvents(request, timeout=_CALL_SECONDS)
        accepted = sum(result.outcome == user_event_pb2.EVENT_OUTCOME_ACCEPTED for result in reply.results)
        if accepted < len(request.events):
            raise LocalError(f"of {len(request.events)} events {accepted} were accepted")

    async def _send(self, batches: Iterator[pb.RecordEventsRequest]) -> int:
        count = 0
        for batch in batches:
            await self.record(batch)
            count += len(batch.events)
        return count

    async def _counted(self) -> None:
        connection = await asyncpg.connect(self.database_url)
        try:
            async with asyncio.timeout(_COUNT_SECONDS):
                while not await connection.fetchval(_IS_COUNTED):  # noqa: ASYNC110 - another process counts
                    await asyncio.sleep(0.2)
        except TimeoutError as exc:
            raise LocalError("the events were not counted in time") from exc
        finally:
            await connection.close()
        await asyncio.sleep(_FEED_SECONDS)


@asynccontextmanager
async def open_shop(directory: Path) -> AsyncIterator[Shop]:
    """A stack on free ports and an empty directory.

    Raises:
        LocalError: it did not start.
    """
    ports = {name: 0 for name in StackSettings.model_fields if name.endswith("_port")}
    settings = load(StackSettings).model_copy(update={"data_dir": directory, **ports})
    assembled: list[Assembly] = []

    def assembler(settings: StackSettings, given: Mapping[str, str]) -> Assembly:
        assembled.append(assemble(settings, given))
        return assembled[-1]

    # Tracing costs time and tells nothing here.
    environment = {**os.environ, **PATIENT, "OTEL_SDK_DISABLED": "true"}
    async with (
        Stack(settings, environment, assembler=assembler) as stack,
        grpc.aio.insecure_channel(stack.addresses["gateway"]) as channel,
    ):
        url = assembled[0].environments["feedback"]["ZHIYIN_DATABASE_URL"]
        yield Shop(rpc.GatewayServiceStub(channel), url)


def batched(
    catalog: str, data: BehaviourSet, step: timedelta | None, now: datetime
) -> Iterator[pb.RecordEventsRequest]:
    """All events; those of one visitor in their order, and in one batch where they fit."""
    request = pb.RecordEventsRequest(catalog=catalog)
    for visitor in data.visitors:
        if request.events and len(request.events) + len(visitor.history) > _EVENTS:
            yield request
            request = pb.RecordEventsRequest(catalog=catalog)
        for event in events_of(visitor, data.product_ids, times_of(visitor, data.split, step, now)):
            if len(request.events) == _EVENTS:
                yield request
                request = pb.RecordEventsRequest(catalog=catalog)
            request.events.append(event)
    if request.events:
        yield request


def times_of(visitor: Visitor, split: datetime, step: timedelta | None, now: datetime) -> list[datetime]:
    """When a visitor's choices were made, rising; the last ones before `now`."""
    if step is None:
        return [choice.time + (now - split) for choice in visitor.history]
    chance = random.Random(visitor.visitor_id)
    count = len(visitor.history)
    # Of a very long history the steps are smaller, so that it fits into what feedback keeps.
    width = min(step, _OLDEST / max(count, 1))
    return [now - width * (count - place - chance.uniform(0, _JITTER)) for place in range(count)]


def events_of(
    visitor: Visitor, product_ids: Sequence[str], times: Sequence[datetime]
) -> Iterator[user_event_pb2.UserEvent]:
    """A visitor's choices as purchases."""
    for place, (choice, when) in enumerate(zip(visitor.history, times, strict=True)):
        yield purchase(visitor.visitor_id, str(place), choice, product_ids, when)


def purchase(
    visitor_id: str, event_id: str, choice: Choice, product_ids: Sequence[str], when: datetime
) -> user_event_pb2.UserEvent:
    """One choice as an event."""
    event = user_event_pb2.UserEvent(
        event_id=event_id, visitor_id=visitor_id, type=user_event_pb2.USER_EVENT_TYPE_PURCHASE_COMPLETE
    )
    event.event_time.FromDatetime(when)
    for product in choice.products:
        event.products.add(product_id=product_ids[product], quantity=1)
    return event


def _say(what: str, begun: float) -> None:
    sys.stderr.write(f"{what} after {time.perf_counter() - begun:.1f} s\n")
