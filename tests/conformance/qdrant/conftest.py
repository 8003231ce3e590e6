import grpc
import pytest
from qdrant_client import grpc as pb

from tests.conformance.qdrant.catalogue import INDEXES, SECONDS, creation


@pytest.fixture
async def channel(qdrant_url):
    async with grpc.aio.insecure_channel(qdrant_url) as opened:
        yield opened


@pytest.fixture
def points(channel):
    return pb.PointsStub(channel)


@pytest.fixture
def collections(channel):
    return pb.CollectionsStub(channel)


@pytest.fixture
async def collection(collections, points, collection_name):
    """Name of an empty strict collection with its indexes, deleted after the test."""
    await collections.Create(creation(collection_name), timeout=SECONDS)
    for field, kind in INDEXES.items():
        index = pb.CreateFieldIndexCollection(
            collection_name=collection_name, field_name=field, field_type=kind, wait=True
        )
        await points.CreateFieldIndex(index, timeout=SECONDS)
    yield collection_name
    await collections.Delete(pb.DeleteCollection(collection_name=collection_name), timeout=SECONDS)
