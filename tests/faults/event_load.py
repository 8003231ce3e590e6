"""Shops that record what shoppers did, each batch until it is answered, while parts of the stack die."""

import asyncio
import hashlib
import hmac
import itertools
import random
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg
import grpc
import psutil

from tests.faults.load import DEADLINE, OPTIONS
from zhiyin.common.v1 import user_event_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub

ACCEPTED, DUPLICATE = user_event_pb2.EVENT_OUTCOME_ACCEPTED, user_event_pb2.EVENT_OUTCOME_DUPLICATE
VIEW, CLICK, CART, PURCHASE = 2, 3, 4, 6
TYPES = (VIEW, VIEW, VIEW, CLICK, CART, PURCHASE)
VISITORS, PRODUCTS = 400, 60
PROGRAM = "a program"
"""A visitor that breaks a rule for programs: all its events lie in one minute."""
NEW, SENT_AGAIN, BY_PROGRAM = 16, 2, 2
"""Events of one batch: of persons, of those answered before, of the program."""


@dataclass
class EventLoad:
    """What the shop has sent, and what it was told."""

    stub: GatewayServiceStub
    catalog: str
    chance: random.Random
    answered: dict[str, user_event_pb2.UserEvent] = field(default_factory=dict)
    """Events that an OK has told to be kept, by id."""
    refusals: Counter = field(default_factory=Counter)
    """By status code."""
    slowest: float = 0.0
    """Seconds of the slowest call."""
    surprises: list[str] = field(default_factory=list)
    """Outcomes that no event here may have."""
    _numbers: itertools.count = field(default_factory=itertools.count)
    _began: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def one_batch(self):
        """Sends a batch until it is answered."""
        known = self.chance.sample(sorted(self.answered), SENT_AGAIN) if len(self.answered) > SENT_AGAIN else []
        new = [self._event() for _ in range(NEW)] + [self._by_program() for _ in range(BY_PROGRAM)]
        request = pb.RecordEventsRequest(catalog=self.catalog, events=[*new, *(self.answered[one] for one in known)])
        tries = 1
        while (reply := await self._sent(request)) is None:
            tries += 1
            await asyncio.sleep(self.chance.uniform(0.02, 0.1))
        outcomes = [result.outcome for result in reply.results]
        allowed = {ACCEPTED} if tries == 1 else {ACCEPTED, DUPLICATE}
        if not set(outcomes[: len(new)]) <= allowed or set(outcomes[len(new) :]) - {DUPLICATE}:
            self.surprises.append(f"after {tries} tries: {outcomes}")
        self.answered |= {event.event_id: event for event in new}

    async def _sent(self, request):
        began = time.monotonic()
        try:
            return await self.stub.RecordEvents(request, timeout=DEADLINE)
        except grpc.aio.AioRpcError as error:
            self.refusals[error.code()] += 1
            return None
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)

    def _event(self):
        # Late and out of order, as events are.
        time_of = self._began - timedelta(microseconds=self.chance.randrange(6 * 3_600_000_000))
        kind = self.chance.choice(TYPES)
        products = self.chance.sample(range(PRODUCTS), self.chance.randint(1, 3) if kind == PURCHASE else 1)
        visitor = f"visitor {self.chance.randrange(VISITORS)}"
        return self._made(kind, visitor, time_of, products, self.chance.randint(1, 3))

    def _by_program(self):
        return self._made(VIEW, PROGRAM, self._began, [self.chance.randrange(PRODUCTS)], 1)

    def _made(self, kind, visitor, time_of, products, quantity):
        event = user_event_pb2.UserEvent(event_id=f"event-{next(self._numbers)}", type=kind, visitor_id=visitor)
        event.event_time.FromDatetime(time_of)
        for number in products:
            event.products.add(product_id=f"product-{number:02}", quantity=quantity)
        return event


@asynccontextmanager
async def recording(stack, catalog, seed, shops=4):
    """Shops record inside, and end with a batch that is answered."""
    async with grpc.aio.insecure_channel(stack.addresses["gateway"], options=OPTIONS) as channel:
        load = EventLoad(GatewayServiceStub(channel), catalog, random.Random(seed))
        stop = asyncio.Event()

        async def shop():
            while not stop.is_set():
                await load.one_batch()
                await asyncio.sleep(0.02)

        workers = [asyncio.create_task(shop()) for _ in range(shops)]
        try:
            yield load
        finally:
            stop.set()
            await asyncio.gather(*workers)


@dataclass(frozen=True)
class Feedback:
    """What the stack's feedback works with."""

    url: str
    key: bytes

    @classmethod
    def of(cls, stack):
        told = psutil.Process(stack.pid("feedback")).environ()
        return cls(told["ZHIYIN_DATABASE_URL"], told["ZHIYIN_VISITOR_KEY"].encode())

    def visitor_hash(self, catalog, visitor_id):
        """HMAC-SHA256 (RFC 2104) of catalogue and id, as ARCHITECTURE.md has it."""
        return hmac.new(self.key, f"{catalog}\0{visitor_id}".encode(), hashlib.sha256).digest()

    @asynccontextmanager
    async def connection(self):
        connection = await asyncpg.connect(self.url)
        try:
            yield connection
        finally:
            await connection.close()
