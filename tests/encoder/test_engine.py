import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import numpy as np
import pytest

from services.common.deadlines import deadline_after
from services.common.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)
from services.encoder.batching import BatchLimits, DropReason, Lane
from services.encoder.encoding import EncodeRequest, OverLength
from services.encoder.engine import EngineLimits, open_encoder
from services.encoder.model import Purpose
from services.encoder.texts import TextLimits
from tests.encoder.fakes import NOT_A_NUMBER, POISON, FakeModel, RecordingObserver, description, vector


@asynccontextmanager
async def running(
    model, observer=None, *, tokenising_characters=10_000, idle_seconds=0.0, health_seconds=5.0, **batches
):
    defaults = {
        "batch_tokens": 64,
        "batch_texts": 16,
        "queue_tokens": {Lane.INTERACTIVE: 512, Lane.BULK: 4096},
        "queue_texts": 1000,
    }
    limits = EngineLimits(
        texts=TextLimits(max_texts=100, max_characters=5000, max_total_characters=20_000),
        batches=BatchLimits(**{**defaults, **batches}),
        tokenising_characters=tokenising_characters,
        idle_seconds=idle_seconds,
        health_seconds=health_seconds,
    )
    with ThreadPoolExecutor(1) as thread:
        async with open_encoder(model, description(model), limits, observer or RecordingObserver(), thread) as encoder:
            try:
                yield encoder
            finally:
                model.gate.set()


def queries(*texts, **options):
    return EncodeRequest(texts, Purpose.QUERY, **options)


def documents(*texts, **options):
    return EncodeRequest(texts, Purpose.DOCUMENT, **options)


async def until(condition, seconds=10.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def test_vectors_come_in_the_order_of_the_texts_with_the_purposes_prompt():
    async with running(FakeModel()) as encoder:
        found = await encoder.encode(queries("red shoe with laces", "tea"))
        stored = await encoder.encode(documents("red shoe with laces", "tea"))
    assert found.vectors[:, :2].tolist() == [vector("query: red shoe with laces"), vector("query: tea")]
    assert stored.vectors[:, :2].tolist() == [vector("red shoe with laces"), vector("tea")]
    assert [e.token_count for e in found.encodings] == [5, 2]
    assert found.tokens == 7


async def test_an_empty_text_gets_a_zero_vector_and_harms_no_one_else():
    async with running(FakeModel()) as encoder:
        result = await encoder.encode(queries("tea", " \x00\t", "", "milk"))
    assert result.vectors[1:3].any() == False  # noqa: E712 - numpy's own bool
    assert result.vectors[[0, 3], :2].tolist() == [vector("query: tea"), vector("query: milk")]
    assert [e.empty for e in result.encodings] == [False, True, True, False]
    assert [e.token_count for e in result.encodings] == [2, 0, 0, 2]


async def test_a_call_of_empty_texts_alone_needs_no_batch():
    model = FakeModel()
    async with running(model) as encoder:
        result = await encoder.encode(queries("", "\n"))
    assert result.vectors.shape == (2, 4)
    assert not result.vectors.any()
    assert model.batches == []


async def test_an_over_long_text_is_truncated_and_says_so():
    async with running(FakeModel(max_tokens=3)) as encoder:
        result = await encoder.encode(documents("a b c d", "a b c"))
    assert result.vectors[0, :2].tolist() == vector("a b c")
    assert [e.truncated for e in result.encodings] == [True, False]


async def test_an_over_long_text_is_refused_by_name_where_the_caller_wants_that():
    model = FakeModel(max_tokens=3)
    async with running(model) as encoder:
        with pytest.raises(InvalidArgument) as refused:
            await encoder.encode(documents("a", "", "a b c d", over_length=OverLength.REFUSE))
    assert [(v.field, v.reason) for v in refused.value.violations] == [("texts[2]", "TOO_LONG")]
    assert model.batches == []


async def test_another_revision_than_the_loaded_one_is_refused_and_told_which_is():
    async with running(FakeModel()) as encoder:
        await encoder.encode(queries("tea", model_revision=encoder.description.identity.revision))
        with pytest.raises(FailedPrecondition) as refused:
            await encoder.encode(queries("tea", model_revision="ffffffffffffffff"))
    assert refused.value.reason == "MODEL_NOT_LOADED"
    assert refused.value.metadata["loaded_revision"] == "0123456789abcdef"


async def test_many_callers_with_mixed_lengths_all_finish_with_their_own_vectors():
    """Kind of text-embeddings-inference 97."""
    texts = [" ".join(["word", chr(97 + i % 26)] * (1 + i * i % 30)) for i in range(120)]
    observer = RecordingObserver()
    async with running(FakeModel(), observer, queue_tokens=dict.fromkeys(Lane, 10_000)) as encoder:
        calls = [
            encoder.encode(documents(text, "tea", lane=Lane.BULK if i % 3 else Lane.INTERACTIVE))
            for i, text in enumerate(texts)
        ]
        async with asyncio.timeout(20):
            results = await asyncio.gather(*calls)
    for text, result in zip(texts, results, strict=True):
        assert result.vectors[:, :2].tolist() == [vector(text), vector("tea")]
    for outcome in observer.outcomes:
        assert max(job.tokens for job in outcome.jobs) * len(outcome.jobs) <= 64


async def test_texts_that_wait_together_share_a_batch():
    model = FakeModel()
    async with running(model) as encoder:
        model.gate.clear()
        first = asyncio.create_task(encoder.encode(documents("first")))
        await until(lambda: model.holding)
        rest = [asyncio.create_task(encoder.encode(documents(text))) for text in ("red shoe", "milk", "green tea")]
        await until(lambda: encoder.queue_depth(Lane.INTERACTIVE).texts == 3)
        model.gate.set()
        await asyncio.gather(first, *rest)
    assert [len(batch) for batch in model.batches] == [1, 3]


async def test_a_text_that_the_model_chokes_on_fails_alone():
    model, observer = FakeModel(), RecordingObserver()
    async with running(model, observer) as encoder:
        model.gate.clear()
        first = asyncio.create_task(encoder.encode(documents("first")))
        await until(lambda: model.holding)
        texts = ["red", "blue", POISON, "shoe", NOT_A_NUMBER, "milk", "tea"]
        calls = [asyncio.create_task(encoder.encode(documents(text))) for text in texts]
        await until(lambda: encoder.queue_depth(Lane.INTERACTIVE).texts == len(texts))
        model.gate.set()
        results = await asyncio.gather(first, *calls, return_exceptions=True)
        again = await encoder.encode(documents("tea"))
    for text, result in zip(["first", *texts], results, strict=True):
        if text in {POISON, NOT_A_NUMBER}:
            assert isinstance(result, Internal)
            assert text not in str(result)
        else:
            assert result.vectors[0, :2].tolist() == vector(text)
    assert again.vectors[0, :2].tolist() == vector("tea")
    assert sum(outcome.error is not None for outcome in observer.outcomes) == 2


async def test_one_huge_call_is_refused_and_the_next_one_works():
    """Kind of text-embeddings-inference 470."""
    async with running(FakeModel()) as encoder:
        with pytest.raises(InvalidArgument, match="more than 100 texts"):
            await encoder.encode(documents(*["tea"] * 101))
        with pytest.raises(InvalidArgument, match="more than 20000 characters"):
            await encoder.encode(documents(*["t" * 5000] * 5))
        assert (await encoder.encode(documents("tea"))).tokens == 1


async def test_overload_is_refused_with_a_time_to_come_back_and_heals():
    model = FakeModel()
    async with running(model, queue_tokens=dict.fromkeys(Lane, 20)) as encoder:
        model.gate.clear()
        calls = [asyncio.create_task(encoder.encode(documents(*["a b c d e"] * 2))) for _ in range(20)]
        await until(lambda: sum(call.done() for call in calls) >= 10)
        model.gate.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
        refused = [result for result in results if isinstance(result, ResourceExhausted)]
        assert refused
        assert len(refused) < len(calls)
        assert all(error.retry_after is not None and error.retry_after > 0 for error in refused)
        assert (await encoder.encode(documents("tea"))).tokens == 1


async def test_too_many_characters_at_the_tokenizer_are_refused():
    model = FakeModel()
    tokenising, held = threading.Event(), threading.Event()

    class SlowTokenizer(FakeModel):
        def tokenise(self, texts):
            if len(texts[0]) > 1000:
                tokenising.set()
                assert held.wait(20)
            return super().tokenise(texts)

    model = SlowTokenizer()
    async with running(model, tokenising_characters=3000) as encoder:
        long = asyncio.create_task(encoder.encode(documents("word " * 400)))
        await until(tokenising.is_set)
        with pytest.raises(ResourceExhausted, match="more than 3000 characters"):
            await encoder.encode(documents("word " * 400))
        assert (await encoder.encode(documents("tea"))).tokens == 1
        held.set()
        assert (await long).encodings[0].truncated


async def test_a_caller_that_leaves_is_dropped_from_the_queue():
    model, observer = FakeModel(), RecordingObserver()
    async with running(model, observer) as encoder:
        model.gate.clear()
        first = asyncio.create_task(encoder.encode(documents("first")))
        await until(lambda: model.holding)
        leaving = asyncio.create_task(encoder.encode(documents("leaving", "too")))
        staying = asyncio.create_task(encoder.encode(documents("staying")))
        await until(lambda: encoder.queue_depth(Lane.INTERACTIVE).texts == 3)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        model.gate.set()
        await asyncio.gather(first, staying)
        await until(lambda: len(observer.drops) == 2)
    assert observer.drops == [DropReason.CALLER_GONE] * 2
    assert [len(batch) for batch in model.batches] == [1, 1]


async def test_time_that_is_over_ends_the_call_and_never_reaches_the_model():
    model = FakeModel()
    async with running(model) as encoder:
        model.gate.clear()
        first = asyncio.create_task(encoder.encode(documents("first")))
        await until(lambda: model.holding)
        with pytest.raises(DeadlineExceeded), deadline_after(0.05):
            await encoder.encode(documents("late"))
        model.gate.set()
        await first
        await encoder.encode(documents("next"))
    assert len(model.batches) == 2


async def test_an_interactive_text_goes_before_bulk_work_that_waits():
    model = FakeModel()
    async with running(model) as encoder:
        model.gate.clear()
        bulk = asyncio.create_task(encoder.encode(documents(*["b u l k"] * 80, lane=Lane.BULK)))
        await until(lambda: 0 < encoder.queue_depth(Lane.BULK).texts < 80)
        short = asyncio.create_task(encoder.encode(queries("tea")))
        await until(lambda: encoder.queue_depth(Lane.INTERACTIVE).texts == 1)
        model.gate.set()
        await asyncio.gather(bulk, short)
    assert [len(batch[0]) for batch in model.batches[:3]] == [4, 2, 4]


async def test_queue_and_compute_time_are_those_of_the_batches():
    model = FakeModel()
    async with running(model) as encoder:
        model.gate.clear()
        first = asyncio.create_task(encoder.encode(documents("first")))
        await until(lambda: model.holding)
        second = asyncio.create_task(encoder.encode(documents("second")))
        await asyncio.sleep(0.1)
        model.gate.set()
        one, two = await asyncio.gather(first, second)
    assert one.compute_seconds > 0.09
    assert one.queue_seconds < 0.09
    assert two.queue_seconds > 0.09
    assert two.compute_seconds < 0.09


async def test_health_runs_a_text_through_the_worker():
    model = FakeModel()
    async with running(model) as encoder:
        assert await encoder.is_healthy()
        assert model.batches == [[(ord("a"),)]]


async def test_health_runs_nothing_where_a_batch_ended_well_lately():
    model = FakeModel()
    async with running(model, idle_seconds=60.0) as encoder:
        await encoder.encode(queries("tea"))
        assert await encoder.is_healthy()
    assert len(model.batches) == 1


async def test_health_fails_while_the_worker_hangs_and_comes_back_with_it():
    model = FakeModel()
    async with running(model, health_seconds=0.1) as encoder:
        model.gate.clear()
        stuck = asyncio.create_task(encoder.encode(queries("tea")))
        await until(lambda: model.holding)
        assert not await encoder.is_healthy()
        model.gate.set()
        await stuck
        assert await encoder.is_healthy()


async def test_health_fails_while_the_model_fails_on_everything():
    model = FakeModel()
    async with running(model) as encoder:
        model.broken = True
        assert not await encoder.is_healthy()
        model.broken = False
        assert await encoder.is_healthy()


async def test_health_does_not_fail_because_the_queue_is_full():
    model = FakeModel()
    async with running(model, queue_texts=2) as encoder:
        model.gate.clear()
        calls = [asyncio.create_task(encoder.encode(queries("tea")))]
        await until(lambda: model.holding)
        calls += [asyncio.create_task(encoder.encode(queries("tea"))) for _ in range(2)]
        await until(lambda: encoder.queue_depth(Lane.INTERACTIVE).texts == 2)
        health = asyncio.create_task(encoder.is_healthy())
        await until(lambda: encoder.queue_depth(Lane.INTERACTIVE).texts >= 3)
        model.gate.set()
        assert await health
        await asyncio.gather(*calls, return_exceptions=True)


async def test_stopping_fails_those_who_still_wait_and_leaves_no_thread():
    model = FakeModel()
    before = {thread.name for thread in threading.enumerate()}
    with ThreadPoolExecutor(1) as thread:
        limits = EngineLimits(
            TextLimits(10, 100, 1000), BatchLimits(8, 1, dict.fromkeys(Lane, 1000), 100), 1000, 60.0, 1.0
        )
        async with open_encoder(model, description(model), limits, RecordingObserver(), thread) as encoder:
            model.gate.clear()
            calls = [asyncio.create_task(encoder.encode(documents("tea"))) for _ in range(5)]
            await until(lambda: encoder.queue_depth(Lane.INTERACTIVE).texts == 4)
            asyncio.get_running_loop().call_later(0.05, model.gate.set)
        results = await asyncio.gather(*calls, return_exceptions=True)
        with pytest.raises(Unavailable):
            await encoder.encode(documents("tea"))
    assert [type(result) for result in results[1:]] == [Unavailable] * 4
    assert not isinstance(results[0], BaseException)
    deadline = time.monotonic() + 5
    while {thread.name for thread in threading.enumerate()} - before and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    assert not [name for name in {t.name for t in threading.enumerate()} - before if name.startswith("encoder")]


async def test_vectors_of_a_large_call_in_many_batches_are_all_there():
    texts = [" ".join("w" * (1 + i % 5)) for i in range(100)]
    async with running(FakeModel(), batch_texts=7) as encoder:
        result = await encoder.encode(documents(*texts))
    assert np.array_equal(result.vectors[:, :2], np.array([vector(text) for text in texts], np.float32))
