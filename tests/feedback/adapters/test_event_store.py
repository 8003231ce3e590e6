import asyncio
import hashlib
import os
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from services.common.postgres import DatabaseSettings, open_database
from services.feedback.adapters.erased_visitors import PostgresErasedVisitors
from services.feedback.adapters.event_store import PostgresEvents
from services.feedback.adapters.partition_store import PostgresPartitions
from services.feedback.events import EventOutcome, NewEvent

NOW = datetime(2026, 7, 14, 12, tzinfo=UTC)
ACCEPTED, DUPLICATE, CONFLICT, REJECTED = EventOutcome
BEFORE = NewEvent(
    catalog="shop",
    visitor_hash=b"v" * 32,
    user_hash=None,
    session_hash=None,
    key_version=1,
    event_id="e",
    type=2,
    event_time=NOW,
    arrival_time=NOW,
    attribution_id=None,
    product_ids=["p"],
    quantities=[1],
    prices=None,
    revenue=None,
    currency=None,
    rating=None,
    query=None,
    comment=None,
    digest=b"d" * 16,
)


def new(**fields):
    return BEFORE._replace(**{"event_id": str(uuid.uuid4())} | fields)


@pytest.fixture
async def connection(feedback_url):
    connection = await asyncpg.connect(feedback_url)
    yield connection
    await connection.close()


@asynccontextmanager
async def opened(url):
    async with open_database(DatabaseSettings(database_url=url)) as database:
        yield PostgresEvents(database, PostgresPartitions(database, "events"), PostgresErasedVisitors())


@pytest.fixture
async def store(feedback_url):
    async with opened(feedback_url) as events:
        yield events


async def test_an_event_comes_back_as_it_was_kept(store, connection):
    full = new(
        user_hash=b"u" * 32,
        session_hash=b"s" * 32,
        key_version=7,
        type=6,
        event_time=NOW - timedelta(days=3, microseconds=1),
        attribution_id="a",
        product_ids=["p2", "p1"],
        quantities=[1, 1_000_000],
        prices=[Decimal("9223372036854775807.999999999"), None],
        revenue=Decimal("0.000000001"),
        currency="USD",
        rating=4.5,
        query="茶 'x' \\ \t\n",
        comment='很好 "\\."',
    )
    assert await store.add([full]) == [ACCEPTED]
    row = await connection.fetchrow(f"SELECT {', '.join(NewEvent._fields[:-1])} FROM events")
    assert tuple(row) == full[:-1]


async def test_known_events_are_told_apart_by_what_they_say(store, connection):
    kept, other = new(), new()
    assert await store.add([kept]) == [ACCEPTED]
    conflicting = kept._replace(digest=b"x" * 16)
    found = await store.add([other, conflicting, kept, other, other._replace(digest=b"y" * 16)])
    assert found == [ACCEPTED, CONFLICT, DUPLICATE, DUPLICATE, CONFLICT]
    assert await connection.fetchval("SELECT count(*) FROM events") == 2
    assert await connection.fetchval("SELECT count(*) FROM event_ledger") == 2


async def test_an_id_is_known_in_a_later_month_too(store):
    kept = new()
    assert await store.add([kept]) == [ACCEPTED]
    assert await store.add([kept._replace(arrival_time=NOW + timedelta(days=40))]) == [DUPLICATE]


async def test_two_batches_that_share_events_in_opposite_orders_keep_each_once(store, connection):
    shared = [new() for _ in range(50)]
    replies = await asyncio.gather(*(store.add(shared if n % 2 else shared[::-1]) for n in range(8)))
    assert sum(reply.count(ACCEPTED) for reply in replies) == 50
    assert sum(reply.count(DUPLICATE) for reply in replies) == 350
    assert await connection.fetchval("SELECT count(*) FROM events") == 50


async def test_the_order_of_a_batch_is_the_order_of_the_feed(store, connection):
    batch = [new(event_id=f"{n * 7 % 20:02}") for n in range(20)]
    await store.add(batch)
    rows = await connection.fetch("SELECT event_id FROM events ORDER BY tx, seq")
    assert [row["event_id"] for row in rows] == [one.event_id for one in batch]


async def test_a_month_without_a_partition_gets_one(store, connection):
    far = datetime(2031, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert await store.add([new(arrival_time=far), new(arrival_time=NOW)]) == [ACCEPTED, ACCEPTED]
    rows = await connection.fetch("SELECT DISTINCT tableoid::regclass::text AS name FROM events ORDER BY name")
    assert [row["name"] for row in rows] == ["events_2026_07", "events_2031_01"]


async def test_a_batch_that_the_database_refuses_leaves_nothing_in_the_ledger(store, connection):
    with pytest.raises(asyncpg.CheckViolationError):
        await store.add([new(), new(revenue=Decimal(1), currency=None)])
    assert await connection.fetchval("SELECT count(*) FROM event_ledger") == 0


async def accounts(connection):
    rows = await connection.fetch("SELECT user_hash, last_time FROM visitor_accounts ORDER BY user_hash")
    return [(row["user_hash"][:1], row["last_time"]) for row in rows]


async def test_the_accounts_of_a_visitor_are_remembered_with_the_hour_of_their_use(store, connection):
    first, second = b"a" * 32, b"b" * 32
    at = [NOW - timedelta(minutes=minutes) for minutes in (300, 200, 100, 90)]
    await store.add([new(user_hash=first, event_time=at[1]), new(user_hash=second, event_time=at[2])])
    assert await accounts(connection) == [(b"a", at[1]), (b"b", at[2])]
    await store.add([new(user_hash=first, event_time=at[0]), new(user_hash=second, event_time=at[3])])
    assert await accounts(connection) == [(b"a", at[1]), (b"b", at[2])]
    await store.add([new(user_hash=first, event_time=NOW + timedelta(minutes=4))])
    assert await accounts(connection) == [(b"a", NOW), (b"b", at[2])]


async def test_what_was_erased_does_not_come_back_and_what_is_done_afterwards_is_kept(store, connection):
    visitor = b"x" * 32
    mark = hashlib.sha256(visitor).digest()
    await connection.execute("INSERT INTO erased_visitors (mark, erase_time) VALUES ($1, $2)", mark, NOW)
    gone = [new(visitor_hash=visitor), new(visitor_hash=visitor, event_time=NOW - timedelta(days=1))]
    after = new(visitor_hash=visitor, event_time=NOW + timedelta(microseconds=1))
    assert await store.add([*gone, after, new()]) == [REJECTED, REJECTED, ACCEPTED, ACCEPTED]
    assert await connection.fetchval("SELECT count(*) FROM events") == 2
    assert await connection.fetchval("SELECT count(*) FROM event_ledger") == 2


async def test_the_ledger_and_the_accounts_let_go_of_what_is_old_and_of_nothing_else(store, connection):
    old = [new(arrival_time=NOW - timedelta(days=1), user_hash=os.urandom(32)) for _ in range(30)]
    fresh = [new(user_hash=os.urandom(32)) for _ in range(3)]
    old = [one._replace(event_time=one.arrival_time) for one in old]
    await store.add(old)
    await store.add(fresh)
    assert await store.forget_events(NOW) == 30
    assert await store.forget_events(NOW) == 0
    assert await store.forget_accounts(NOW) == 30
    assert await connection.fetchval("SELECT count(*) FROM event_ledger") == 3
    assert await connection.fetchval("SELECT count(*) FROM visitor_accounts") == 3
    assert await store.add([old[0], fresh[0]]) == [ACCEPTED, DUPLICATE]
