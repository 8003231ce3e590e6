"""A shop whose index is made by one of several models, and the calls of those who look after it."""

import hashlib
import re
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace

import asyncpg
import grpc
import numpy as np
from qdrant_client import grpc as q

from services.common.errors import Unavailable
from tests.fakes import FakeEncoder
from tests.retrieval import shops
from zhiyin.common.v1 import index_version_pb2 as versions
from zhiyin.encoder.v1 import encoder_service_pb2 as encoder_pb2
from zhiyin.retrieval.v1 import index_admin_service_pb2 as pb

BUILDING, READY = versions.INDEX_VERSION_STATE_BUILDING, versions.INDEX_VERSION_STATE_READY
ACTIVE, DELETED = versions.INDEX_VERSION_STATE_ACTIVE, versions.INDEX_VERSION_STATE_DELETED
REPORT, REPAIR = versions.VERIFY_MODE_REPORT, versions.VERIFY_MODE_REPAIR


class OtherWeights(FakeEncoder):
    """As many dimensions as FakeEncoder has, and other vectors."""

    def __init__(self, revision="fake-2"):
        super().__init__()
        self.revision = revision
        self.refusing_documents = False

    async def EncodeTexts(self, request, context):
        if self.refusing_documents and request.purpose == encoder_pb2.PURPOSE_DOCUMENT:
            raise Unavailable("away")
        return await super().EncodeTexts(request, context)

    def vector(self, text):
        vector = np.zeros(self.DIMS)
        for word in re.findall(r"\w+", text.lower()):
            seed = hashlib.sha256(f"{self.revision} {word}".encode()).digest()
            vector += np.random.default_rng(list(seed[:4])).standard_normal(self.DIMS)
        vector = self.mean + (0.4 * vector / np.linalg.norm(vector) if vector.any() else 0)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


class OtherDimension(OtherWeights):
    """Half as many dimensions."""

    DIMS = 32


@asynccontextmanager
async def open_shop(serve, serve_encoder, database_url, qdrant_url, catalog, encoders, **fields):
    """The whole service with these encoders; `encoders` of the shop by revision."""
    async with AsyncExitStack() as stack:
        targets = [await stack.enter_async_context(serve_encoder(encoder)) for encoder in encoders]
        stub = await stack.enter_async_context(serve(database_url, qdrant_url, ", ".join(targets), **fields))
        yield SimpleNamespace(
            stub=stub,
            admin=stub.admin,
            encoders={encoder.revision: encoder for encoder in encoders},
            catalog=catalog,
            database_url=database_url,
            qdrant_url=qdrant_url,
        )


async def call(shop, method, **fields):
    """Calls an RPC of the administration."""
    request = getattr(pb, f"{method}Request")(catalog=shop.catalog, **fields)
    return await getattr(shop.stub.admin, method)(request, timeout=shops.SECONDS)


async def version(shop, number=0):
    return (await call(shop, "GetIndexVersion", number=number)).version


async def until(shop, number, condition, seconds=20.0):
    """Waits until a version is as the condition says; the version."""

    async def holds():
        return condition(await version(shop, number))

    await shops.eventually(holds, seconds)
    return await version(shop, number)


async def built(shop, revision):
    """A version by a model, READY."""
    made = (await call(shop, "CreateIndexVersion", model_revision=revision)).version
    return await until(shop, made.number, lambda v: v.state == READY)


def settled(found):
    return found.pending_count == 0 and found.words_only_count == 0


async def verified(shop, mode=REPORT, number=0, page_size=0):
    """All parts of a verification, added up."""
    total, token, parts = versions.IndexFindings(), "", 0
    while True:
        reply = await call(shop, "VerifyIndexVersion", number=number, mode=mode, page_size=page_size, page_token=token)
        parts += 1
        total.checked_count += reply.findings.checked_count
        total.missing_count += reply.findings.missing_count
        total.extra_count += reply.findings.extra_count
        total.stale_count += reply.findings.stale_count
        total.sample_product_ids.extend(reply.findings.sample_product_ids)
        token = reply.next_page_token
        if not token:
            return total, parts


def faults(found):
    return found.missing_count, found.extra_count, found.stale_count


def cosine(encoder, query, text):
    """What an encoder itself says of a query and a product's text, kept as float16."""
    product = encoder.vector(text).astype(np.float16).astype(np.float64)
    asked = encoder.vector(query).astype(np.float64)
    return float(asked @ product / np.linalg.norm(asked) / np.linalg.norm(product))


@asynccontextmanager
async def catalogue_database(shop):
    """A connection to the catalogue's database, past the service."""
    connection = await asyncpg.connect(shop.database_url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def engine(shop):
    """Qdrant itself, past the service."""
    async with grpc.aio.insecure_channel(shop.qdrant_url) as channel:
        yield SimpleNamespace(points=q.PointsStub(channel), collections=q.CollectionsStub(channel))


async def collection_names(shop):
    async with engine(shop) as qdrant:
        reply = await qdrant.collections.List(q.ListCollectionsRequest())
    return {collection.name for collection in reply.collections}
