"""Texts in, vectors out: everything between a call and the model.

A call's texts are cleaned, put behind the model's prompt, tokenised beside the event loop and queued; the worker's
thread computes while the loop tokenises the next calls and packs the last ones.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from services.common import deadlines
from services.common.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    ResourceExhausted,
    ServiceError,
    Unavailable,
    Violation,
)
from services.encoder.batching import BatchLimits, BatchQueue, DropReason, Lane, LaneDepth
from services.encoder.encoding import EncodeRequest, EncodeResult, OverLength, TextEncoding
from services.encoder.model import ModelDescription, TextModel, TokenisedText
from services.encoder.texts import TextLimits, clean
from services.encoder.worker import Call, Outcome, TextJob, Worker

logger = logging.getLogger(__name__)
_INLINE_CHARACTERS: Final = 512
"""Shorter than that, tokenising (about 0.1 ms) costs less than a hop to another thread and back."""
_TOKENISING_THREADS: Final = 2
"""One call's long texts do not hold up another's; the tokenizer spreads a call's texts over the CPUs by itself."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Bounds of calls, queue and health check."""

    texts: TextLimits
    batches: BatchLimits
    tokenising_characters: int
    """Characters that are being tokenised, or wait for it, at any moment."""
    idle_seconds: float
    """After so long without a successful batch the health check runs one."""
    health_seconds: float
    """Time that the health check's batch may take, waiting included."""


class Observer(Protocol):
    """Whoever counts what happens. Called on the event loop."""

    def batch_ended(self, outcome: Outcome) -> None:
        """A batch ran, or a text of it failed alone."""
        ...

    def dropped(self, reason: DropReason, texts: int) -> None:
        """Texts left the queue without a vector."""
        ...


class Encoder:
    """The loaded model behind its queue. Made by `open_encoder`."""

    def __init__(
        self, model: TextModel, description: ModelDescription, limits: EngineLimits, observer: Observer
    ) -> None:
        self.description = description
        self._model = model
        self._limits = limits
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._worker = Worker(model, BatchQueue(limits.batches), self._deliver_soon, self._drop_soon)
        self._tokenisers = ThreadPoolExecutor(_TOKENISING_THREADS, "encoder-tokenise")
        self._characters = 0
        self._calls: set[Call] = set()
        self._last_success = -math.inf

    async def encode(self, request: EncodeRequest) -> EncodeResult:
        """Encodes the texts of one call.

        A text without visible characters is not encoded: its row is all zeros.

        Raises:
            InvalidArgument: a limit is exceeded, or a text is too long and `over_length` says to refuse it.
            FailedPrecondition: another revision of the model is loaded.
            ResourceExhausted: too much waits already.
            DeadlineExceeded: the caller's time was over before the vectors were there.
            Internal: the model failed on one of the texts.
            Unavailable: the service is stopping.
        """
        self._check_revision(request.model_revision)
        self._limits.texts.check(request.texts)
        tokenised = await self._tokenise(request.texts, self.description.prompt(request.purpose))
        if request.over_length is OverLength.REFUSE:
            self._refuse_truncated(tokenised)
        call = self._new_call(len(request.texts), len(tokenised))
        if tokenised:
            await self._compute(call, tokenised, lambda jobs: self._worker.put(request.lane, jobs))
        encodings = [_encoding(tokenised.get(i)) for i in range(len(request.texts))]
        return EncodeResult(call.vectors, encodings, call.queue_seconds, call.compute_seconds)

    async def is_healthy(self) -> bool:
        """Whether the worker's loop turns: a batch ended well lately, or a text of one word gets through it now."""
        if time.monotonic() - self._last_success < self._limits.idle_seconds:
            return True
        word = self._model.tokenise(["a"])[0]
        try:
            with deadlines.detached(), deadlines.deadline_after(self._limits.health_seconds):
                await self._compute(self._new_call(1, 1), {0: word}, lambda jobs: self._worker.put_first_aid(jobs[0]))
        except ServiceError as exc:
            logger.warning("the health check got no vector", extra={"reason": exc.reason})
            return False
        return True

    def queue_depth(self, lane: Lane) -> LaneDepth:
        """What waits in a lane."""
        return self._worker.depth(lane)

    def start(self, thread: Executor) -> None:
        """Starts the worker on a thread of `thread`."""
        self._worker.start(thread)

    async def close(self) -> None:
        """Ends after the batch in progress; calls that still wait fail as Unavailable."""
        await asyncio.to_thread(self._worker.stop)
        self._tokenisers.shutdown(wait=False, cancel_futures=True)
        for call in tuple(self._calls):
            _end(call, Unavailable("the encoder is stopping", reason="STOPPING", retry_after=1.0))

    def _check_revision(self, wanted: str) -> None:
        loaded = self.description.identity
        if wanted and wanted != loaded.revision:
            raise FailedPrecondition(
                "another revision of the model is loaded",
                reason="MODEL_NOT_LOADED",
                metadata={"loaded_revision": loaded.revision, "loaded_model": loaded.name},
            )

    def _refuse_truncated(self, tokenised: dict[int, TokenisedText]) -> None:
        limit = self.description.max_tokens
        violations = [
            Violation(f"texts[{i}]", f"longer than the model's {limit} tokens", "TOO_LONG")
            for i, text in tokenised.items()
            if text.truncated
        ]
        if violations:
            raise InvalidArgument(violations)

    async def _tokenise(self, texts: Sequence[str], prompt: str) -> dict[int, TokenisedText]:
        """Tokens by position; empty texts have none."""
        characters = sum(map(len, texts))
        if characters <= _INLINE_CHARACTERS:
            return self._prepare(texts, prompt)
        if self._characters and self._characters + characters > self._limits.tokenising_characters:
            raise ResourceExhausted(
                f"more than {self._limits.tokenising_characters} characters wait to be tokenised",
                reason="ENCODER_QUEUE_FULL",
                retry_after=0.5,
            )
        self._characters += characters
        try:
            return await self._loop.run_in_executor(self._tokenisers, self._prepare, texts, prompt)
        finally:
            self._characters -= characters

    def _prepare(self, texts: Sequence[str], prompt: str) -> dict[int, TokenisedText]:
        cleaned = {i: text for i, text in enumerate(map(clean, texts)) if text}
        tokenised = self._model.tokenise([prompt + text for text in cleaned.values()])
        # A model without special tokens may find nothing to read in a text that we can see.
        return {i: text for i, text in zip(cleaned, tokenised, strict=True) if text.ids}

    def _new_call(self, rows: int, waiting: int) -> Call:
        vectors = np.zeros((rows, self.description.identity.dims), np.float32)
        return Call(self._loop.create_future(), vectors, waiting)

    async def _compute(
        self, call: Call, tokenised: dict[int, TokenisedText], put: Callable[[Sequence[TextJob]], None]
    ) -> None:
        now, left = time.monotonic(), deadlines.time_left()
        deadline = math.inf if left is None else now + left
        self._calls.add(call)
        try:
            put([TextJob(call, i, text.ids, deadline, now) for i, text in tokenised.items()])
            async with asyncio.timeout(left):
                await call.done
        except TimeoutError:
            raise DeadlineExceeded("the caller's time was over before the vectors were there") from None
        finally:
            call.is_over = True
            self._calls.discard(call)
        if call.error is not None:
            raise call.error

    def _deliver_soon(self, outcome: Outcome) -> None:
        self._loop.call_soon_threadsafe(self._deliver, outcome)

    def _drop_soon(self, dropped: Sequence[tuple[TextJob, DropReason]]) -> None:
        self._loop.call_soon_threadsafe(self._drop, dropped)

    def _deliver(self, outcome: Outcome) -> None:
        if outcome.vectors is None:
            self._fail(outcome)
        else:
            self._last_success = time.monotonic()
            for job, vector in zip(outcome.jobs, outcome.vectors, strict=True):
                job.call.vectors[job.position] = vector
                job.call.waiting -= 1
                job.call.queue_seconds = max(job.call.queue_seconds, outcome.started - job.arrived)
            for call in {job.call for job in outcome.jobs}:
                call.compute_seconds += outcome.seconds
                if call.waiting == 0:
                    _end(call)
        self._observer.batch_ended(outcome)

    def _fail(self, outcome: Outcome) -> None:
        logger.error("the model failed on a text", exc_info=outcome.error, extra={"tokens": outcome.jobs[0].tokens})
        for job in outcome.jobs:
            _end(job.call, Internal("the model failed on a text"))

    def _drop(self, dropped: Sequence[tuple[TextJob, DropReason]]) -> None:
        for job, reason in dropped:
            _end(job.call, DeadlineExceeded("the caller's time was over before a batch began"))
            self._observer.dropped(reason, 1)


@asynccontextmanager
async def open_encoder(
    model: TextModel, description: ModelDescription, limits: EngineLimits, observer: Observer, thread: Executor
) -> AsyncIterator[Encoder]:
    """An encoder whose worker runs on a thread of `thread`; leaving it stops the worker after the batch in progress."""
    encoder = Encoder(model, description, limits, observer)
    encoder.start(thread)
    try:
        yield encoder
    finally:
        await encoder.close()


def _encoding(text: TokenisedText | None) -> TextEncoding:
    return TextEncoding(0, empty=True) if text is None else TextEncoding(len(text.ids), text.truncated)


def _end(call: Call, error: ServiceError | None = None) -> None:
    """Wakes the call's caller. A call that is over already stays as it is."""
    if not call.done.done():
        call.error = error
        call.is_over = True
        call.done.set_result(None)
