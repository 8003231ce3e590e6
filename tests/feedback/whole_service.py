"""The whole service with all its RPCs, and the tables beside it."""

from contextlib import asynccontextmanager
from typing import NamedTuple

import grpc

from services.common.server import open_server
from services.feedback.config import FeedbackSettings
from services.feedback.wiring import open_service
from zhiyin.feedback.v1 import feed_service_pb2_grpc, feedback_service_pb2_grpc, user_data_service_pb2_grpc


class Stubs(NamedTuple):
    feedback: feedback_service_pb2_grpc.FeedbackServiceStub
    feed: feed_service_pb2_grpc.FeedServiceStub
    user_data: user_data_service_pb2_grpc.UserDataServiceStub


@asynccontextmanager
async def serving_all(url, **fields):
    """Stubs of the service on the database `url`."""
    settings = FeedbackSettings(bind="127.0.0.1:0", database_url=url, **{"visitor_key": "k" * 32} | fields)
    async with (
        open_service(settings) as services,
        open_server(settings, services) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield Stubs(
            feedback_service_pb2_grpc.FeedbackServiceStub(channel),
            feed_service_pb2_grpc.FeedServiceStub(channel),
            user_data_service_pb2_grpc.UserDataServiceStub(channel),
        )
