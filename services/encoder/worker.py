"""The one thread that runs the model.

It takes batches from the queue, and hands every outcome to `deliver`. A batch that fails is halved until the text at
fault is alone, so that it harms nobody else.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import numpy as np

from services.common.errors import ServiceError, Unavailable
from services.encoder.batching import BatchQueue, DropReason, Lane, LaneDepth
from services.encoder.model import TextModel, Vectors


@dataclass(slots=True, eq=False)
class TextJob:
    """One text of a call, on its way through the model."""

    call: "Call"
    position: int
    """Row of the call's vectors."""
    ids: Sequence[int]
    deadline: float
    arrived: float

    @property
    def tokens(self) -> int:
        """Length, special tokens included."""
        return len(self.ids)

    @property
    def is_abandoned(self) -> bool:
        """The caller has gone, or its call has failed."""
        return self.call.is_over


@dataclass(slots=True, eq=False)
class Call:
    """What the jobs of one call have in common; written by the event loop's thread alone."""

    done: "asyncio.Future[None]"
    vectors: Vectors
    """Filled row by row."""
    waiting: int
    """Texts without a vector yet."""
    queue_seconds: float = 0.0
    """Longest time that one of the texts waited for its batch."""
    compute_seconds: float = 0.0
    """Time of the batches that held the texts."""
    error: ServiceError | None = None
    """Why the call failed; set before `done`."""
    is_over: bool = False
    """Done, failed or left by its caller."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch, or of one text that failed alone."""

    lane: Lane
    jobs: Sequence[TextJob]
    started: float
    seconds: float
    vectors: Vectors | None = None
    """Shape (jobs, dims); None where it failed."""
    error: Exception | None = None


@dataclass(slots=True)
class Worker:
    """Owns queue and thread. `put` is called on the event loop's thread, `deliver` and `drop` on the worker's."""

    model: TextModel
    queue: BatchQueue[TextJob]
    deliver: Callable[[Outcome], None]
    drop: Callable[[Sequence[tuple[TextJob, DropReason]]], None]
    _stirred: threading.Condition = field(default_factory=threading.Condition)
    _closing: bool = False
    _work_done: "Future[None] | None" = None

    def start(self, thread: Executor) -> None:
        """Begins to work, on one thread of `thread`, until `stop`."""
        self._work_done = thread.submit(self._work)

    def put(self, lane: Lane, jobs: Sequence[TextJob]) -> None:
        """Lets jobs wait in a lane.

        Raises:
            ResourceExhausted: the lane is full.
            Unavailable: the service is stopping.
        """
        with self._stirred:
            self._refuse_when_closing()
            self.queue.put(lane, jobs, time.monotonic())
            self._stirred.notify()

    def put_first_aid(self, job: TextJob) -> None:
        """As `put`, for a health check's one small text: never refused for want of room."""
        with self._stirred:
            self._refuse_when_closing()
            self.queue.put_first_aid(job)
            self._stirred.notify()

    def depth(self, lane: Lane) -> LaneDepth:
        """What waits in a lane."""
        with self._stirred:
            return self.queue.depth(lane)

    def stop(self) -> None:
        """Ends the work after the batch in progress; blocks until then. What still waits is not delivered."""
        with self._stirred:
            self._closing = True
            self._stirred.notify()
        if self._work_done is not None:
            self._work_done.result()

    def _refuse_when_closing(self) -> None:
        if self._closing:
            raise Unavailable("the encoder is stopping", reason="STOPPING", retry_after=1.0)

    def _work(self) -> None:
        while True:
            with self._stirred:
                self._stirred.wait_for(lambda: self._closing or bool(self.queue))
                if self._closing:
                    return
                batch = self.queue.next_batch(time.monotonic())
            if batch.dropped:
                self.drop(batch.dropped)
            if batch.lane is not None:
                for outcome in self._forward(batch.lane, batch.jobs):
                    self.deliver(outcome)

    def _forward(self, lane: Lane, jobs: Sequence[TextJob]) -> Iterator[Outcome]:
        started = time.monotonic()
        try:
            vectors = self.model.forward([job.ids for job in jobs])
            if not np.isfinite(vectors).all():
                raise FloatingPointError("a vector is not finite")  # noqa: TRY301 - one handler halves for both
        except Exception as exc:  # noqa: BLE001 - whatever the model raises must reach the callers, not end the thread
            if len(jobs) == 1:
                yield Outcome(lane, jobs, started, time.monotonic() - started, error=exc)
                return
            half = len(jobs) // 2
            yield from self._forward(lane, jobs[:half])
            yield from self._forward(lane, jobs[half:])
            return
        seconds = time.monotonic() - started
        with self._stirred:
            self.queue.record(sum(job.tokens for job in jobs), seconds)
        yield Outcome(lane, jobs, started, seconds, vectors)
