"""Several encoders behind a real server each."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from services.common.channels import open_peer
from services.common.errors import FailedPrecondition, ServiceError, Unavailable
from services.common.settings import ServiceSettings
from services.retrieval.adapters.encoder import Encoder
from services.retrieval.adapters.encoders import Encoders
from services.retrieval.index_version import Model
from tests.fakes import FakeEncoder
from tests.retrieval.index_shop import OtherWeights

SETTINGS = ServiceSettings(bind="127.0.0.1:0")


@pytest.fixture
async def opened(serve_encoder):
    """Makes Encoders of fakes."""
    async with AsyncExitStack() as stack:

        async def of(*fakes):
            targets = []
            for fake in fakes:
                address = await stack.enter_async_context(serve_encoder(fake))
                peer = await stack.enter_async_context(open_peer("encoder", address, SETTINGS))
                targets.append(Encoder(peer, 1.0, 1.0, 0.0))
            return Encoders(targets, 1.0)

        yield of


def model_of(fake):
    return Model("fake", fake.revision, fake.DIMS)


async def vector(encoders, fake, text="milk"):
    return (await encoders.encode_query(text, model_of(fake))).vector


async def test_each_request_goes_to_the_encoder_that_has_the_model(opened):
    one, other = FakeEncoder(), OtherWeights()
    encoders = await opened(one, other)
    for fake in (one, other, one):
        assert (await vector(encoders, fake)).tolist() == fake.vector("milk").tolist()
    assert [len(one.requests), len(other.requests)] == [2, 1]


async def test_models_are_listed_in_the_order_of_the_targets_and_once_each(opened):
    encoders = await opened(FakeEncoder(), OtherWeights(), FakeEncoder())
    assert [loaded.model.revision for loaded in await encoders.all()] == ["fake-1", "fake-2"]
    assert (await encoders.first()).model.revision == "fake-1"


async def test_an_encoder_that_is_away_is_left_out_of_the_list_and_does_not_keep_the_other_from_answering(opened):
    one, other = FakeEncoder(), OtherWeights()
    encoders = await opened(one, other)
    one.error = Unavailable("away")
    assert [loaded.model.revision for loaded in await encoders.all()] == ["fake-2"]
    assert (await vector(encoders, other)).size == other.DIMS
    other.error = Unavailable("away")
    with pytest.raises(Unavailable):
        await encoders.all()


async def test_a_model_that_no_encoder_has_is_refused(opened):
    encoders = await opened(FakeEncoder(), OtherWeights())
    with pytest.raises(FailedPrecondition):
        await encoders.encode_query("milk", Model("fake", "fake-7", 64))


async def test_a_model_that_moves_is_followed(opened):
    one, other = FakeEncoder(), OtherWeights()
    encoders = await opened(one, other)
    await vector(encoders, one)
    one.revision, other.revision = other.revision, one.revision
    assert (await vector(encoders, other)).tolist() == other.vector("milk").tolist()


async def test_an_encoder_that_hangs_does_not_hold_up_the_one_that_has_the_model(opened):
    one, other = FakeEncoder(), OtherWeights()
    encoders = await opened(one, other)
    one.hang = True
    async with asyncio.timeout(5):
        assert (await vector(encoders, other)).size == other.DIMS


async def test_documents_come_as_float16_rows_of_the_right_model(opened):
    one, other = FakeEncoder(), OtherWeights()
    encoders = await opened(one, other)
    (row,) = await encoders.encode_documents(["milk"], model_of(other))
    assert row == other.vector("milk").astype("<f2").tobytes()


async def test_a_single_encoder_is_asked_at_once_and_says_itself_that_it_has_another_model(opened):
    encoders = await opened(FakeEncoder())
    with pytest.raises(ServiceError) as caught:
        await encoders.encode_query("milk", Model("fake", "fake-7", 64))
    assert caught.value.reason == "MODEL_NOT_LOADED"
