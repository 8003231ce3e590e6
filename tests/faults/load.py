"""Shoppers who search and a shop that writes, all the time, while parts of the stack die."""

import asyncio
import itertools
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from tests.refusals import refusal
from zhiyin.common.v1 import degradation_pb2, product_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub

DEADLINE = 2.0
QUERIES = ("whole milk", "降噪耳机", "dog food", "红色连衣裙", "camping tent", "牙膏", "laptop", "coffee")
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
)


@dataclass(frozen=True)
class Outcome:
    started: float
    ended: float
    code: grpc.StatusCode
    degradations: frozenset[str] = frozenset()
    results: int = 0
    has_retry_hint: bool = False


@dataclass
class Load:
    stub: GatewayServiceStub
    searches: list[Outcome] = field(default_factory=list)
    writes: list[Outcome] = field(default_factory=list)
    acknowledged: dict[str, product_pb2.Product] = field(default_factory=dict)
    _queries: itertools.cycle = field(default_factory=lambda: itertools.cycle(QUERIES))
    _numbers: itertools.count = field(default_factory=itertools.count)

    async def search(self):
        request = pb.SearchRequest(query=next(self._queries), visitor_id="visitor")
        outcome, _ = await self._outcome(self.stub.Search, request)
        self.searches.append(outcome)
        return outcome

    async def write(self):
        # Unique over all tests on one stack.
        run = time.monotonic_ns()
        products = [
            product_pb2.Product(id=f"written-{run}-{next(self._numbers)}", title=f"Notebook number {run} 笔记本")
            for _ in range(3)
        ]
        outcome, reply = await self._outcome(self.stub.UpsertProducts, pb.UpsertProductsRequest(products=products))
        self.writes.append(outcome)
        if reply is not None:
            self.acknowledged |= {product.id: product for product in products}
        return outcome

    async def _outcome(self, method, request):
        started = time.monotonic()
        try:
            reply = await method(request, timeout=DEADLINE)
        except grpc.aio.AioRpcError as error:
            has_details = any(key == "grpc-status-details-bin" for key, _ in error.trailing_metadata() or ())
            hint = has_details and refusal(error).retry_seconds is not None
            return Outcome(started, time.monotonic(), error.code(), has_retry_hint=hint), None
        kinds = frozenset(
            degradation_pb2.DegradationKind.Name(d.kind)[len("DEGRADATION_KIND_") :] for d in reply.degradations
        )
        return Outcome(started, time.monotonic(), grpc.StatusCode.OK, kinds, len(reply.results)), reply


@asynccontextmanager
async def under_load(stack, searchers=4):
    """Searches and writes go on inside."""
    async with grpc.aio.insecure_channel(stack.addresses["gateway"], options=OPTIONS) as channel:
        load = Load(GatewayServiceStub(channel))
        stop = asyncio.Event()

        async def repeat(call, pause):
            while not stop.is_set():
                await call()
                await asyncio.sleep(pause)

        workers = [asyncio.create_task(repeat(load.search, 0.1)) for _ in range(searchers)]
        workers.append(asyncio.create_task(repeat(load.write, 0.2)))
        try:
            yield load
        finally:
            stop.set()
            await asyncio.gather(*workers)


async def until(condition, seconds, what):
    """Waits until `await condition()` holds."""
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.1)
