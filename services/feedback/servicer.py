"""Feedback's RPCs."""

import grpc
from opentelemetry import metrics

from services.feedback import convert
from services.feedback.impressions import ImpressionLimits
from services.feedback.profiles import Profiles
from services.feedback.recording import ImpressionRecorder
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import feedback_service_pb2_grpc as rpc


class FeedbackServicer(rpc.FeedbackServiceServicer):
    """Answers and counts; what is recorded is on disk before the answer."""

    def __init__(self, recorder: ImpressionRecorder, profiles: Profiles, limits: ImpressionLimits) -> None:
        self._recorder = recorder
        self._profiles = profiles
        self._limits = limits
        meter = metrics.get_meter(__name__)
        self._impressions = meter.create_counter("zhiyin.feedback.impressions", description="Impressions by outcome.")
        self._visitors = meter.create_counter("zhiyin.feedback.profiles", description="Profiles by known or not.")

    async def RecordImpressions(
        self,
        request: pb.RecordImpressionsRequest,
        context: "grpc.aio.ServicerContext[pb.RecordImpressionsRequest, pb.RecordImpressionsResponse]",
    ) -> pb.RecordImpressionsResponse:
        counts = await self._recorder.record(request.catalog, convert.impressions(request, self._limits))
        self._impressions.add(counts.stored, {"outcome": "stored"})
        self._impressions.add(counts.duplicates, {"outcome": "duplicate"})
        return pb.RecordImpressionsResponse(stored_count=counts.stored, duplicate_count=counts.duplicates)

    async def GetUserProfile(
        self,
        request: pb.GetUserProfileRequest,
        context: "grpc.aio.ServicerContext[pb.GetUserProfileRequest, pb.GetUserProfileResponse]",
    ) -> pb.GetUserProfileResponse:
        profile = await self._profiles.profile(request.catalog, request.visitor_id)
        self._visitors.add(1, {"known": profile.is_known})
        return pb.GetUserProfileResponse()
