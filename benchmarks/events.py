"""Events through gRPC beside a bare COPY into the same tables, and one event at a time beside a bare INSERT."""

import asyncio
import itertools
import os
import random
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import asyncpg
import grpc

from benchmarks import machine
from benchmarks.events_bare import BareEvents
from benchmarks.events_process import counter_process, feedback_process
from benchmarks.report import Better, Row, Target, publish
from local.databases import create_database
from local.postgres import PostgresServer
from local.processes import LocalError
from services.common.migrations import MigrationSettings, migrate
from services.feedback.migrate import DIRECTORY
from zhiyin.common.v1 import user_event_pb2
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import feedback_service_pb2_grpc as rpc

BATCH: Final = 1_000
BATCHES: Final = 30
IN_FLIGHT: Final = 4
ROUNDS: Final = 5
ALONE: Final = 300
CALLERS: Final = 32
CALLS_EACH: Final = 60
OF_COPY: Final = 0.5
ALONE_MILLISECONDS: Final = 9.99
CALL_SECONDS: Final = 60.0
COUNT_SECONDS: Final = 20.0
_COUNTED: Final = """
    SELECT count(*) FROM events, cursors
    WHERE name = 'statistics' AND (events.tx, events.seq) <= (cursors.tx, cursors.seq)
"""
_VISITORS: Final = 20_000
_PRODUCTS: Final = 50_000
_TYPES: Final = (
    (80, user_event_pb2.USER_EVENT_TYPE_DETAIL_PAGE_VIEW),
    (10, user_event_pb2.USER_EVENT_TYPE_CLICK),
    (6, user_event_pb2.USER_EVENT_TYPE_ADD_TO_CART),
    (4, user_event_pb2.USER_EVENT_TYPE_PURCHASE_COMPLETE),
)
"""Of a hundred events so many are of this type."""


def made_up(count: int, chance: random.Random) -> pb.RecordEventsRequest:
    """Events as a shop sends them: mostly views, a few with prices and an account, all of now."""
    types, weights = [kind for _, kind in _TYPES], [weight for weight, _ in _TYPES]
    request = pb.RecordEventsRequest()
    for kind in chance.choices(types, weights, k=count):
        visitor = chance.randrange(_VISITORS)
        event = request.events.add().event
        event.event_id, event.type = str(uuid.UUID(int=chance.getrandbits(128))), kind
        event.visitor_id, event.session_id = f"visitor-{visitor}", f"session-{visitor}"
        event.event_time.FromDatetime(datetime.now(UTC))
        is_purchase = kind == user_event_pb2.USER_EVENT_TYPE_PURCHASE_COMPLETE
        for product_number in chance.sample(range(_PRODUCTS), 3 if is_purchase else 1):
            product = event.products.add(product_id=f"product-{product_number}", quantity=1)
            if kind >= user_event_pb2.USER_EVENT_TYPE_ADD_TO_CART:
                product.price.currency_code, product.price.units, product.price.nanos = "USD", 9, 990_000_000
        if is_purchase:
            event.user_id = f"user-{visitor}"
            event.revenue.currency_code, event.revenue.units = "USD", 30
    return request


async def recorded(stub: rpc.FeedbackServiceStub, request: pb.RecordEventsRequest) -> None:
    """One call.

    Raises:
        LocalError: not everything was accepted.
    """
    reply = await stub.RecordEvents(request, timeout=CALL_SECONDS)
    accepted = sum(result.outcome == user_event_pb2.EVENT_OUTCOME_ACCEPTED for result in reply.results)
    if accepted < len(request.events):
        raise LocalError(f"of {len(request.events)} events {accepted} were accepted")


async def rate(send: Callable[[Any], Coroutine[Any, Any, None]], batches: Sequence[Any]) -> float:
    """Events/s of all batches, each taken by whichever of `IN_FLIGHT` senders is free."""
    queue = iter(batches)

    async def sender() -> None:
        for batch in queue:
            await send(batch)

    begun = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(IN_FLIGHT)))
    return BATCH * len(batches) / (time.perf_counter() - begun)


async def latencies(
    send: Callable[[Any], Coroutine[Any, Any, None]], singles: Iterator[Any], count: int
) -> list[float]:
    """Milliseconds of calls one after the other."""
    found = []
    for single in itertools.islice(singles, count):
        begun = time.perf_counter()
        await send(single)
        found.append(1_000 * (time.perf_counter() - begun))
    return found


class Measurement:
    """Ours and the bare ones take turns, so that a busy machine disturbs both."""

    def __init__(self, stub: rpc.FeedbackServiceStub, bare: BareEvents) -> None:
        self._stub = stub
        self._bare = bare
        self._chance = random.Random(1)

    async def rows(self) -> list[Row]:
        """All figures."""
        return [*await self._rates(), *await self._alone(), *await self._together()]

    async def _rates(self) -> list[Row]:
        ours, bare = [], []
        for _ in range(ROUNDS + 1):
            ours.append(await rate(self._record, [made_up(BATCH, self._chance) for _ in range(BATCHES)]))
            batches = [self._bare.rows_of(made_up(BATCH, self._chance)) for _ in range(BATCHES)]
            bare.append(await rate(self._bare.copy, batches))
        # The first of each warms up.
        ours, bare = ours[1:], bare[1:]
        note = (
            f"batches of {BATCH:,}, {IN_FLIGHT} in flight, median of {ROUNDS} rounds; {min(ours):,.0f} to "
            f"{max(ours):,.0f}, bare COPY of ready rows into ledger and events {min(bare):,.0f} to {max(bare):,.0f}; "
            "counting apart"
        )
        target = Target(OF_COPY, of_ratio=True)
        return [Row("RecordEvents, on disk", "events/s", median(ours), median(bare), target=target, note=note)]

    async def _alone(self) -> list[Row]:
        await latencies(self._record, self._singles(), 20)
        await latencies(self._bare.insert, map(self._bare.rows_of, self._singles()), 20)
        ours = await latencies(self._record, self._singles(), ALONE)
        bare = await latencies(self._bare.insert, map(self._bare.rows_of, self._singles()), ALONE)
        note = f"{ALONE} one after the other; bare: ledger and event by one INSERT each, one commit"
        return _latency_rows("one event", ours, bare, note, Target(ALONE_MILLISECONDS))

    async def _together(self) -> list[Row]:
        begun = time.perf_counter()
        ours = await self._by_callers(self._record, self._singles)
        seconds = time.perf_counter() - begun
        bare = await self._by_callers(self._bare.insert, lambda: map(self._bare.rows_of, self._singles()))
        bare_seconds = time.perf_counter() - begun - seconds
        note = f"{CALLERS} callers, each its next event when the last one is answered; bare on 8 connections"
        return [
            *_latency_rows(f"one event, {CALLERS} in flight", ours, bare, note, None),
            Row(f"the same, {CALLERS} in flight", "events/s", len(ours) / seconds, len(bare) / bare_seconds, note=note),
        ]

    async def _by_callers(
        self, send: Callable[[Any], Coroutine[Any, Any, None]], singles: Callable[[], Iterator[Any]]
    ) -> list[float]:
        # Made before the clock starts.
        ready = [iter(list(itertools.islice(singles(), CALLS_EACH))) for _ in range(CALLERS)]
        found = await asyncio.gather(*(latencies(send, one, CALLS_EACH) for one in ready))
        return list(itertools.chain.from_iterable(found))

    def _singles(self) -> Iterator[pb.RecordEventsRequest]:
        while True:
            yield made_up(1, self._chance)

    async def _record(self, request: pb.RecordEventsRequest) -> None:
        await recorded(self._stub, request)


def _latency_rows(
    name: str, ours: Sequence[float], bare: Sequence[float], note: str, target: Target | None
) -> list[Row]:
    p99, bare_p99 = quantiles(ours, n=100)[98], quantiles(bare, n=100)[98]
    return [
        Row(f"{name}, p50", "ms", median(ours), median(bare), Better.LOWER, target, note),
        Row(f"{name}, p99", "ms", p99, bare_p99, Better.LOWER, note="the same"),
    ]


async def counting_row(directory: Path, url: str) -> Row:
    """How fast one counter works off what was recorded meanwhile."""
    connection = await asyncpg.connect(url)
    try:
        async with counter_process(directory, url):
            begun, before = time.perf_counter(), await connection.fetchval(_COUNTED)
            await asyncio.sleep(COUNT_SECONDS)
            counted = await connection.fetchval(_COUNTED) - before
            seconds = time.perf_counter() - begun
    finally:
        await connection.close()
    note = "into the statistics, by one counter that has a backlog, in a process of its own"
    return Row("events counted", "events/s", counted / seconds, note=note)


@asynccontextmanager
async def _running(directory: Path) -> AsyncIterator[tuple[Measurement, str]]:
    async with PostgresServer(directory / "postgres") as postgres:
        url = await create_database(postgres.url(), "feedback")
        await asyncio.to_thread(migrate, DIRECTORY, MigrationSettings(database_url=url))
        async with (
            feedback_process(directory, url) as address,
            grpc.aio.insecure_channel(address) as channel,
            asyncpg.create_pool(url, min_size=8, max_size=8) as pool,
        ):
            yield Measurement(rpc.FeedbackServiceStub(channel), BareEvents(pool)), url


async def _run() -> None:
    others = machine.OtherProcesses()
    with tempfile.TemporaryDirectory(prefix="zhiyin-bench-") as directory:
        os.chmod(directory, 0o755)  # noqa: PTH101, S103 - started by root, Postgres runs as another user
        async with _running(Path(directory)) as (measurement, url):
            rows = [*await measurement.rows(), await counting_row(Path(directory), url)]
    described = machine.describe("nothing: no event touches it", others.share())
    publish("events", "Events recorded beside bare statements on the same tables", described, rows)


def main() -> int:
    """0, also where a target is missed: this measures. 1 where it could not."""
    try:
        asyncio.run(_run())
    except (LocalError, grpc.RpcError) as exc:
        sys.stderr.write(f"bench-events could not run: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
