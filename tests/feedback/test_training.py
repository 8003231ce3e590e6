"""Training examples through the feed, from impressions and events in a real database."""

import asyncio
import time

import asyncpg
import grpc
import pytest

from services.common.postgres import DatabaseSettings, open_database
from services.feedback.adapters.training_store import PostgresTraining
from services.feedback.training import TrainingRules, TrainingWorker
from tests.feedback.event_messages import event, product, request
from tests.feedback.shown import impression
from tests.feedback.whole_service import serving_all
from tests.refusals import refusal
from zhiyin.feedback.v1 import feed_service_pb2 as feed_pb
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import user_data_service_pb2 as user_pb

CLICK, CART = 3, 4
# The workers of the service leave the turns to the test.
IDLE = {"training_poll_seconds": 1_000.0, "training_window_seconds": 1_000.0, "count_statistics": False}
_QUIET = "SELECT pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot())"


@pytest.fixture
async def stubs(feedback_url):
    async with serving_all(feedback_url, **IDLE) as opened:
        yield opened


@pytest.fixture
async def database(feedback_url):
    async with open_database(DatabaseSettings(database_url=feedback_url)) as opened:
        yield opened


@pytest.fixture
def ready(database):
    """Lists what is ready, with a window of so many seconds; once all that has begun has ended."""

    async def listed(window=0.0, late=86_400.0, batch=100, *, quiet=True):
        async with database.connection() as connection:
            while quiet and not await connection.fetchval(_QUIET):
                await asyncio.sleep(0.01)
        worker = TrainingWorker(PostgresTraining(database), TrainingRules(window, late, batch, 1.0))
        while await worker.one_pass():
            pass

    return listed


def shown_now(products=2, **fields):
    message = impression(products, **{"visitor_id": "visitor"} | fields)
    message.show_time.GetCurrentTime()
    return message


async def show(stubs, *impressions):
    reply = await stubs.feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=impressions))
    assert reply.stored_count == len(impressions)


async def did(stubs, kind, product_id, token="attribution-1", **fields):
    one = event(type=kind, products=[product(product_id)], **fields)
    await stubs.feedback.RecordEvents(request(one, attribution_id=token))


async def page(stubs, offset="", **fields):
    return await stubs.feed.ListTrainingExamples(feed_pb.ListTrainingExamplesRequest(after_offset=offset, **fields))


def outcomes_of(example):
    return [[outcome.type for outcome in product.outcomes] for product in example.products]


async def test_an_example_is_the_impression_as_it_was_with_what_came_of_it(stubs, ready):
    shown = shown_now(query="连衣裙", model="ranker@1", feature_schema=3)
    shown.products[0].features = b"\x01"
    shown.products[1].propensity = 0.25
    await show(stubs, shown)
    await did(stubs, CLICK, "product-2")
    await ready()
    (example,) = (await page(stubs)).examples
    assert (example.impression_id, example.catalog, example.surface) == (shown.impression_id, "default", 1)
    assert (example.policy, example.model, example.query) == ("default@1a2b3c4d5e6f", "ranker@1", "连衣裙")
    assert example.feature_schema == 3
    first, second = example.products
    assert (first.shown.product_id, first.shown.position, first.shown.features) == ("product-1", 1, b"\x01")
    assert (second.shown.propensity, second.shown.score) == (0.25, 0.5)
    assert outcomes_of(example) == [[], [CLICK]]


async def test_an_event_that_becomes_known_before_its_impression_is_joined(stubs, ready):
    await did(stubs, CLICK, "product-1")
    await ready()
    await show(stubs, shown_now())
    await ready()
    (example,) = (await page(stubs)).examples
    assert outcomes_of(example) == [[CLICK], []]


async def test_nothing_is_listed_before_its_window_has_closed(stubs, ready):
    await show(stubs, shown_now())
    await ready(window=1_000.0)
    assert not (await page(stubs)).examples
    await ready()
    assert len((await page(stubs)).examples) == 1


async def test_a_later_outcome_lists_the_example_once_more_and_another_event_does_not(stubs, ready):
    await show(stubs, shown_now())
    await did(stubs, CLICK, "product-1")
    await ready()
    first = await page(stubs)
    assert outcomes_of(first.examples[0]) == [[CLICK], []]
    await did(stubs, CART, "product-1", token="another")
    await ready()
    assert not (await page(stubs, first.next_offset)).examples
    await did(stubs, CART, "product-1")
    await ready()
    second = await page(stubs, first.next_offset)
    assert [outcomes_of(example) for example in second.examples] == [[[CLICK, CART], []]]
    # Read from the beginning it is there once.
    assert len((await page(stubs)).examples) == 1


async def test_what_comes_too_late_does_not_count(stubs, ready):
    shown = shown_now()
    shown.show_time.seconds = int(time.time()) - 7_200
    await show(stubs, shown)
    await ready(late=3_600.0)
    first = await page(stubs)
    assert len(first.examples) == 1
    await did(stubs, CLICK, "product-1")
    await ready(late=3_600.0)
    assert not (await page(stubs, first.next_offset)).examples


async def test_what_somebody_else_did_with_the_token_does_not_count(stubs, ready):
    await show(stubs, shown_now())
    await did(stubs, CLICK, "product-1", visitor_id="friend")
    await ready()
    assert outcomes_of((await page(stubs)).examples[0]) == [[], []]


async def test_what_programs_did_is_left_out(stubs, ready):
    await show(stubs, shown_now(visitor_id="program"), shown_now(visitor_id="person"))
    kind = user_pb.SetVisitorKindRequest(visitor_id="program", kind=user_pb.VISITOR_KIND_BOT)
    await stubs.user_data.SetVisitorKind(kind)
    await ready()
    assert len((await page(stubs)).examples) == 1


@pytest.mark.parametrize("batch", [1, 3, 100])
async def test_every_impression_is_listed_once_whatever_the_batch(stubs, ready, batch):
    impressions = [shown_now(attribution_id=f"token-{number}") for number in range(10)]
    await show(stubs, *impressions)
    await ready(batch=batch)
    found, offset, more = [], "", True
    while more:
        reply = await page(stubs, offset, limit=4)
        found += [example.impression_id for example in reply.examples]
        offset, more = reply.next_offset, reply.more
    assert sorted(found) == sorted(one.impression_id for one in impressions)


async def test_replicas_list_everything_once_between_them(stubs, ready):
    await show(stubs, *(shown_now(attribution_id=f"token-{number}") for number in range(20)))
    await asyncio.gather(*(ready(batch=3, quiet=False) for _ in range(4)))
    await ready()
    assert len((await page(stubs)).examples) == 20


async def test_an_impression_that_commits_after_a_later_one_is_listed(feedback_url, stubs, ready):
    early = await asyncpg.connect(feedback_url)
    try:
        transaction = early.transaction()
        await transaction.start()
        await early.execute("SELECT pg_current_xact_id()")
        await show(stubs, shown_now())
        await ready(quiet=False)
        assert not (await page(stubs)).examples
        await transaction.commit()
    finally:
        await early.close()
    await ready()
    assert len((await page(stubs)).examples) == 1


async def test_a_reader_waits_for_an_example(stubs, ready):
    await show(stubs, shown_now())
    offset = (await page(stubs)).next_offset
    waiting = asyncio.create_task(page(stubs, offset, wait_milliseconds=30_000))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await ready()
    assert len((await waiting).examples) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"after_offset": "x"}, "after_offset"),
        ({"limit": -1}, "limit"),
        ({"wait_milliseconds": -1}, "wait_milliseconds"),
    ],
)
async def test_what_cannot_be_asked_names_its_field(stubs, fields, field):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.feed.ListTrainingExamples(feed_pb.ListTrainingExamplesRequest(**fields))
    assert refusal(caught.value).fields.keys() == {field}
