"""Between the messages of the statistics and the domain."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from services.common.errors import invalid
from services.feedback.feed import offset_of
from services.feedback.popularity import Popularity, TrendingProduct
from services.feedback.statistics import ActionCount, ProductStatistics
from services.feedback.statistics_changes import ChangePage, StatisticsChange
from services.feedback.statistics_pairs import CoOccurrence
from zhiyin.common.v1.recommendation_pb2 import RECOMMENDATION_SOURCE_POPULAR, RECOMMENDATION_SOURCE_TRENDING
from zhiyin.feedback.v1 import feed_service_pb2 as feed_pb
from zhiyin.feedback.v1 import feedback_service_pb2 as pb

_PORTION: Final = 500


def product_ids(messages: Iterable[str], most: int) -> list[str]:
    """The ids of a request; of too many one beyond the limit: enough to be refused."""
    return list(islice(messages, most + 1))


def popularity(source: int) -> Popularity:
    """What a list is ordered by.

    Raises:
        InvalidArgument: the source is none of the two.
    """
    if source == RECOMMENDATION_SOURCE_TRENDING:
        return Popularity.TRENDING
    if source == RECOMMENDATION_SOURCE_POPULAR:
        return Popularity.POPULAR
    raise invalid("source", "must be TRENDING or POPULAR", "NOT_ALLOWED" if source else "REQUIRED")


def statistics_reply(statistics: Sequence[ProductStatistics]) -> pb.GetProductStatisticsResponse:
    """The reply of GetProductStatistics."""
    return pb.GetProductStatisticsResponse(statistics=map(_statistics, statistics))


def co_occurring_reply(ids: Sequence[str], lists: Sequence[Sequence[CoOccurrence]]) -> pb.ListCoOccurringResponse:
    """The reply of ListCoOccurring."""
    return pb.ListCoOccurringResponse(
        co_occurrences=(
            pb.CoOccurrences(
                product_id=product_id,
                products=(pb.CoOccurrence(product_id=other, score=score) for other, score in products),
            )
            for product_id, products in zip(ids, lists, strict=True)
        )
    )


def trending_reply(products: Sequence[TrendingProduct]) -> pb.ListTrendingResponse:
    """The reply of ListTrending."""
    return pb.ListTrendingResponse(
        products=(pb.TrendingProduct(product_id=product_id, score=score) for product_id, score in products)
    )


async def changes_reply(page: ChangePage) -> feed_pb.ListStatisticsChangesResponse:
    """The reply of ListStatisticsChanges; a long one in portions, so that other calls go on."""
    reply = feed_pb.ListStatisticsChangesResponse(next_offset=offset_of(page.next_position), more=page.is_more)
    for start in range(0, len(page.changes), _PORTION):
        reply.changes.extend(map(_change, page.changes[start : start + _PORTION]))
        await asyncio.sleep(0)
    return reply


def _change(change: StatisticsChange) -> feed_pb.StatisticsChange:
    return feed_pb.StatisticsChange(catalog=change.catalog, statistics=_statistics(change.statistics))


def _statistics(statistics: ProductStatistics) -> pb.ProductStatistics:
    return pb.ProductStatistics(
        product_id=statistics.product_id,
        actions=map(_action, statistics.actions),
        impression_count=statistics.impression_count,
        click_through_rate=statistics.click_through_rate,
        add_to_cart_rate=statistics.add_to_cart_rate,
        purchase_rate=statistics.purchase_rate,
        trending_score=statistics.trending_score,
        popularity_score=statistics.popularity_score,
    )


def _action(count: ActionCount) -> pb.ActionCount:
    # An open enum: every action here is a type of the contract, under the same number.
    return pb.ActionCount(
        type=count.action,  # type: ignore[arg-type]
        count=count.count,
        quantity=count.quantity,
        decayed_counts=count.decayed,
    )
