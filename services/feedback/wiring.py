"""The one place where feedback's parts are put together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from services.common.postgres import open_database
from services.common.server import Registration
from services.feedback.adapters.postgres import PostgresImpressions
from services.feedback.config import FeedbackSettings
from services.feedback.impressions import ImpressionLimits
from services.feedback.profiles import Profiles
from services.feedback.recording import ImpressionRecorder
from services.feedback.servicer import FeedbackServicer
from services.feedback.visitors import VisitorHasher
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import feedback_service_pb2_grpc as rpc

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["FeedbackService"].full_name


@asynccontextmanager
async def open_service(settings: FeedbackSettings) -> AsyncIterator[Sequence[Registration]]:
    """Feedback, wired. It starts and is ready while its database is away: readiness never depends on a peer."""
    limits = ImpressionLimits(settings.max_impressions, settings.max_shown_products, settings.max_features_bytes)
    hasher = VisitorHasher(settings.visitor_key.get_secret_value(), settings.visitor_key_version)
    async with open_database(settings) as database:
        store = PostgresImpressions(database)
        servicer = FeedbackServicer(ImpressionRecorder(store, hasher, limits), Profiles(store, hasher), limits)
        yield [Registration(SERVICE_NAME, lambda server: rpc.add_FeedbackServiceServicer_to_server(servicer, server))]
