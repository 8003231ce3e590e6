from datetime import UTC, datetime

import asyncpg
import pytest

from services.common.errors import InvalidArgument
from services.common.postgres import DatabaseSettings, open_database
from services.feedback.adapters.feed_reader import PostgresEventFeed
from services.feedback.adapters.partition_store import PostgresPartitions
from services.feedback.feed import START, FeedPosition, offset_of, position_at
from services.feedback.partitions import Month

INSERT = """
    INSERT INTO events (catalog, visitor_hash, key_version, event_id, type, event_time, arrival_time, product_ids,
        quantities)
    VALUES ('shop', '\\x00', 1, $1, 2, $2, $2, '{p}', '{1}')
"""


async def written(connection, *ids, month=7):
    for event_id in ids:
        await connection.execute(INSERT, event_id, datetime(2026, month, 14, tzinfo=UTC))


@pytest.fixture
async def connections(feedback_url):
    opened = [await asyncpg.connect(feedback_url) for _ in range(2)]
    yield opened
    for connection in opened:
        await connection.close()


@pytest.fixture
async def feed(feedback_url):
    async with open_database(DatabaseSettings(database_url=feedback_url)) as database:
        await PostgresPartitions(database, "events").make([Month(2026, 7), Month(2026, 8)])
        yield PostgresEventFeed(database)


async def read(feed, position=START, limit=100):
    events = await feed.after(position, limit)
    return [event.event_id for event in events], events[-1].position if events else position


async def test_a_transaction_that_commits_first_does_not_hide_one_that_began_before(feed, connections):
    early, late = connections
    beginning = early.transaction()
    await beginning.start()
    await written(early, "begun first")
    await written(late, "committed first")
    assert await read(feed) == ([], START)
    await beginning.commit()
    assert (await read(feed))[0] == ["begun first", "committed first"]


async def test_reading_on_misses_nothing_however_transactions_overlap(feed, connections):
    early, late = connections
    await written(late, "a")
    found, position = await read(feed)
    async with early.transaction():
        await written(early, "b")
        await written(late, "c")
        seen, position = await read(feed, position)
        found += seen
        await written(early, "d")
    await written(late, "e")
    seen, position = await read(feed, position)
    found += seen
    assert found == ["a", "b", "d", "c", "e"]
    assert await read(feed, position) == ([], position)


async def test_what_was_rolled_back_never_appears(feed, connections):
    early, late = connections
    beginning = early.transaction()
    await beginning.start()
    await written(early, "undone")
    await written(late, "kept")
    await beginning.rollback()
    assert (await read(feed))[0] == ["kept"]


async def test_pages_are_cut_within_a_transaction_and_across_months(feed, connections):
    connection, _ = connections
    async with connection.transaction():
        await written(connection, "a", month=8)
        await written(connection, "b", month=7)
        await written(connection, "c", month=8)
    first, position = await read(feed, limit=2)
    second, _ = await read(feed, position_at(offset_of(position)), limit=2)
    assert (first, second) == (["a", "b"], ["c"])


async def test_an_event_is_fed_with_all_its_columns(feed, connections):
    await written(connections[0], "e")
    (event,) = await feed.after(START, 1)
    assert (event.catalog, event.event_id, event.product_ids, event.comment) == ("shop", "e", ["p"], None)
    assert event.event_time == event.arrival_time == datetime(2026, 7, 14, tzinfo=UTC)


def test_an_offset_is_read_as_it_was_written():
    assert position_at(offset_of(FeedPosition(2**64 - 1, 2**63 - 1))) == (2**64 - 1, 2**63 - 1)
    assert position_at("") == START


@pytest.mark.parametrize(
    "offset", ["1", "1.", ".1", "-1.1", "1.-1", "1.1 ", "1.1.1", f"{2**64}.1", f"1.{2**63}", "１.1"]
)
def test_what_is_no_offset_is_refused(offset):
    with pytest.raises(InvalidArgument) as error:
        position_at(offset)
    assert error.value.violations[0].field == "after_offset"
