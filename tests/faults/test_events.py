"""Nothing that was answered OK is lost or counted twice, whatever dies; the rows of events and recommendations."""

import asyncio
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from tests.faults.event_load import PROGRAM, Feedback, recording
from tests.faults.load import DEADLINE, until
from tests.feedback.recount import DAY, recount
from tests.feedback.statistics_shop import Shop
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub

CATALOG = "events"
ROUNDS, SEED = 10, 11
KILLED = ("postgres", "feedback", "gateway")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVENTS = """
    SELECT catalog, visitor_hash, type, event_time, product_ids, quantities, event_id FROM events ORDER BY tx, seq
"""
_IS_COUNTED = """
    SELECT (cursors.tx, cursors.seq) >= (last.tx, last.seq)
    FROM cursors, (SELECT tx, seq FROM events ORDER BY tx DESC, seq DESC LIMIT 1) AS last WHERE name = 'statistics'
"""


def microseconds(time):
    return (time - EPOCH) // timedelta(microseconds=1)


def said(event):
    """What an event says, as the table holds it."""
    time = event.event_time.seconds * 1_000_000 + event.event_time.nanos // 1_000
    return event.type, time, [p.product_id for p in event.products], [p.quantity for p in event.products]


async def kill_at_random(stack, chance):
    """Each part dies at least three times, and is away for a moment."""
    victims = [*KILLED * (ROUNDS // len(KILLED)), *chance.choices(KILLED, k=ROUNDS % len(KILLED))]
    chance.shuffle(victims)
    for victim in victims:
        await asyncio.sleep(chance.uniform(0.3, 1.0))
        await stack.kill(victim)
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        await stack.start(victim)


async def test_no_event_that_was_answered_is_lost_or_counted_twice_in_ten_kills_under_load(stack):
    feedback = Feedback.of(stack)
    async with recording(stack, CATALOG, SEED) as load:
        await kill_at_random(stack, random.Random(SEED))
    assert load.answered
    assert load.refusals, "nothing was refused: the kills came to nothing"
    assert set(load.refusals) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert load.slowest <= DEADLINE + 1.0
    assert not load.surprises

    async with feedback.connection() as connection:
        rows = [tuple(row) for row in await connection.fetch(_EVENTS) if row["catalog"] == CATALOG]
        kept = [(row[1], row[6]) for row in rows]
        sent = {
            (feedback.visitor_hash(CATALOG, event.visitor_id), event_id): said(event)
            for event_id, event in load.answered.items()
        }
        assert len(kept) == len(set(kept)), "an event is there twice"
        assert {
            key: (row[2], microseconds(row[3]), row[4], row[5]) for key, row in zip(kept, rows, strict=True)
        } == sent
        ledger = await connection.fetch("SELECT visitor_hash, event_id FROM event_ledger")
        assert sent.keys() <= {tuple(row) for row in ledger}

        await until(lambda: connection.fetchval(_IS_COUNTED), 60, "all events are counted")
        program = feedback.visitor_hash(CATALOG, PROGRAM)
        bots = await connection.fetch("SELECT visitor_hash FROM visitor_states WHERE catalog = $1 AND is_bot", CATALOG)
        assert [row[0] for row in bots] == [program]
        events = [
            ((c, v), kind, microseconds(at), ids, units) for c, v, kind, at, ids, units, _ in rows if v != program
        ]
        await assert_counted(connection, events)
    await assert_told(stack, load)


async def assert_counted(connection, events):
    """The tables equal a naive recount of raw events."""
    day = microseconds(datetime.now(UTC)) / DAY
    counts, popularity, pairs = recount(events, day)
    expected = (counts, popularity, {key: [value] for key, value in pairs.items()})
    for actual, wanted in zip(await Shop(None, connection, None).tables(day), expected, strict=True):
        own = {key: value for key, value in actual.items() if key[0] == CATALOG}
        for key in own.keys() | wanted.keys():
            zeros = [0] * len(own.get(key) or wanted[key])
            assert own.get(key, zeros) == pytest.approx(wanted.get(key, zeros), rel=1e-9, abs=1e-8), key


async def assert_told(stack, load):
    """What the public API tells of products is what the shop was told to be kept, counted by hand."""
    counted = defaultdict(lambda: [0, 0])
    for event in load.answered.values():
        for product in event.products if event.visitor_id != PROGRAM else ():
            count = counted[product.product_id, event.type]
            count[0] += 1
            count[1] += product.quantity
    ids = sorted({product_id for product_id, _ in counted})
    async with grpc.aio.insecure_channel(stack.addresses["gateway"]) as channel:
        request = pb.GetProductStatisticsRequest(catalog=CATALOG, product_ids=ids)
        reply = await GatewayServiceStub(channel).GetProductStatistics(request, timeout=10)
    told = {
        (each.product_id, action.type): [action.count, action.quantity]
        for each in reply.statistics
        for action in each.actions
    }
    assert told == counted
