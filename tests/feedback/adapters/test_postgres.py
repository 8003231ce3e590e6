import asyncio
import uuid

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from tests.feedback.shown import SHOW_SECONDS, impression
from zhiyin.feedback.v1 import feedback_service_pb2 as pb

KEYS = "impression_id, product_ids, positions, scores, propensities, features, feature_schema, surface, policy"


@pytest.fixture
async def database(feedback_url):
    connection = await asyncpg.connect(feedback_url)
    yield connection
    await connection.close()


def recorded(*impressions, catalog=""):
    return pb.RecordImpressionsRequest(catalog=catalog, impressions=impressions)


async def test_an_impression_comes_back_as_it_was_shown(serve, feedback_url, database):
    shown = impression(2, feature_schema=3)
    shown.products[0].features = b"\x00\x01"
    shown.products[1].propensity = 0.125
    async with serve(feedback_url) as feedback:
        await feedback.RecordImpressions(recorded(shown, catalog="shop"))
    row = await database.fetchrow(f"SELECT {KEYS} FROM impressions WHERE catalog = 'shop'")
    assert row["impression_id"].bytes == shown.impression_id
    assert row["product_ids"] == ["product-1", "product-2"]
    assert row["positions"] == [1, 2]
    assert row["scores"] == [1.0, 0.5]
    assert row["propensities"] == [1.0, 0.125]
    assert row["features"] == [b"\x00\x01", b""]
    assert (row["feature_schema"], row["surface"], row["policy"]) == (3, 1, "default@1a2b3c4d5e6f")
    times = await database.fetchrow("SELECT extract(epoch FROM show_time) AS shown, arrival_time FROM impressions")
    assert times["shown"] == SHOW_SECONDS
    assert times["arrival_time"] is not None


async def test_the_same_id_is_stored_once_whoever_sends_it_again(serve, feedback_url, database):
    shown, other = impression(), impression()
    async with serve(feedback_url) as feedback:
        first = await feedback.RecordImpressions(recorded(shown, other, shown))
        again = await feedback.RecordImpressions(recorded(other, shown))
        elsewhere = await feedback.RecordImpressions(recorded(shown, catalog="another"))
    assert (first.stored_count, first.duplicate_count) == (2, 1)
    assert (again.stored_count, again.duplicate_count) == (0, 2)
    assert elsewhere.stored_count == 1
    assert await database.fetchval("SELECT count(*) FROM impressions") == 3


async def test_batches_that_share_impressions_do_not_lock_one_another_out(serve, feedback_url, database):
    shared = [impression() for _ in range(20)]
    # On a busy machine opening all connections takes longer than callers usually wait.
    async with serve(feedback_url, database_acquire_seconds=20) as feedback:
        replies = await asyncio.gather(
            *(feedback.RecordImpressions(recorded(*(shared if n % 2 else shared[::-1]))) for n in range(16))
        )
    assert sum(reply.stored_count for reply in replies) == 20
    assert await database.fetchval("SELECT count(*) FROM impressions") == 20


async def test_the_pseudonym_of_a_visitor_is_nowhere_in_the_database(serve, feedback_url, database):
    pseudonym = f"pseudonym-{uuid.uuid4()}"
    async with serve(feedback_url, visitor_key_version=7) as feedback:
        await feedback.RecordImpressions(recorded(impression(visitor_id=pseudonym), impression(visitor_id="")))
    tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for table in tables:
        for row in await database.fetch(f"SELECT t::text AS content FROM {table['tablename']} t"):
            assert pseudonym not in row["content"]
            assert pseudonym.encode().hex() not in row["content"]
    hashes = await database.fetch("SELECT visitor_hash, visitor_key_version FROM impressions ORDER BY 2")
    assert [(len(row[0] or b""), row[1]) for row in hashes] == [(32, 7), (0, None)]


async def test_another_content_under_a_known_id_is_refused_and_what_was_first_stays(serve, feedback_url, database):
    shown = impression()
    other = impression(impression_id=shown.impression_id, policy="another@1")
    async with serve(feedback_url) as feedback:
        await feedback.RecordImpressions(recorded(shown))
        reply = await feedback.RecordImpressions(recorded(other, shown))
    assert (reply.stored_count, reply.duplicate_count) == (0, 1)
    assert await database.fetchval("SELECT policy FROM impressions") == "default@1a2b3c4d5e6f"


async def test_query_and_model_are_kept_and_null_where_there_was_none(serve, feedback_url, database):
    async with serve(feedback_url) as feedback:
        await feedback.RecordImpressions(recorded(impression(query="连衣裙", model="m@1"), impression()))
    rows = await database.fetch("SELECT query, model FROM impressions ORDER BY query NULLS LAST")
    assert [tuple(row) for row in rows] == [("连衣裙", "m@1"), (None, None)]


async def test_an_impression_without_a_partition_makes_one(serve, feedback_url, database):
    (partition,) = await database.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'impressions'::regclass"
    )
    await database.execute(f"DROP TABLE {partition[0]}")
    async with serve(feedback_url, upkeep_seconds=1_000) as feedback:
        reply = await feedback.RecordImpressions(recorded(impression()))
    assert reply.stored_count == 1


async def test_the_order_in_which_impressions_became_known_is_kept(serve, feedback_url, database):
    first, second = impression(), impression()
    async with serve(feedback_url) as feedback:
        await feedback.RecordImpressions(recorded(first))
        await feedback.RecordImpressions(recorded(second))
    rows = await database.fetch("SELECT impression_id FROM impressions ORDER BY tx, seq")
    assert [row[0].bytes for row in rows] == [first.impression_id, second.impression_id]


@pytest.mark.parametrize("time", [Timestamp(seconds=0), Timestamp(seconds=32_503_679_999, nanos=999_999_999)])
async def test_the_first_and_the_last_show_time_are_kept(serve, feedback_url, database, time):
    shown = impression()
    shown.show_time.CopyFrom(time)
    async with serve(feedback_url) as feedback:
        assert (await feedback.RecordImpressions(recorded(shown))).stored_count == 1
    kept = await database.fetchval("SELECT extract(epoch FROM show_time)::float8 FROM impressions")
    assert kept == pytest.approx(time.seconds, abs=1)


async def test_the_largest_batch_is_stored(serve, feedback_url, database):
    async with serve(feedback_url) as feedback:
        reply = await feedback.RecordImpressions(recorded(*(impression(500) for _ in range(100))))
    assert reply.stored_count == 100


async def test_migrating_twice_changes_nothing(feedback_url, migrate_feedback, database):
    await migrate_feedback(feedback_url)
    assert await database.fetchval("SELECT version_num FROM alembic_version") == "0005"
