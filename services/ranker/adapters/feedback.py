"""Feedback's feed of changed statistics, and the metrics of what is followed."""

from collections.abc import Iterator
from typing import Final

from opentelemetry import metrics

from services.common.channels import Peer
from services.ranker.statistics import ProductCounts, StatisticsTable
from services.ranker.statistics_feed import StatisticsPage
from zhiyin.common.v1 import user_event_pb2
from zhiyin.feedback.v1 import feed_service_pb2 as pb

_METHOD: Final = "/zhiyin.feedback.v1.FeedService/ListStatisticsChanges"
_NETWORK_SECONDS: Final = 2.0
"""Time of a call beyond what it waits for changes."""


class FeedbackStatistics:
    """A StatisticsFeed."""

    def __init__(self, peer: Peer, page_size: int, wait_seconds: float) -> None:
        self._list = peer.unary(_METHOD, pb.ListStatisticsChangesRequest, pb.ListStatisticsChangesResponse)
        self._page_size = page_size
        self._wait_seconds = wait_seconds

    async def page_after(self, offset: str) -> StatisticsPage:
        """The changes after an offset.

        Raises:
            ServiceError: as of a `UnaryCall`.
        """
        request = pb.ListStatisticsChangesRequest(
            after_offset=offset, limit=self._page_size, wait_milliseconds=int(self._wait_seconds * 1000)
        )
        reply = await self._list(request, at_most=self._wait_seconds + _NETWORK_SECONDS)
        return StatisticsPage([_counts(change) for change in reply.changes], reply.next_offset, reply.more)


def observe(table: StatisticsTable) -> None:
    """Exports the age of the statistics and the number of products."""
    meter = metrics.get_meter(__name__)

    def age(_options: metrics.CallbackOptions) -> Iterator[metrics.Observation]:
        if table.age_seconds is not None:
            yield metrics.Observation(table.age_seconds)

    def products(_options: metrics.CallbackOptions) -> Iterator[metrics.Observation]:
        yield metrics.Observation(table.product_count)

    meter.create_observable_gauge("zhiyin.ranker.statistics.age", [age], unit="s")
    meter.create_observable_gauge("zhiyin.ranker.statistics.products", [products], unit="{product}")


def _counts(change: pb.StatisticsChange) -> ProductCounts:
    statistics = change.statistics
    purchases = actions = 0
    for action in statistics.actions:
        actions += action.count
        if action.type == user_event_pb2.USER_EVENT_TYPE_PURCHASE_COMPLETE:
            purchases += action.quantity
    return ProductCounts(
        change.catalog,
        statistics.product_id,
        purchases,
        actions,
        statistics.impression_count,
        statistics.popularity_score,
    )
