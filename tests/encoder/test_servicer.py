"""EncoderService over a real server with the real model."""

import asyncio

import grpc
import numpy as np
import pytest

from services.common.server import open_server
from services.common.settings import SettingsError
from services.encoder.config import EncoderSettings
from services.encoder.wiring import open_service
from tests.refusals import refusal
from zhiyin.common.v1 import vector_pb2
from zhiyin.encoder.v1 import encoder_service_pb2 as pb
from zhiyin.encoder.v1 import encoder_service_pb2_grpc as rpc

QUERY, DOCUMENT = pb.PURPOSE_QUERY, pb.PURPOSE_DOCUMENT


@pytest.fixture
def tiny_settings(make_tiny_bert, tmp_path):
    def make(**values):
        values = {
            "encoder_cache_directory": tmp_path,
            "encoder_compute_type": "float32",
            "encoder_threads": 2,
            **values,
        }
        return EncoderSettings(bind="127.0.0.1:0", encoder_model=str(make_tiny_bert()), **values)

    return make


class Serving:
    def __init__(self, settings):
        self._settings = settings

    async def __aenter__(self):
        self._service = open_service(self._settings)
        self._server = open_server(self._settings, await self._service.__aenter__())
        self._channel = grpc.aio.insecure_channel(await self._server.__aenter__())
        return rpc.EncoderServiceStub(self._channel)

    async def __aexit__(self, *exc):
        await self._channel.close()
        await self._server.__aexit__(*exc)
        await self._service.__aexit__(*exc)


def rows(reply, dtype="<f4"):
    return np.frombuffer(reply.vectors.data, dtype).reshape(-1, reply.vectors.dims)


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value)


async def test_the_model_described_and_used_is_the_same(default_model):
    async with Serving(default_model.settings.model_copy(update={"bind": "127.0.0.1:0"})) as stub:
        model = await stub.GetModel(pb.GetModelRequest(), timeout=20)
        request = pb.EncodeTextsRequest(
            texts=["牛奶", "milk", "laptop"], purpose=QUERY, model_revision=model.model.revision
        )
        reply = await stub.EncodeTexts(request, timeout=20)
    assert (model.model.dims, model.max_tokens, model.pooling, model.normalised) == (384, 512, "mean", True)
    assert (model.query_prompt, model.document_prompt) == ("query: ", "passage: ")
    assert model.mean_vector.dims == 384
    assert len(model.mean_vector.data) == 4 * 384
    assert reply.usage.model == model.model
    assert reply.usage.tokens == sum(e.token_count for e in reply.encodings) > 0
    assert reply.usage.compute_time.ToNanoseconds() > 0
    milk_zh, milk, laptop = rows(reply)
    np.testing.assert_allclose(np.linalg.norm(rows(reply), axis=1), 1.0, atol=1e-3)
    assert milk_zh @ milk > milk_zh @ laptop


async def test_an_empty_text_gets_a_zero_vector_and_harms_no_one_else(tiny_settings):
    async with Serving(tiny_settings()) as stub:
        texts = ["red shoe", "", " \n\t", "\x00\x07", "milk"]
        reply = await stub.EncodeTexts(pb.EncodeTextsRequest(texts=texts, purpose=DOCUMENT), timeout=20)
        alone = await stub.EncodeTexts(pb.EncodeTextsRequest(texts=["milk"], purpose=DOCUMENT), timeout=20)
    assert [e.empty for e in reply.encodings] == [False, True, True, True, False]
    assert [e.token_count for e in reply.encodings][1:4] == [0, 0, 0]
    assert not rows(reply)[1:4].any()
    np.testing.assert_allclose(rows(reply)[4], rows(alone)[0], atol=1e-5)


async def test_a_text_longer_than_the_model_is_truncated_and_told_or_refused_by_position(tiny_settings):
    texts = ["red", "tea " * 200]
    async with Serving(tiny_settings()) as stub:
        reply = await stub.EncodeTexts(pb.EncodeTextsRequest(texts=texts, purpose=QUERY), timeout=20)
        strict = pb.EncodeTextsRequest(texts=texts, purpose=QUERY, over_length=pb.OVER_LENGTH_REFUSE)
        told = await refused(stub.EncodeTexts(strict, timeout=20))
    assert [e.truncated for e in reply.encodings] == [False, True]
    assert reply.encodings[1].token_count == 40
    assert told.fields == {"texts[1]": "TOO_LONG"}
    assert "40 tokens" in told.descriptions["texts[1]"]


async def test_half_precision_vectors_are_the_same_vectors(tiny_settings):
    async with Serving(tiny_settings()) as stub:
        request = pb.EncodeTextsRequest(texts=["red shoe", "milk"], purpose=QUERY)
        full = await stub.EncodeTexts(request, timeout=20)
        request.vector_type = vector_pb2.VECTOR_TYPE_FLOAT16
        half = await stub.EncodeTexts(request, timeout=20)
    assert half.vectors.type == vector_pb2.VECTOR_TYPE_FLOAT16
    np.testing.assert_allclose(rows(half, "<f2"), rows(full), atol=1e-3)


async def test_another_models_revision_is_a_failed_precondition_that_names_the_loaded_one(tiny_settings):
    async with Serving(tiny_settings()) as stub:
        loaded = (await stub.GetModel(pb.GetModelRequest(), timeout=20)).model.revision
        told = await refused(
            stub.EncodeTexts(pb.EncodeTextsRequest(texts=["a"], purpose=QUERY, model_revision="0" * 16), timeout=20)
        )
    assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MODEL_NOT_LOADED")
    assert told.metadata["loaded_revision"] == loaded


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.EncodeTextsRequest(texts=["a"]), "purpose"),
        (pb.EncodeTextsRequest(purpose=QUERY), "texts"),
        (pb.EncodeTextsRequest(purpose=QUERY, texts=["a"] * 5), "texts"),
        (pb.EncodeTextsRequest(purpose=QUERY, texts=["ok", "a" * 101]), "texts[1]"),
        (pb.EncodeTextsRequest(purpose=QUERY, texts=["a"], lane=9), "lane"),
        (pb.EncodeTextsRequest(purpose=QUERY, texts=["a"], over_length=9), "over_length"),
        (pb.EncodeTextsRequest(purpose=QUERY, texts=["a"], vector_type=9), "vector_type"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_bad_request_names_its_field_and_the_next_one_works(tiny_settings, request_, field):
    async with Serving(tiny_settings(encoder_max_texts=4, encoder_max_characters=100)) as stub:
        told = await refused(stub.EncodeTexts(request_, timeout=20))
        assert told.code is grpc.StatusCode.INVALID_ARGUMENT
        assert list(told.fields) == [field]
        await stub.EncodeTexts(pb.EncodeTextsRequest(texts=["a"], purpose=QUERY), timeout=20)


async def test_a_queue_that_is_full_is_resource_exhausted_with_a_hint_and_works_again(tiny_settings):
    settings = tiny_settings(encoder_bulk_queue_tokens=200, encoder_batch_tokens=64)
    request = pb.EncodeTextsRequest(texts=["red shoe " * 10] * 64, purpose=DOCUMENT, lane=pb.LANE_BULK)
    async with Serving(settings) as stub:
        calls = [stub.EncodeTexts(request, timeout=60) for _ in range(40)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        full = [refusal(answer) for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert full
        assert {told.code for told in full} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert all(told.retry_seconds > 0 for told in full)
        await stub.EncodeTexts(request, timeout=60)


async def test_many_callers_with_texts_of_all_lengths_all_get_their_own_vectors(tiny_settings):
    texts = ["tea", "red shoe", "milk " * 15, "咖啡 机", "a b c " * 10]
    async with Serving(tiny_settings(encoder_batch_tokens=128)) as stub:
        alone = [
            rows(await stub.EncodeTexts(pb.EncodeTextsRequest(texts=[text], purpose=QUERY), timeout=20))[0]
            for text in texts
        ]

        async def call(number):
            lane = pb.LANE_BULK if number % 3 else pb.LANE_INTERACTIVE
            request = pb.EncodeTextsRequest(texts=[texts[number % 5]] * 3, purpose=QUERY, lane=lane)
            reply = await stub.EncodeTexts(request, timeout=60)
            for row in rows(reply):
                np.testing.assert_allclose(row, alone[number % 5], atol=1e-4)

        await asyncio.gather(*(call(number) for number in range(150)))


async def test_a_model_that_does_not_fit_the_batch_is_refused_at_the_start(tiny_settings):
    with pytest.raises(SettingsError, match="batch of 16 tokens"):
        async with open_service(tiny_settings(encoder_batch_tokens=16)):
            pass


async def test_a_directory_without_a_model_is_refused_at_the_start(tmp_path):
    settings = EncoderSettings(encoder_model=str(tmp_path), encoder_cache_directory=tmp_path)
    with pytest.raises(SettingsError, match="cannot be used"):
        async with open_service(settings):
            pass
