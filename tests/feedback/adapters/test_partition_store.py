import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.common.errors import Unavailable
from services.common.postgres import DatabaseSettings, open_database
from services.feedback.adapters.partition_store import PostgresPartitions
from services.feedback.partitions import Month

JULY, AUGUST = Month(2026, 7), Month(2026, 8)
INSERT = """
    INSERT INTO events (catalog, visitor_hash, key_version, event_id, type, event_time, arrival_time, product_ids,
        quantities)
    VALUES ('shop', '\\x00', 1, $1, 2, $2, $2, '{}', '{}')
"""


@pytest.fixture
async def connection(feedback_url):
    connection = await asyncpg.connect(feedback_url)
    yield connection
    await connection.close()


@pytest.fixture
async def partitions(feedback_url):
    async with open_database(DatabaseSettings(database_url=feedback_url)) as database:
        yield PostgresPartitions(database, "events")


async def test_a_month_takes_what_arrives_in_it_to_the_last_microsecond(partitions, connection):
    await partitions.make([JULY, AUGUST])
    assert await partitions.present() == [JULY, AUGUST]
    turn = datetime(2026, 8, 1, tzinfo=UTC)
    for name, time in {"first": JULY.begin, "last": turn - timedelta(microseconds=1), "next": turn}.items():
        await connection.execute(INSERT, name, time)
    rows = await connection.fetch("SELECT event_id, tableoid::regclass::text AS name FROM events")
    assert {row["event_id"]: row["name"] for row in rows} == {
        "first": "events_2026_07",
        "last": "events_2026_07",
        "next": "events_2026_08",
    }


async def test_a_partition_has_every_index_check_and_default_of_the_table(partitions, connection):
    await partitions.make([JULY])
    indexes = "SELECT count(*) FROM pg_index WHERE indrelid = $1::regclass"
    assert await connection.fetchval(indexes, "events_2026_07") == await connection.fetchval(indexes, "events")
    checks = "SELECT count(*) FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'c'"
    assert await connection.fetchval(checks, "events_2026_07") == await connection.fetchval(checks, "events") > 0
    await connection.execute(INSERT, "e", JULY.begin)
    assert await connection.fetchval("SELECT tx IS NOT NULL AND seq > 0 FROM events")


async def test_replicas_make_the_same_months_at_once(partitions):
    months = [Month(2026, number) for number in range(1, 7)]
    await asyncio.gather(*(partitions.make(months) for _ in range(6)))
    assert await partitions.present() == months


async def test_months_are_made_while_events_are_read_and_written(partitions, connection):
    await partitions.make([JULY])
    async with connection.transaction():
        await connection.execute(INSERT, "e", JULY.begin)
        await connection.fetch("SELECT * FROM events")
        await partitions.make([AUGUST])
        await connection.execute(INSERT, "f", JULY.begin)
    await connection.execute(INSERT, "g", AUGUST.begin)
    assert await connection.fetchval("SELECT count(*) FROM events") == 3


async def test_a_month_is_dropped_with_all_that_it_holds(partitions, connection):
    await partitions.make([JULY, AUGUST])
    await connection.execute(INSERT, "e", JULY.begin)
    await connection.execute(INSERT, "f", AUGUST.begin)
    await partitions.drop(JULY)
    await partitions.drop(JULY)
    assert await partitions.present() == [AUGUST]
    assert await connection.fetchval("SELECT string_agg(event_id, '') FROM events") == "f"


async def test_dropping_does_not_wait_for_somebody_who_reads_for_long(partitions, connection):
    await partitions.make([JULY])
    async with connection.transaction():
        await connection.fetch("SELECT * FROM events")
        with pytest.raises(Unavailable) as error:
            await partitions.drop(JULY)
        assert error.value.reason == "TABLE_IN_USE"
    await partitions.drop(JULY)
    assert await partitions.present() == []
