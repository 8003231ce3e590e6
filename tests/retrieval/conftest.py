import asyncio
import uuid
from contextlib import asynccontextmanager
from types import SimpleNamespace

import grpc
import pytest

from services.common.migrations import MigrationSettings, migrate
from services.common.server import Registration, open_server
from services.common.settings import ServiceSettings
from services.retrieval.config import RetrievalSettings
from services.retrieval.migrate import DIRECTORY
from services.retrieval.wiring import open_service
from tests.fakes import FakeEncoder
from tests.retrieval import catalogues
from zhiyin.encoder.v1 import encoder_service_pb2_grpc as encoder_rpc
from zhiyin.retrieval.v1 import catalog_settings_service_pb2_grpc as settings_rpc
from zhiyin.retrieval.v1 import index_admin_service_pb2_grpc as admin_rpc
from zhiyin.retrieval.v1 import retrieval_service_pb2_grpc as rpc

FAST = {
    "index_poll_seconds": 0.05,
    "index_lease_seconds": 1.5,
    "index_backoff_seconds": 0.3,
    "index_check_seconds": 0.5,
    "encode_query_seconds": 0.5,
    "encode_products_seconds": 1.0,
    "index_version_seconds": 0.5,
    # Every product is found, unless a test is about the floor.
    "dense_floor": -1.0,
    "lexical_floor": 0.0,
}


async def migrated(url):
    await asyncio.to_thread(migrate, DIRECTORY, MigrationSettings(database_url=url))


@asynccontextmanager
async def serving_encoder(encoder, bind="127.0.0.1:0"):
    registration = Registration(
        "zhiyin.encoder.v1.EncoderService",
        lambda server: encoder_rpc.add_EncoderServiceServicer_to_server(encoder, server),
    )
    async with open_server(ServiceSettings(bind=bind, drain_seconds=0.1), [registration]) as address:
        yield address


@asynccontextmanager
async def serving(database_url, qdrant_url, encoder_target, **fields):
    """A stub of the whole service."""
    settings = RetrievalSettings(
        bind="127.0.0.1:0",
        database_url=database_url,
        qdrant_url=qdrant_url,
        encoder_target=encoder_target,
        drain_seconds=0.5,
        **(FAST | fields),
    )
    async with (
        open_service(settings) as services,
        open_server(settings, services) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        stub = rpc.RetrievalServiceStub(channel)
        stub.address = address
        stub.admin = admin_rpc.IndexAdminServiceStub(channel)
        stub.settings = settings_rpc.CatalogSettingsServiceStub(channel)
        yield stub


@pytest.fixture
async def catalogue_url(databases):
    return await databases.migrated("catalogue", migrated)


@pytest.fixture
def catalog():
    """A catalogue that no other test has: the Qdrant engine is shared."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def serve():
    return serving


@pytest.fixture
def serve_encoder():
    return serving_encoder


@pytest.fixture
def migrate_catalogue():
    return migrated


@pytest.fixture
async def shop(catalogue_url, qdrant_url, catalog):
    """The whole service on real stores, with an encoder that tests can trouble."""
    encoder = FakeEncoder()
    async with (
        serving_encoder(encoder) as encoder_target,
        serving(catalogue_url, qdrant_url, encoder_target) as stub,
    ):
        yield SimpleNamespace(
            stub=stub,
            address=stub.address,
            encoder=encoder,
            encoder_target=encoder_target,
            catalog=catalog,
            database_url=catalogue_url,
            qdrant_url=qdrant_url,
        )


@pytest.fixture
async def store(catalogue_url):
    """The catalogue's half alone, on a real Postgres."""
    async with catalogues.opened(catalogue_url) as opened:
        yield opened
