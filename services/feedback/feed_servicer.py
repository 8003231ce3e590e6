"""What other services read in the background."""

from typing import Protocol

import grpc

from services.feedback import convert_statistics as convert
from services.feedback.statistics_changes import StatisticsChanges
from zhiyin.feedback.v1 import feed_service_pb2 as pb
from zhiyin.feedback.v1 import feed_service_pb2_grpc as rpc


class TrainingExamples(Protocol):
    """The feed of training examples."""

    async def list(self, request: pb.ListTrainingExamplesRequest) -> pb.ListTrainingExamplesResponse:
        """A page. Raises InvalidArgument and Unavailable."""
        ...


class FeedServicer(rpc.FeedServiceServicer):
    """The FeedService."""

    def __init__(self, changes: StatisticsChanges, training: TrainingExamples | None = None) -> None:
        self._changes = changes
        self._training = training

    async def ListStatisticsChanges(
        self,
        request: pb.ListStatisticsChangesRequest,
        context: "grpc.aio.ServicerContext[pb.ListStatisticsChangesRequest, pb.ListStatisticsChangesResponse]",
    ) -> pb.ListStatisticsChangesResponse:
        page = await self._changes.after(request.after_offset, request.limit, request.wait_milliseconds)
        return await convert.changes_reply(page)

    async def ListTrainingExamples(
        self,
        request: pb.ListTrainingExamplesRequest,
        context: "grpc.aio.ServicerContext[pb.ListTrainingExamplesRequest, pb.ListTrainingExamplesResponse]",
    ) -> pb.ListTrainingExamplesResponse:
        if self._training is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "no training examples are kept here")
        return await self._training.list(request)
