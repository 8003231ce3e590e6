"""From a recorded event to the statistics, through the whole service."""

import asyncio
from itertools import count

from services.common.postgres import DatabaseSettings, open_database
from services.feedback.adapters.statistics_turns import PostgresTurns
from services.feedback.counting import CountingRules, VisitorKind
from services.feedback.statistics_turn import BatchLimits, Counter, VisitorKinds
from tests.common.pooler import pgbouncer, with_pgbouncer
from tests.feedback.statistics_shop import open_shop
from zhiyin.common.v1.user_event_pb2 import EventProduct, UserEvent
from zhiyin.feedback.v1 import feedback_service_pb2 as pb

VIEW, PURCHASE = 2, 6
_IDS = count()


def event(product_id, event_type=VIEW, visitor="v"):
    user_event = UserEvent(
        event_id=str(next(_IDS)), type=event_type, visitor_id=visitor, products=[EventProduct(product_id=product_id)]
    )
    return pb.RecordedEvent(event=user_event)


async def counted(feedback, product_id, wanted):
    async with asyncio.timeout(20):
        while True:
            reply = await feedback.GetProductStatistics(pb.GetProductStatisticsRequest(product_ids=[product_id]))
            if {action.type: action.count for action in reply.statistics[0].actions} == wanted:
                return reply.statistics[0]
            await asyncio.sleep(0.02)


async def test_what_was_recorded_is_counted_and_goes_together(serve, feedback_url):
    async with serve(feedback_url) as feedback:
        await feedback.RecordEvents(pb.RecordEventsRequest(events=[event("a"), event("b"), event("b", PURCHASE)]))
        statistics = await counted(feedback, "b", {VIEW: 1, PURCHASE: 1})
        assert statistics.trending_score > 5.9
        reply = await feedback.ListCoOccurring(pb.ListCoOccurringRequest(product_ids=["a"]))
        assert [other.product_id for other in reply.co_occurrences[0].products] == ["b"]


async def test_replicas_count_what_any_of_them_recorded_once(serve, feedback_url):
    async with serve(feedback_url) as one, serve(feedback_url) as other:
        batches = [pb.RecordEventsRequest(events=[event("a", visitor=f"v{place}")]) for place in range(20)]
        await asyncio.gather(*(replica.RecordEvents(batch) for batch in batches for replica in (one, other)))
        await counted(one, "a", {VIEW: 20})
        await counted(other, "a", {VIEW: 20})


@with_pgbouncer
async def test_counting_works_behind_a_pooler_of_transactions(feedback_url, stack_directory):
    async with open_shop(feedback_url) as shop, pgbouncer(feedback_url, stack_directory) as url:
        for place in range(30):
            await shop.did(["abc"[place % 3]])
        settings = DatabaseSettings(database_url=url, database_statement_cache=0)
        async with open_database(settings) as database:
            turns = PostgresTurns(database)
            counters = [Counter(turns, CountingRules(), BatchLimits(4, 100)) for _ in range(4)]
            for _ in range(12):
                await asyncio.gather(*(counter.one_pass() for counter in counters))
            assert await VisitorKinds(turns, CountingRules()).set(("shop", b"v"), VisitorKind.BOT) == (True, 30)
