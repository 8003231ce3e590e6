"""Shoppers who are recommended to and who do things, all the time, while parts of the stack die."""

import asyncio
import itertools
import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from tests.faults.load import DEADLINE, OPTIONS, Outcome
from tests.refusals import refusal
from zhiyin.common.v1 import degradation_pb2, user_event_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub

OK = grpc.StatusCode.OK
SEARCH, VIEW, CART, PURCHASE = 1, 2, 4, 6
SHOPPER = "shopper"
PRODUCTS = ("milk-whole", "yoghurt", "coffee-beans", "bread-rye", "dog-food", "cat-litter", "shampoo", "toothpaste")
SESSION = [pb.SessionAction(type=VIEW, product_id="milk-whole")]


def event(kind, visitor, product_id="", query=""):
    products = [user_event_pb2.EventProduct(product_id=product_id)] if product_id else []
    return user_event_pb2.UserEvent(
        event_id=str(uuid.uuid4()), type=kind, visitor_id=visitor, products=products, query=query
    )


def behaviour():
    """Several visitors buy things together; the shopper looks for something, and looks at two products."""
    bought = [
        event(PURCHASE, f"buyer {number}", PRODUCTS[(number + step) % len(PRODUCTS)])
        for number in range(16)
        for step in range(4)
    ]
    own = [event(VIEW, SHOPPER, "coffee-beans"), event(CART, SHOPPER, "dog-food")]
    return [*bought, event(SEARCH, SHOPPER, query="fresh whole milk"), *own]


@dataclass
class Shoppers:
    stub: GatewayServiceStub
    recommendations: list[Outcome] = field(default_factory=list)
    records: list[Outcome] = field(default_factory=list)
    unexplained: list[pb.RecommendResponse] = field(default_factory=list)
    """Replies that show what was excluded."""
    _numbers: itertools.count = field(default_factory=itertools.count)

    async def recommend(self):
        request = pb.RecommendRequest(visitor_id=SHOPPER, session=SESSION, excluded_product_ids=["ya-gao"])
        outcome, reply = await _outcome(self.stub.Recommend, request)
        if reply is not None and "ya-gao" in [each.product.id for each in reply.recommendations]:
            self.unexplained.append(reply)
        self.recommendations.append(outcome)
        return outcome

    async def record(self):
        number = next(self._numbers)
        events = [event(VIEW, f"passer-by {number % 50}", PRODUCTS[number % len(PRODUCTS)])]
        outcome, _ = await _outcome(self.stub.RecordEvents, pb.RecordEventsRequest(events=events))
        self.records.append(outcome)
        return outcome


async def _outcome(method, request):
    started = time.monotonic()
    try:
        reply = await method(request, timeout=DEADLINE)
    except grpc.aio.AioRpcError as error:
        has_details = any(key == "grpc-status-details-bin" for key, _ in error.trailing_metadata() or ())
        hint = has_details and refusal(error).retry_seconds is not None
        return Outcome(started, time.monotonic(), error.code(), has_retry_hint=hint), None
    kinds = frozenset(
        degradation_pb2.DegradationKind.Name(each.kind).removeprefix("DEGRADATION_KIND_")
        for each in getattr(reply, "degradations", ())
    )
    results = len(getattr(reply, "recommendations", ()))
    return Outcome(started, time.monotonic(), OK, kinds, results), reply


@asynccontextmanager
async def shopping(stack, callers=3):
    """Recommendations and events go on inside."""
    async with grpc.aio.insecure_channel(stack.addresses["gateway"], options=OPTIONS) as channel:
        shoppers = Shoppers(GatewayServiceStub(channel))
        stop = asyncio.Event()

        async def repeat(call):
            while not stop.is_set():
                await call()
                await asyncio.sleep(0.15)

        workers = [asyncio.create_task(repeat(shoppers.recommend)) for _ in range(callers)]
        workers.append(asyncio.create_task(repeat(shoppers.record)))
        try:
            yield shoppers
        finally:
            stop.set()
            await asyncio.gather(*workers)
