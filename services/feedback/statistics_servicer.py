"""The RPCs of the statistics."""

import grpc

from services.feedback import convert_statistics as convert
from services.feedback.popularity import Trending
from services.feedback.statistics import Statistics
from services.feedback.statistics_pairs import CoOccurrences
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import feedback_service_pb2_grpc as rpc


class StatisticsRpcs(rpc.FeedbackServiceServicer):
    """A part of the FeedbackService."""

    _statistics: Statistics
    _co_occurrences: CoOccurrences
    _trending: Trending

    async def GetProductStatistics(
        self,
        request: pb.GetProductStatisticsRequest,
        context: "grpc.aio.ServicerContext[pb.GetProductStatisticsRequest, pb.GetProductStatisticsResponse]",
    ) -> pb.GetProductStatisticsResponse:
        ids = convert.product_ids(request.product_ids, self._statistics.max_products)
        return convert.statistics_reply(await self._statistics.of(request.catalog, ids))

    async def ListCoOccurring(
        self,
        request: pb.ListCoOccurringRequest,
        context: "grpc.aio.ServicerContext[pb.ListCoOccurringRequest, pb.ListCoOccurringResponse]",
    ) -> pb.ListCoOccurringResponse:
        ids = convert.product_ids(request.product_ids, self._co_occurrences.max_products)
        return convert.co_occurring_reply(ids, await self._co_occurrences.of(request.catalog, ids, request.limit))

    async def ListTrending(
        self,
        request: pb.ListTrendingRequest,
        context: "grpc.aio.ServicerContext[pb.ListTrendingRequest, pb.ListTrendingResponse]",
    ) -> pb.ListTrendingResponse:
        popularity = convert.popularity(request.source)
        return convert.trending_reply(await self._trending.most(request.catalog, popularity, request.limit))
