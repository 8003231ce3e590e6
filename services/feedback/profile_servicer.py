"""The RPCs that keep what was shown, and tell what is known of a visitor."""

from dataclasses import asdict

import grpc
from opentelemetry import metrics

from services.feedback import convert, convert_profiles
from services.feedback.profiles import Profiles
from services.feedback.recording import ImpressionRecorder, RecordCounts
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import feedback_service_pb2_grpc as rpc


class ProfileRpcs(rpc.FeedbackServiceServicer):
    """A part of the FeedbackService; counts impressions by what became of them, and profiles."""

    def __init__(self, recorder: ImpressionRecorder, profiles: Profiles) -> None:
        self._recorder = recorder
        self._profiles = profiles
        meter = metrics.get_meter(__name__)
        self._impressions = meter.create_counter("zhiyin.feedback.impressions", description="Impressions by outcome.")
        self._visitors = meter.create_counter("zhiyin.feedback.profiles", description="Profiles by known or not.")

    async def RecordImpressions(
        self,
        request: pb.RecordImpressionsRequest,
        context: "grpc.aio.ServicerContext[pb.RecordImpressionsRequest, pb.RecordImpressionsResponse]",
    ) -> pb.RecordImpressionsResponse:
        impressions = convert.impressions(request, self._recorder.limits)
        counts = await self._recorder.record(request.catalog, impressions)
        self._count_impressions(counts)
        return pb.RecordImpressionsResponse(stored_count=counts.stored, duplicate_count=counts.duplicates)

    async def GetUserProfile(
        self,
        request: pb.GetUserProfileRequest,
        context: "grpc.aio.ServicerContext[pb.GetUserProfileRequest, pb.GetUserProfileResponse]",
    ) -> pb.GetUserProfileResponse:
        profile = await self._profiles.profile(request.catalog, request.visitor_id, request.user_id, request.limit)
        self._visitors.add(1, {"known": profile.is_known})
        return convert_profiles.profile_reply(profile)

    def _count_impressions(self, counts: RecordCounts) -> None:
        for outcome, count in asdict(counts).items():
            if count:
                self._impressions.add(count, {"outcome": outcome})
