"""The columns Recommend and RecordEvents of the failure table of ARCHITECTURE.md: the real process dies or hangs."""

import asyncio
import signal
import time
from dataclasses import dataclass

import grpc
import pytest

from tests.faults.load import DEADLINE, OPTIONS
from tests.faults.shoppers import behaviour, shopping
from tests.faults.test_failure_table import DOWN, SETTLE, assert_code, judged, send
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub

OK, UNAVAILABLE = grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE


@dataclass(frozen=True)
class Row:
    recommend: grpc.StatusCode
    degradations: frozenset[str]
    """All of them are told, each time."""
    record: grpc.StatusCode


ALONE = frozenset({"NOT_PERSONALISED", "WITHOUT_CO_OCCURRENCE"})
TABLE = {
    "encoder": Row(OK, frozenset({"WITHOUT_TEXTS"}), OK),
    "qdrant": Row(OK, frozenset({"WITHOUT_CONTENT"}), OK),
    "retrieval": Row(UNAVAILABLE, frozenset(), OK),
    "ranker": Row(OK, frozenset({"NOT_RANKED"}), OK),
    "feedback": Row(OK, ALONE, UNAVAILABLE),
    "postgres": Row(OK, ALONE, UNAVAILABLE),
}


@pytest.fixture(scope="module")
def shop(stack):
    """A shop where something is bought together and popular."""

    async def record():
        async with grpc.aio.insecure_channel(stack.addresses["gateway"], options=OPTIONS) as channel:
            await GatewayServiceStub(channel).RecordEvents(pb.RecordEventsRequest(events=behaviour()), timeout=10)

    asyncio.run(record())
    return stack


async def lacking(shoppers):
    """What recommendations, several in a row, and an event lack; nothing = all is whole."""
    outcomes = [await shoppers.recommend() for _ in range(4)]
    recorded = await shoppers.record()
    found = {kind for outcome in outcomes for kind in outcome.degradations}
    found |= {str(outcome.code) for outcome in [*outcomes, recorded] if outcome.code is not OK}
    return found | ({"nothing shown"} if not all(outcome.results for outcome in outcomes) else set())


async def until_whole(shoppers, seconds, when):
    end = time.monotonic() + seconds
    while found := await lacking(shoppers):
        assert time.monotonic() < end, f"{when}, not whole within {seconds} s: {found}"
        await asyncio.sleep(0.1)


async def check_fault(stack, victim, fault, row):
    others = {name: stack.pid(name) for name in stack.addresses if name != victim}
    async with shopping(stack) as shoppers:
        await until_whole(shoppers, 30, "before the fault")
        died = time.monotonic()
        send(stack, victim, fault)
        await asyncio.sleep(SETTLE + DOWN[fault])
        back = time.monotonic()
        if fault == signal.SIGSTOP:
            send(stack, victim, signal.SIGCONT)
        else:
            await stack.start(victim)
        await until_whole(shoppers, 60, f"after {victim} came back")

    for outcome in shoppers.recommendations + shoppers.records:
        assert outcome.ended - outcome.started <= DEADLINE + 1.0
    recommended = judged(shoppers.recommendations, died + SETTLE, back)
    assert_code(recommended, row.recommend, fault)
    if row.recommend is OK:
        assert all(row.degradations <= outcome.degradations for outcome in recommended)
        assert all(outcome.results > 0 for outcome in recommended)
    assert_code(judged(shoppers.records, died + SETTLE, back), row.record, fault)
    assert not shoppers.unexplained, "an excluded product was shown"
    assert {name: stack.pid(name) for name in others} == others, "healing needed a restart of another part"


@pytest.mark.parametrize("victim", TABLE)
async def test_recommendations_and_events_go_on_as_told_while_a_part_is_dead(shop, victim):
    await check_fault(shop, victim, signal.SIGKILL, TABLE[victim])


@pytest.mark.parametrize("victim", TABLE)
async def test_recommendations_and_events_go_on_as_told_while_a_part_hangs(shop, victim):
    await check_fault(shop, victim, signal.SIGSTOP, TABLE[victim])
