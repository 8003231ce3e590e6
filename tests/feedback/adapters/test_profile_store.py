"""How much of a long history is read."""

import asyncpg
import pytest

from services.common.postgres import DatabaseSettings, open_database
from services.feedback.adapters.partition_store import PostgresPartitions
from services.feedback.adapters.profile_store import PostgresHistories
from services.feedback.partitions import Month
from services.feedback.persons import Person
from services.feedback.profiles import HistoryLimits

VISITOR, USER, OTHER = b"v" * 32, b"u" * 32, b"o" * 32
LIMITS = HistoryLimits(events=50, purchases=20, visitors=5)
_EVENTS = """
    INSERT INTO events (catalog, visitor_hash, user_hash, key_version, event_id, type, event_time, arrival_time,
        product_ids, quantities)
    SELECT 'shop', $1, $2, 1, 'e' || n, CASE WHEN n % 50 = 0 THEN 6 WHEN n % 51 = 0 THEN 10 ELSE 2 END, time, time,
        ARRAY['p' || n], ARRAY[1]
    FROM generate_series(1, 10000) AS n,
        LATERAL (SELECT timestamptz '2026-07-01' - n * interval '15 minutes') AS t (time)
"""


@pytest.fixture
async def connection(feedback_url):
    connection = await asyncpg.connect(feedback_url)
    yield connection
    await connection.close()


@pytest.fixture
async def database(feedback_url, connection):
    async with open_database(DatabaseSettings(database_url=feedback_url)) as opened:
        await PostgresPartitions(opened, "events").make([Month(2026, month) for month in range(3, 8)])
        await connection.execute(_EVENTS, VISITOR, USER)
        await connection.execute("INSERT INTO visitor_accounts VALUES ('shop', $1, $2, now())", VISITOR, USER)
        await connection.execute("ANALYZE events")
        yield opened


async def index_rows(connection):
    return await connection.fetchval("""
        SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid)) FROM pg_index
        WHERE indrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'events'::regclass)
    """)


async def test_of_ten_thousand_events_the_newest_of_each_kind_are_returned(database):
    history = await PostgresHistories(database).history("shop", Person((VISITOR,), ()), LIMITS)
    assert [event.product_ids for event in history.events] == [[f"p{number}"] for number in range(1, 51)]
    assert [choice.product_ids for choice in history.purchases[:2]] == [["p50"], ["p100"]]
    assert len(history.purchases) == 20
    assert history.dismissals[0].product_ids == ["p51"]


@pytest.mark.parametrize("person", [Person((VISITOR,), ()), Person((), (USER,)), Person((VISITOR,), (OTHER,))])
async def test_only_as_much_is_read_as_is_returned_also_of_what_belongs_to_another_account(
    connection, database, person
):
    async with connection.transaction():
        await connection.fetch(
            "SELECT * FROM person_history('shop', $1, $2, $3, $4, $5)",
            person.visitors,
            person.users,
            LIMITS.events,
            LIMITS.purchases,
            LIMITS.visitors,
        )
        read = await index_rows(connection)
    # Twice 50 events and twice 40 choices, and one row more of each of five partitions in six look-ups.
    assert 50 <= read <= 2 * (50 + 2 * 20) + 6 * 5 + 20
