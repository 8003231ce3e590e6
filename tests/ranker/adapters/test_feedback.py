import asyncio

import grpc
import pytest

from services.common.channels import open_peer
from services.common.errors import Unavailable
from services.common.server import Registration, open_server
from services.ranker.adapters.feedback import FeedbackStatistics
from services.ranker.config import RankerSettings
from services.ranker.wiring import open_service
from zhiyin.common.v1 import user_event_pb2 as event
from zhiyin.feedback.v1 import feed_service_pb2 as feed_pb
from zhiyin.feedback.v1 import feed_service_pb2_grpc as feed_rpc
from zhiyin.ranker.v1 import ranker_service_pb2 as pb
from zhiyin.ranker.v1 import ranker_service_pb2_grpc as rpc

SETTINGS = RankerSettings(bind="127.0.0.1:0")


class FakeFeed(feed_rpc.FeedServiceServicer):
    """One product, once; then nothing more happens."""

    def __init__(self):
        self.requests = []
        self.read_to_the_end = asyncio.Event()

    async def ListStatisticsChanges(self, request, context):
        self.requests.append(request)
        if request.after_offset:
            self.read_to_the_end.set()
            await asyncio.sleep(request.wait_milliseconds / 1000)
            return feed_pb.ListStatisticsChangesResponse(next_offset="1")
        reply = feed_pb.ListStatisticsChangesResponse(next_offset="1")
        statistics = reply.changes.add(catalog="default").statistics
        statistics.product_id, statistics.impression_count, statistics.popularity_score = "p", 70, 8.5
        statistics.actions.add(type=event.USER_EVENT_TYPE_DETAIL_PAGE_VIEW, count=12, quantity=12)
        statistics.actions.add(type=event.USER_EVENT_TYPE_PURCHASE_COMPLETE, count=3, quantity=5)
        return reply


@pytest.fixture
async def feed():
    fake = FakeFeed()
    name = feed_pb.DESCRIPTOR.services_by_name["FeedService"].full_name
    service = Registration(name, lambda server: feed_rpc.add_FeedServiceServicer_to_server(fake, server))
    async with open_server(SETTINGS, [service]) as address:
        fake.address = address
        yield fake


async def test_changes_are_read_as_counts(feed):
    async with open_peer("feedback", feed.address, SETTINGS) as peer:
        page = await FeedbackStatistics(peer, 500, 0.05).page_after("")
    (change,) = page.changes
    assert (change.catalog, change.product_id) == ("default", "p")
    # Units bought; events of all kinds.
    assert (change.purchases, change.actions, change.impressions, change.popularity) == (5, 15, 70, 8.5)
    assert (page.next_offset, page.more) == ("1", False)
    assert (feed.requests[0].limit, feed.requests[0].wait_milliseconds) == (500, 50)


async def test_feedback_that_is_away_is_said_to_be_so():
    async with open_peer("feedback", "127.0.0.1:1", SETTINGS) as peer:
        with pytest.raises(Unavailable):
            await FeedbackStatistics(peer, 500, 0.05).page_after("")


async def sales_count(settings, when):
    async with (
        open_service(settings) as services,
        open_server(settings, services) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        await when()
        request = pb.RankCandidatesRequest()
        one = request.candidates.add(product_id="p")
        one.scores.lexical, one.signals.sales_count = 1.0, 20
        reply = await rpc.RankerServiceStub(channel).RankCandidates(request)
    names = [factor.name for factor in reply.factors.factors]
    return dict(zip(names, reply.ranked[0].factor_values, strict=True))["sales_count"]


async def test_a_running_ranker_adds_what_feedback_counted(feed):
    settings = RankerSettings(
        bind="127.0.0.1:0", feedback_target=feed.address, statistics_wait_seconds=0.05, statistics_pause_seconds=0.01
    )

    async def followed():
        async with asyncio.timeout(10):
            await feed.read_to_the_end.wait()

    assert await sales_count(settings, followed) == 25


async def test_a_ranker_serves_while_feedback_is_away():
    settings = RankerSettings(bind="127.0.0.1:0", feedback_target="127.0.0.1:1")
    assert await sales_count(settings, lambda: asyncio.sleep(0)) == 20
