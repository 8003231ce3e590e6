"""`make bench-recommend`: how fast recommendations are, alone and under load, and how soon they follow what was done.

The catalogue and the purchases are those of the demonstration's groceries.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import grpc

from benchmarks import machine
from benchmarks.eval_recommend_lists import some_visitors
from benchmarks.eval_recommend_shop import batched
from benchmarks.load import Job, Load, LoadError, drive
from benchmarks.recommend_data import BehaviourSet, completejourney
from benchmarks.recommend_hops import RecommendHops, hop_rows, read_hops
from benchmarks.report import Better, Row, Target, publish
from benchmarks.shop import stack_with
from cli.demo_catalogue import demo_products
from cli.running import CommandFailed
from local.processes import LocalError
from local.stack import Stack
from zhiyin.common.v1 import user_event_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1 import gateway_service_pb2_grpc as rpc
from zhiyin.gateway.v1 import user_data_service_pb2 as user_pb
from zhiyin.gateway.v1 import user_data_service_pb2_grpc as user_rpc

PRODUCTS: Final = 4_000
HOUSEHOLDS: Final = 200
ROUNDS: Final = 2
SECONDS: Final = 6.0
LEVELS: Final = (1, 8, 32)
BUSY_EVENTS: Final = 10_000
"""Of the visitor whose profile is measured."""
PROFILE_CALLS: Final = 300
FRESH: Final = 50
FRESH_SECONDS: Final = 2.0
_LIMITS: Final = {"ZHIYIN_LONG_PROFILE_SECONDS": "0.5", "ZHIYIN_RELATED_SECONDS": "0.5"}
"""The gateway waits for every source: what is measured is the whole of a recommendation, not one that lacks a part."""
_CALL_SECONDS: Final = 30.0
_TRACES: Final = 300
_BUSY: Final = "a busy visitor"
_SEED: Final = 5


class Measurement:
    """One running stack with a shop's history in it."""

    def __init__(self, stack: Stack, channel: grpc.aio.Channel, data: BehaviourSet) -> None:
        self._stack = stack
        self._data = data
        self._gateway: Any = rpc.GatewayServiceStub(channel)
        self._user_data: Any = user_rpc.UserDataServiceStub(channel)
        self._chance = random.Random(_SEED)

    async def rows(self) -> list[Row]:
        """All figures."""
        for request in batched("", self._data, None, datetime.now(UTC)):
            await self._record(request)
        for request in self._busy():
            await self._record(request)
        await self._gateway.Recommend(pb.RecommendRequest(), timeout=_CALL_SECONDS)
        return [*await self._loads(), *await self._profiles(), *await self._freshness()]

    async def _loads(self) -> list[Row]:
        visitors = [visitor.visitor_id for visitor in self._data.visitors if visitor.history]
        loads: dict[int, list[Load]] = {level: [] for level in LEVELS}
        hops: list[RecommendHops] = []
        for _ in range(ROUNDS):
            for level in LEVELS:
                load = drive(Job("recommend", self._stack.addresses["gateway"], level, SECONDS, visitors))
                loads[level].append(load)
                if level == 1 and self._stack.spans_address is not None:
                    hops += await read_hops(self._stack.spans_address, load.traces[-_TRACES:])
        rows = [row for level in LEVELS for row in _load_rows(level, loads[level])]
        problems = sum((Counter(load.problems) for each in loads.values() for load in each), Counter[str]())
        note = ", ".join(f"{reason} {count}" for reason, count in problems.most_common())
        note = note or "refused, lacking a source or too few results; counted nowhere else"
        return [
            *rows,
            Row("answers that do not count", "answers", problems.total(), None, Better.LOWER, Target(0), note),
            *hop_rows(hops),
        ]

    async def _profiles(self) -> list[Row]:
        few = next(visitor.visitor_id for visitor in self._data.visitors if 10 <= len(visitor.history) <= 30)

        def profile(visitor: str) -> Awaitable[Any]:
            request = user_pb.GetUserProfileRequest(visitor_id=visitor)
            return self._user_data.GetUserProfile(request, timeout=_CALL_SECONDS)  # type: ignore[no-any-return]

        def recommend(visitor: str) -> Awaitable[Any]:
            return self._gateway.Recommend(pb.RecommendRequest(visitor_id=visitor), timeout=_CALL_SECONDS)  # type: ignore[no-any-return]

        rows = []
        for name, call in (("profile", profile), ("Recommend", recommend)):
            busy, quiet = await _latencies(partial(call, _BUSY)), await _latencies(partial(call, few))
            note = "through the gateway, one after the other; baseline: a visitor of 10 to 30 events"
            rows += [
                Row(
                    f"{name} of {BUSY_EVENTS:,} events, p50", "ms", median(busy), median(quiet), Better.LOWER, note=note
                ),
                Row(f"{name} of {BUSY_EVENTS:,} events, p99", "ms", _p99(busy), _p99(quiet), Better.LOWER, note=note),
            ]
        return rows

    async def _freshness(self) -> list[Row]:
        taken = [await self._seconds_until_changed(f"fresh visitor {number}") for number in range(FRESH)]
        note = f"{FRESH} visitors whom nobody knew: event answered OK until a reply that differs has arrived"
        return [
            Row("a click changes the reply, p50", "ms", 1000 * median(taken), better=Better.LOWER, note=note),
            Row(
                "a click changes the reply, longest",
                "ms",
                1000 * max(taken),
                better=Better.LOWER,
                target=Target(1000 * FRESH_SECONDS),
            ),
        ]

    async def _seconds_until_changed(self, visitor: str) -> float:
        before = await self._shown(visitor)
        request = pb.RecordEventsRequest()
        request.events.append(_event(visitor, "click", self._any_product(), datetime.now(UTC)))
        await self._record(request)
        recorded = time.perf_counter()
        while await self._shown(visitor) == before:
            if time.perf_counter() - recorded > _CALL_SECONDS:
                raise LocalError(f"a click changed nothing within {_CALL_SECONDS:g} s")
        return time.perf_counter() - recorded

    async def _shown(self, visitor: str) -> list[str]:
        # Without exploration: chance changes replies too.
        request = pb.RecommendRequest(visitor_id=visitor, policy="recommend-exploit")
        reply = await self._gateway.Recommend(request, timeout=_CALL_SECONDS)
        return [each.product.id for each in reply.recommendations]

    async def _record(self, request: pb.RecordEventsRequest) -> None:
        reply = await self._gateway.RecordEvents(request, timeout=_CALL_SECONDS)
        if any(result.outcome != user_event_pb2.EVENT_OUTCOME_ACCEPTED for result in reply.results):
            raise LocalError("an event was refused")

    def _busy(self) -> Iterator[pb.RecordEventsRequest]:
        """Views, at most a few hundred a day."""
        now = datetime.now(UTC)
        for start in range(0, BUSY_EVENTS, 1_000):
            request = pb.RecordEventsRequest()
            for number in range(start, start + 1_000):
                when = now - timedelta(days=60 * (1 - number / BUSY_EVENTS), seconds=self._chance.uniform(0, 500))
                request.events.append(_event(_BUSY, str(number), self._any_product(), when))
            yield request

    def _any_product(self) -> str:
        return self._chance.choice(self._data.product_ids)


def _event(visitor: str, event_id: str, product_id: str, when: datetime) -> user_event_pb2.UserEvent:
    event = user_event_pb2.UserEvent(
        event_id=event_id, visitor_id=visitor, type=user_event_pb2.USER_EVENT_TYPE_DETAIL_PAGE_VIEW
    )
    event.products.add(product_id=product_id)
    event.event_time.FromDatetime(when)
    return event


def _load_rows(level: int, loads: Sequence[Load]) -> list[Row]:
    return [
        Row(f"{level} in flight", "requests/s", median(load.rate for load in loads)),
        *(
            Row(f"{level} in flight, p{percentile}", "ms", _percentile(loads, percentile), better=Better.LOWER)
            for percentile in (50, 99)
        ),
    ]


def _percentile(loads: Sequence[Load], percentile: int) -> float:
    return median(load.milliseconds(percentile) for load in loads)


async def _latencies(call: Callable[[], Awaitable[Any]]) -> list[float]:
    found = []
    for _ in range(PROFILE_CALLS):
        begun = time.perf_counter()
        await call()
        found.append(1000 * (time.perf_counter() - begun))
    return found


def _p99(milliseconds: Sequence[float]) -> float:
    return quantiles(milliseconds, n=100)[98]


async def _run() -> None:
    others = machine.OtherProcesses()
    os.environ.update(_LIMITS)
    data = some_visitors(completejourney(PRODUCTS), HOUSEHOLDS, _SEED)
    with tempfile.TemporaryDirectory(prefix="zhiyin-bench-") as directory:
        async with (
            stack_with(list(demo_products(PRODUCTS)), Path(directory)) as stack,
            grpc.aio.insecure_channel(stack.addresses["gateway"]) as channel,
        ):
            rows = await Measurement(stack, channel, data).rows()
    title = f"Recommend through the gateway, {PRODUCTS:,} products, purchases of {HOUSEHOLDS} households"
    publish("recommend", title, machine.describe("its default", others.share()), rows)


def main() -> int:
    """0, also where a target is missed: this measures. 1 where it could not."""
    try:
        asyncio.run(_run())
    except (LocalError, LoadError, CommandFailed, grpc.RpcError) as exc:
        sys.stderr.write(f"bench-recommend could not run: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
