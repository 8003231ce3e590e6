"""Index versions of three models on real processes: one is built while retrieval is killed, and all are switched to."""

import asyncio
import os
import random
import signal
from contextlib import asynccontextmanager
from itertools import combinations
from types import SimpleNamespace

import grpc
import numpy as np
import psutil
import pytest

from local.config import StackSettings
from tests.faults import models
from tests.faults.load import OPTIONS, until
from tests.stacks import PATIENT, PORTS
from zhiyin.common.v1 import index_version_pb2 as versions
from zhiyin.common.v1 import product_pb2, vector_pb2
from zhiyin.encoder.v1 import encoder_service_pb2 as encoder_pb
from zhiyin.encoder.v1.encoder_service_pb2_grpc import EncoderServiceStub
from zhiyin.gateway.v1 import gateway_service_pb2 as gateway_pb
from zhiyin.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from zhiyin.retrieval.v1 import index_admin_service_pb2 as admin_pb
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb
from zhiyin.retrieval.v1.index_admin_service_pb2_grpc import IndexAdminServiceStub
from zhiyin.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceStub

PRODUCTS = 400
KILLS = 4
QUICK = {
    "ZHIYIN_INDEX_LEASE_SECONDS": "1.5",
    "ZHIYIN_INDEX_BUILD_PORTION": "40",
    "ZHIYIN_INDEX_BATCH": "16",
    "ZHIYIN_INDEX_VERSION_SECONDS": "1",
    "ZHIYIN_ENCODE_QUERY_SECONDS": "4",
}
THINGS = ("milk", "lamp", "chair", "kettle", "tent", "rope", "drill", "pillow", "bicycle", "notebook")
KNOWN, QUERY = (11, 21, 71, 111), "a lamp for reading"
"""Products that never change, and what is looked for."""
SHOWN = 100
"""Results on the largest page of the gateway."""
SECONDS = 20.0


def title(n):
    return f"{THINGS[n % 10]} for {THINGS[n // 10 % 10]} number {n}"


@pytest.fixture(scope="module")
def stack_and_targets(session_directory):
    directory = session_directory / "index-versions"
    directory.mkdir()
    directory.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ZHIYIN_", "OTEL_"))}
    environment |= PATIENT | QUICK | models.THREADS
    settings = StackSettings(data_dir=directory / "stack", **{f"{name}_port": 0 for name in PORTS})
    chosen = [models.minilm_directory(), models.small_bert(directory / "small")]
    with models.stack_with_encoders(settings, environment, directory, chosen) as opened:
        yield opened


@pytest.fixture
async def world(stack_and_targets):
    """One stack for all tests here, in their order: the second finds the versions that the first made."""
    stack, targets = stack_and_targets
    async with (
        grpc.aio.insecure_channel(stack.addresses["retrieval"], options=OPTIONS) as channel,
        grpc.aio.insecure_channel(stack.addresses["gateway"], options=OPTIONS) as gateway,
    ):
        products, admin = RetrievalServiceStub(channel), IndexAdminServiceStub(channel)
        yield SimpleNamespace(
            stack=stack,
            targets=targets,
            catalog="versions",
            products=products,
            admin=admin,
            gateway=GatewayServiceStub(gateway),
        )


async def call(world, method, **fields):
    """Calls the administration; again while retrieval is away."""
    request = getattr(admin_pb, f"{method}Request")(catalog=world.catalog, **fields)
    return await patient(lambda: getattr(world.admin, method)(request, timeout=SECONDS))


async def patient(attempt):
    for _ in range(200):
        try:
            return await attempt()
        except grpc.aio.AioRpcError as error:
            if error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
                raise
            await asyncio.sleep(0.1)
    raise AssertionError("retrieval did not come back")


async def write(world, *products):
    request = pb.UpsertProductsRequest(catalog=world.catalog, products=products)
    await patient(lambda: world.products.UpsertProducts(request, timeout=SECONDS))


async def revisions(world):
    """Target by revision of its model, in the order of retrieval's setting."""
    found = {}
    for target in world.targets:
        async with grpc.aio.insecure_channel(target) as channel:
            reply = await EncoderServiceStub(channel).GetModel(encoder_pb.GetModelRequest(), timeout=SECONDS)
            found[reply.model.revision] = target
    return found


async def state(world, number):
    return (await call(world, "GetIndexVersion", number=number)).version


async def ready(world, number):
    async def is_ready():
        found = await state(world, number)
        return found.state == versions.INDEX_VERSION_STATE_READY and not found.pending_count

    await until(is_ready, 150, f"version {number} is built")


async def faults(world, number):
    total, token = [0, 0, 0, 0], ""
    while True:
        reply = await call(world, "VerifyIndexVersion", number=number, page_token=token)
        f = reply.findings
        counts = (f.checked_count, f.missing_count, f.extra_count, f.stale_count)
        total = [a + b for a, b in zip(total, counts, strict=True)]
        token = reply.next_page_token
        if not token:
            return total


async def cosines(target):
    """What an encoder says of QUERY and each known product, asked directly; by product id."""
    return {f"p{n:04}": await cosine(target, title(n)) for n in KNOWN}


async def cosine(target, text):
    async with grpc.aio.insecure_channel(target) as channel:
        vectors = []
        for asked, purpose in ((QUERY, encoder_pb.PURPOSE_QUERY), (text, encoder_pb.PURPOSE_DOCUMENT)):
            request = encoder_pb.EncodeTextsRequest(
                texts=[asked], purpose=purpose, vector_type=vector_pb2.VECTOR_TYPE_FLOAT32
            )
            reply = await EncoderServiceStub(channel).EncodeTexts(request, timeout=SECONDS)
            vectors.append(np.frombuffer(reply.vectors.data, "<f4").astype(np.float64))
    one, other = vectors
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@asynccontextmanager
async def shopping(world, replies):
    """Shoppers search through the gateway and the shop writes there; every reply is kept, and every write counts."""
    stop, written = asyncio.Event(), []

    async def search():
        while not stop.is_set():
            request = gateway_pb.SearchRequest(catalog=world.catalog, query=QUERY, page_size=SHOWN)
            replies.append(await world.gateway.Search(request, timeout=10))

    async def write():
        while not stop.is_set():
            n = len(written) % PRODUCTS
            if n not in KNOWN:
                product = product_pb2.Product(id=f"p{n:04}", title=f"written {title(n)} round {len(written)}")
                request = gateway_pb.UpsertProductsRequest(catalog=world.catalog, products=[product])
                await world.gateway.UpsertProducts(request, timeout=10)
            written.append(n)
            await asyncio.sleep(0.05)

    workers = [asyncio.create_task(work()) for work in (search, search, search, write)]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*workers)
    assert written


def cosines_shown(reply):
    """What the gateway's explanations say of the known products that are on the page, by product id."""
    known = {f"p{n:04}" for n in KNOWN}
    return {
        result.product.id: factor.value
        for result in reply.results
        if result.product.id in known
        for factor in result.explanation.factors
        if factor.name == "cosine"
    }


def process_at(target):
    """The encoder that serves a target."""
    (found,) = [
        child
        for child in psutil.Process().children(recursive=True)
        if child.environ().get("ZHIYIN_BIND") == target and "services.encoder" in child.cmdline()
    ]
    return found


async def test_a_build_that_is_killed_again_and_again_is_complete_in_the_end(world):
    products = [product_pb2.Product(id=f"p{n:04}", title=title(n)) for n in range(PRODUCTS)]
    await write(world, *products)
    first = await revisions(world)
    await until(lambda: whole(world, 1), 120, "the first version is there")
    other = list(first)[1]
    number = (await call(world, "CreateIndexVersion", model_revision=other)).version.number
    chance, stop, changed = random.Random(5), asyncio.Event(), {}

    async def keep_changing():
        n = 0
        while not stop.is_set():
            n += 1
            key = n % (PRODUCTS + 50)
            if key not in KNOWN:
                changed[f"p{key:04}"] = f"changed {title(key)} round {n}"
                await write(world, product_pb2.Product(id=f"p{key:04}", title=changed[f"p{key:04}"]))
            await asyncio.sleep(0.05)

    writer = asyncio.create_task(keep_changing())
    seen = []
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.2, 1.2))
        found = await state(world, number)
        seen.append((found.state, found.pending_count))
        await world.stack.kill("retrieval")
        await world.stack.start("retrieval")
    stop.set()
    await writer
    assert seen[0][0] == versions.INDEX_VERSION_STATE_BUILDING, "the first kill came too late to say anything"
    assert changed
    await ready(world, number)
    count = (await state(world, number)).product_count
    for version in (1, number):
        await until(lambda version=version: whole(world, version), 120, f"version {version} has followed")
        assert await faults(world, version) == [2 * count, 0, 0, 0]
    for product_id, sent in changed.items():
        request = pb.GetProductRequest(catalog=world.catalog, product_id=product_id)
        assert (await world.products.GetProduct(request, timeout=SECONDS)).product.title == sent


async def whole(world, number):
    try:
        found = await state(world, number)
    except grpc.aio.AioRpcError:  # the first version is made with the first product
        return False
    return not found.pending_count and not found.words_only_count and found.product_count > 0


async def test_no_request_fails_or_mixes_vectors_while_versions_of_three_models_are_switched(world):
    targets = await revisions(world)
    known = {v.number: v.model for v in (await call(world, "ListIndexVersions")).versions}
    small = list(targets)[2]
    number = (await call(world, "CreateIndexVersion", model_revision=small)).version.number
    await ready(world, number)
    known = {v.number: v.model for v in (await call(world, "ListIndexVersions")).versions}
    assert sorted(model.dims for model in known.values()) == [64, 384, 384]
    expected = {n: await cosines(targets[model.revision]) for n, model in known.items()}
    for one, other in combinations(expected.values(), 2):
        assert max(abs(one[product_id] - other[product_id]) for product_id in one) > 0.02

    replies = []
    async with shopping(world, replies):
        for target in (*sorted(known, reverse=True), *sorted(known)):
            await call(world, "ActivateIndexVersion", number=target)
            await asyncio.sleep(1.5)
        rolled = (await call(world, "RollBackIndexVersion")).version
        await asyncio.sleep(1.5)
    assert rolled.state == versions.INDEX_VERSION_STATE_ACTIVE

    by_revision = {model.revision: n for n, model in known.items()}
    compared = {}
    for reply in replies:
        assert not reply.degradations
        served = by_revision[reply.usage.model.revision]
        shown = cosines_shown(reply)
        assert shown == pytest.approx({i: expected[served][i] for i in shown}, abs=2e-3)
        compared[served] = compared.get(served, 0) + len(shown)
    assert all(compared[n] for n in known), "every version has answered, with known products"
    for n in known:
        await until(lambda n=n: whole(world, n), 120, f"version {n} has followed")
        assert (await faults(world, n))[1:] == [0, 0, 0]


async def test_while_the_encoder_of_a_version_that_is_built_hangs_the_live_version_goes_on(world):
    world.catalog = "hanging"  # of whose texts no vector is kept
    revision, hanging = list((await revisions(world)).items())[2]
    await write(world, *[product_pb2.Product(id=f"p{n:04}", title=title(n)) for n in range(PRODUCTS)])
    await until(lambda: whole(world, 1), 120, "the first version is there")
    encoder, replies = process_at(hanging), []
    number = (await call(world, "CreateIndexVersion", model_revision=revision)).version.number
    encoder.send_signal(signal.SIGSTOP)
    try:
        async with shopping(world, replies):
            await asyncio.sleep(5.0)
        found = await state(world, number)
    finally:
        encoder.send_signal(signal.SIGCONT)
    assert found.state == versions.INDEX_VERSION_STATE_BUILDING
    assert found.pending_count + found.words_only_count > 0
    assert replies
    assert not any(reply.degradations for reply in replies)
    await ready(world, number)
    await until(lambda: whole(world, 1), 120, "the live version has followed")
    for version in (1, number):
        assert (await faults(world, version))[1:] == [0, 0, 0]
