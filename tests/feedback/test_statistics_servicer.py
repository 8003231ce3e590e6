"""The statistics through their RPCs, from events in a real database."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
import pytest

from services.common.server import Registration, open_server
from services.common.settings import ServiceSettings
from services.feedback.config_statistics import StatisticsSettings
from services.feedback.counting import Action
from services.feedback.feed_servicer import FeedServicer
from services.feedback.statistics_servicer import StatisticsRpcs
from services.feedback.wiring_statistics import statistics_of
from tests.feedback.statistics_shop import open_shop
from tests.refusals import refusal
from zhiyin.common.v1.recommendation_pb2 import RECOMMENDATION_SOURCE_POPULAR, RECOMMENDATION_SOURCE_TRENDING
from zhiyin.common.v1.user_event_pb2 import UserEventType
from zhiyin.feedback.v1 import feed_service_pb2 as feed_pb
from zhiyin.feedback.v1 import feed_service_pb2_grpc as feed_rpc
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import feedback_service_pb2_grpc as rpc

VIEW, CLICK, CART, PURCHASE, DISMISS = 2, 3, 4, 6, 10
SERVICES = ("zhiyin.feedback.v1.FeedbackService", "zhiyin.feedback.v1.FeedService")


class OnlyStatistics(StatisticsRpcs):
    def __init__(self, parts):
        self._statistics = parts.statistics
        self._co_occurrences = parts.co_occurrences
        self._trending = parts.trending


@asynccontextmanager
async def serving(database, **fields):
    settings = StatisticsSettings(**fields)
    parts = statistics_of(settings, database, event_retention_days=395)
    servicer, feeds = OnlyStatistics(parts), FeedServicer(parts.changes, None)
    registrations = [
        Registration(SERVICES[0], lambda server: rpc.add_FeedbackServiceServicer_to_server(servicer, server)),
        Registration(SERVICES[1], lambda server: feed_rpc.add_FeedServiceServicer_to_server(feeds, server)),
    ]
    async with (
        open_server(ServiceSettings(bind="127.0.0.1:0"), registrations) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield rpc.FeedbackServiceStub(channel), feed_rpc.FeedServiceStub(channel)


@pytest.fixture
async def shop(feedback_url):
    async with open_shop(feedback_url) as opened:
        yield opened


@pytest.fixture
async def stubs(shop):
    async with serving(shop.database) as opened:
        yield opened


@pytest.fixture
def feedback(stubs):
    return stubs[0]


@pytest.fixture
def feed(stubs):
    return stubs[1]


async def statistics(feedback, *product_ids):
    request = pb.GetProductStatisticsRequest(catalog="shop", product_ids=product_ids)
    return (await feedback.GetProductStatistics(request)).statistics


async def together(feedback, *product_ids, limit=0):
    request = pb.ListCoOccurringRequest(catalog="shop", product_ids=product_ids, limit=limit)
    reply = await feedback.ListCoOccurring(request)
    return [[(other.product_id, other.score) for other in one.products] for one in reply.co_occurrences]


async def most(feedback, source, limit=0):
    reply = await feedback.ListTrending(pb.ListTrendingRequest(catalog="shop", source=source, limit=limit))
    return [product.product_id for product in reply.products]


async def test_counts_and_rates_of_a_product(shop, feedback):
    for place in range(4):
        visitor = b"%d" % place
        await shop.showed(["a", "b"], visitor=visitor)
        await shop.did(["a"], visitor=visitor)
    await shop.did(["a"], action=CLICK)
    await shop.did(["a"], action=PURCHASE, ago=timedelta(days=7))
    await shop.count()
    (a,) = await statistics(feedback, "a")
    assert {action.type: action.count for action in a.actions} == {VIEW: 4, CLICK: 1, PURCHASE: 1}
    bought = next(action for action in a.actions if action.type == PURCHASE)
    assert bought.quantity == 1
    assert list(bought.decayed_counts) == pytest.approx([2**-7, 0.5, 2 ** (-7 / 30)], rel=0.01)
    assert a.impression_count == 4
    # The catalogue's own rate of clicks is 1 of 8, its weight 20.
    assert a.click_through_rate == pytest.approx((1 + 20 / 8) / (4 + 20))
    assert a.purchase_rate == pytest.approx((1 + 20 / 4) / (4 + 20))
    assert a.add_to_cart_rate == 0
    assert a.trending_score == pytest.approx(4 + 1 + 5 * 2**-7, rel=0.01)
    assert a.popularity_score == pytest.approx(4 + 1 + 5 * 2 ** (-7 / 30), rel=0.01)


async def test_a_product_that_nobody_has_seen_has_zeros_in_its_place(shop, feedback):
    await shop.did(["a"])
    await shop.count()
    unknown, known = await statistics(feedback, "unknown", "a")
    assert unknown == pb.ProductStatistics(product_id="unknown")
    assert known.actions


async def test_another_catalogue_knows_nothing_of_it(shop, feedback):
    await shop.did(["a", "b"])
    await shop.count()
    request = pb.GetProductStatisticsRequest(catalog="other", product_ids=["a"])
    assert not (await feedback.GetProductStatistics(request)).statistics[0].actions
    assert not (await feedback.ListCoOccurring(pb.ListCoOccurringRequest(product_ids=["a"]))).co_occurrences[0].products


async def test_what_is_chosen_after_counts_more_than_what_was_chosen_before(shop, feedback):
    for place, product_id in enumerate("abc"):
        await shop.did([product_id], ago=timedelta(minutes=10 - place))
    await shop.count()
    (beside_b,) = await together(feedback, "b")
    # Everything was chosen once: 1 / ((1 + 20) ** 0.9 (1 + 20) ** 0.1), and four tenths of it backward.
    assert [product_id for product_id, _ in beside_b] == ["c", "a"]
    assert [score for _, score in beside_b] == pytest.approx([1 / 21, 0.4 / 21], rel=1e-3)


async def test_both_directions_of_a_pair_are_one_score(shop, feedback):
    for place, product_id in enumerate("aba"):
        await shop.did([product_id], ago=timedelta(minutes=10 - place))
    await shop.count()
    ((pair,),) = await together(feedback, "b")
    assert pair == ("a", pytest.approx(1.4 / (22**0.1 * 21**0.9), rel=1e-3))


async def test_seeds_are_answered_in_their_order_with_ties_by_id(shop, feedback):
    for visitor, other in ((b"1", "z"), (b"2", "y"), (b"3", "x")):
        await shop.did(["a"], visitor=visitor, ago=timedelta(minutes=2))
        await shop.did([other], visitor=visitor, ago=timedelta(minutes=2))
    await shop.count()
    unknown, beside_a, beside_x = await together(feedback, "unknown", "a", "x", limit=2)
    assert unknown == []
    assert [product_id for product_id, _ in beside_a] == ["x", "y"]
    assert [product_id for product_id, _ in beside_x] == ["a"]


async def test_trending_is_what_is_chosen_now_and_popular_what_is_chosen_for_long(shop, feedback):
    for place in range(5):
        await shop.did(["old"], visitor=b"%d" % place, ago=timedelta(days=10))
    await shop.did(["tie"])
    await shop.did(["now"])
    await shop.did(["dismissed"], action=DISMISS)
    await shop.count()
    assert await most(feedback, RECOMMENDATION_SOURCE_TRENDING) == ["now", "tie", "old"]
    assert await most(feedback, RECOMMENDATION_SOURCE_POPULAR, limit=2) == ["old", "now"]


async def test_a_change_is_listed_once_as_it_is_now(shop, feed):
    await shop.did(["a"])
    await shop.count()
    await shop.did(["b"])
    await shop.did(["a"])
    await shop.count()
    page = await feed.ListStatisticsChanges(feed_pb.ListStatisticsChangesRequest())
    assert {(change.catalog, change.statistics.product_id) for change in page.changes} == {("shop", "a"), ("shop", "b")}
    assert sum(action.count for change in page.changes for action in change.statistics.actions) == 3
    assert not page.more
    again = feed_pb.ListStatisticsChangesRequest(after_offset=page.next_offset)
    assert not (await feed.ListStatisticsChanges(again)).changes
    await shop.did(["b"])
    await shop.count()
    (change,) = (await feed.ListStatisticsChanges(again)).changes
    assert change.statistics.product_id == "b"


async def test_pages_of_changes_are_disjoint_and_complete(shop, feed):
    await shop.did([f"p{place}" for place in range(25)])
    await shop.count()
    listed, offset, more = [], "", True
    while more:
        page = await feed.ListStatisticsChanges(feed_pb.ListStatisticsChangesRequest(after_offset=offset, limit=7))
        listed += [change.statistics.product_id for change in page.changes]
        offset, more = page.next_offset, page.more
    assert sorted(listed) == sorted(f"p{place}" for place in range(25))


async def test_a_reader_waits_for_a_change(shop, feed):
    page = await feed.ListStatisticsChanges(feed_pb.ListStatisticsChangesRequest())
    request = feed_pb.ListStatisticsChangesRequest(after_offset=page.next_offset, wait_milliseconds=30_000)
    waiting = asyncio.create_task(_once(feed.ListStatisticsChanges(request, timeout=30)))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await shop.did(["a"])
    await shop.count()
    assert [change.statistics.product_id for change in (await waiting).changes] == ["a"]


async def _once(call):
    return await call


async def test_a_wait_ends_within_the_callers_time(feed):
    request = feed_pb.ListStatisticsChangesRequest(wait_milliseconds=30_000)
    assert not (await feed.ListStatisticsChanges(request, timeout=1.0)).changes


@pytest.mark.parametrize(
    ("call", "request_", "field"),
    [
        ("GetProductStatistics", pb.GetProductStatisticsRequest(), "product_ids"),
        ("GetProductStatistics", pb.GetProductStatisticsRequest(product_ids=["a"] * 501), "product_ids"),
        ("GetProductStatistics", pb.GetProductStatisticsRequest(product_ids=["a", "?"]), "product_ids[1]"),
        ("GetProductStatistics", pb.GetProductStatisticsRequest(catalog="?", product_ids=["a"]), "catalog"),
        ("ListCoOccurring", pb.ListCoOccurringRequest(product_ids=["a"] * 51), "product_ids"),
        ("ListCoOccurring", pb.ListCoOccurringRequest(product_ids=["a"], limit=-1), "limit"),
        ("ListTrending", pb.ListTrendingRequest(), "source"),
        ("ListTrending", pb.ListTrendingRequest(source=RECOMMENDATION_SOURCE_POPULAR, limit=-1), "limit"),
    ],
)
async def test_what_cannot_be_asked_names_its_field(feedback, call, request_, field):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(feedback, call)(request_)
    refused = refusal(caught.value)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in refused.fields


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (feed_pb.ListStatisticsChangesRequest(after_offset="yesterday"), "after_offset"),
        (feed_pb.ListStatisticsChangesRequest(after_offset="99999999999.0"), "after_offset"),
        (feed_pb.ListStatisticsChangesRequest(limit=-1), "limit"),
        (feed_pb.ListStatisticsChangesRequest(wait_milliseconds=-1), "wait_milliseconds"),
    ],
)
async def test_what_the_feed_cannot_be_asked_names_its_field(feed, request_, field):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await feed.ListStatisticsChanges(request_)
    refused = refusal(caught.value)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in refused.fields


def test_every_action_has_the_number_of_its_event_type():
    types = {value.number: value.name for value in UserEventType.DESCRIPTOR.values if value.number}
    actions = {int(action): f"USER_EVENT_TYPE_{action.name}" for action in Action if action is not Action.SHOWN}
    assert actions == types
