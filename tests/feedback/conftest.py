import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest

from services.common.migrations import MigrationSettings, migrate
from services.common.server import open_server
from services.feedback.config import FeedbackSettings
from services.feedback.migrate import DIRECTORY
from services.feedback.wiring import open_service
from zhiyin.feedback.v1 import feedback_service_pb2_grpc as rpc


async def migrated(url):
    await asyncio.to_thread(migrate, DIRECTORY, MigrationSettings(database_url=url))


@asynccontextmanager
async def serving(url, **fields):
    """A stub of the whole service on the database `url`."""
    settings = FeedbackSettings(bind="127.0.0.1:0", database_url=url, visitor_key="k" * 32, **fields)
    async with (
        open_service(settings) as services,
        open_server(settings, services) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield rpc.FeedbackServiceStub(channel)


@pytest.fixture
def serve():
    return serving


@pytest.fixture
def migrate_feedback():
    return migrated


@pytest.fixture
async def feedback_url(databases):
    return await databases.migrated("feedback", migrated)
