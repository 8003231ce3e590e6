"""Which texts go through the model together, and in which order.

Texts wait in one of two lanes. From a lane's head a slice is taken and cut into batches of similar length, and all
of the slice is served before the next one is taken: sorting saves padding, and no text waits longer than for the
slices before its own. Interactive batches go first; where bulk work waits too, it gets every fifth batch.

The shape is that of text-embeddings-inference (`core/src/queue.rs`) and infinity (`batch_handler`).
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, Protocol, TypeVar

from services.common.errors import ResourceExhausted

_SHORTEST_RETRY: Final = 0.05
_LONGEST_RETRY: Final = 30.0
_UNKNOWN_RETRY: Final = 1.0
_RATE_MEMORY: Final = 0.8
_CLEARING_PAUSE: Final = 0.1
"""Seconds between two searches of a full lane for dead jobs: under overload every refused call would do one."""


class Lane(Enum):
    """Which queue a text waits in."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class DropReason(Enum):
    """Why a text left the queue without a vector."""

    CALLER_GONE = "caller_gone"
    DEADLINE = "deadline"


class Job(Protocol):
    """One text that waits for its batch."""

    @property
    def tokens(self) -> int:
        """Length, special tokens included."""
        ...

    @property
    def deadline(self) -> float:
        """Instant of the monotonic clock after which nobody wants the vector."""
        ...

    @property
    def is_abandoned(self) -> bool:
        """The caller has gone, or its call has failed."""
        ...


J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of batches and queue."""

    batch_tokens: int
    """Longest text x number of texts: what the model's memory and time go by, padding included."""
    batch_texts: int
    queue_tokens: dict[Lane, int]
    """Tokens that may wait in each lane."""
    queue_texts: int
    """Texts that may wait in each lane."""
    slice_batches: int = 4
    """Full batches' worth of tokens that are sorted together."""
    interactive_run: int = 4
    """Interactive batches in a row while bulk work waits."""
    overhead_tokens: int = 32
    """What one more batch costs, in tokens: a text that would add more padding than this opens a new batch."""


@dataclass(frozen=True, slots=True)
class Batch(Generic[J]):
    """Texts for one forward pass, and those that were dropped on the way to it. Either may be empty."""

    lane: Lane | None
    jobs: Sequence[J]
    dropped: Sequence[tuple[J, DropReason]]


@dataclass(frozen=True, slots=True)
class LaneDepth:
    """What waits in a lane."""

    texts: int
    tokens: int


def cut(jobs: Iterable[J], limits: BatchLimits) -> list[list[J]]:
    """Batches of similar length, shortest first, each within the limits.

    A single text is always a batch, whatever its length: that it fits is checked once, when the service starts.
    """
    batches: list[list[J]] = []
    for job in sorted(jobs, key=lambda job: job.tokens):
        batch = batches[-1] if batches else []
        count = len(batch)
        padding = count * (job.tokens - batch[-1].tokens) if batch else 0
        fits = job.tokens * (count + 1) <= limits.batch_tokens and count < limits.batch_texts
        if batch and fits and padding <= limits.overhead_tokens:
            batch.append(job)
        else:
            batches.append([job])
    return batches


class _Line(Generic[J]):
    """One lane: jobs in order of arrival, and the batches of the slice that is being served."""

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._arrived: deque[J] = deque()
        self._batches: deque[list[J]] = deque()
        self.texts = 0
        self.tokens = 0

    def append(self, jobs: Sequence[J]) -> None:
        self._arrived.extend(jobs)
        self.texts += len(jobs)
        self.tokens += sum(job.tokens for job in jobs)

    def next_batch(self) -> list[J]:
        if not self._batches:
            self._batches.extend(cut(self._slice(), self._limits))
        batch = self._batches.popleft()
        self._leave(batch)
        return batch

    def remove(self, is_dead: Callable[[J], bool]) -> list[J]:
        """Takes out what nobody waits for any more."""
        dead = [job for job in (*self._arrived, *(job for batch in self._batches for job in batch)) if is_dead(job)]
        if dead:
            self._arrived = deque(job for job in self._arrived if not is_dead(job))
            alive = ([job for job in batch if not is_dead(job)] for batch in self._batches)
            self._batches = deque(batch for batch in alive if batch)
            self._leave(dead)
        return dead

    def _slice(self) -> list[J]:
        jobs: list[J] = []
        room = self._limits.batch_tokens * self._limits.slice_batches
        while self._arrived and (not jobs or room >= self._arrived[0].tokens):
            jobs.append(self._arrived.popleft())
            room -= jobs[-1].tokens
        return jobs

    def _leave(self, jobs: Sequence[J]) -> None:
        self.texts -= len(jobs)
        self.tokens -= sum(job.tokens for job in jobs)


class BatchQueue(Generic[J]):
    """The two lanes. Not safe for threads: whoever shares it holds a lock."""

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._lines: dict[Lane, _Line[J]] = {lane: _Line(limits) for lane in Lane}
        self._interactive_run = 0
        self._tokens_per_second = 0.0
        self._removed: list[tuple[J, DropReason]] = []
        self._cleared = dict.fromkeys(Lane, -_CLEARING_PAUSE)

    def __bool__(self) -> bool:
        return bool(self._removed) or any(line.texts for line in self._lines.values())

    def depth(self, lane: Lane) -> LaneDepth:
        """What waits in a lane."""
        return LaneDepth(self._lines[lane].texts, self._lines[lane].tokens)

    def put(self, lane: Lane, jobs: Sequence[J], now: float) -> None:
        """Lets the jobs of one call wait, all or none.

        An empty lane takes any call: how large one can be is bounded where calls are read.

        Raises:
            ResourceExhausted: the lane is full; `retry_after` is when it should have room again.
        """
        if not self._has_room(lane, jobs):
            self._remove_dead(lane, now)
            if not self._has_room(lane, jobs):
                raise self._full(lane)
        self._lines[lane].append(jobs)

    def put_first_aid(self, job: J) -> None:
        """Lets one small job wait whatever is there: a health check must not fail because the queue is full."""
        self._lines[Lane.INTERACTIVE].append([job])

    def next_batch(self, now: float) -> Batch[J]:
        """The next batch, without jobs whose caller has gone or whose time is over."""
        dropped, self._removed = self._removed, []
        while (lane := self._next_lane()) is not None:
            alive = []
            for job in self._lines[lane].next_batch():
                reason = _reason_to_drop(job, now)
                if reason is None:
                    alive.append(job)
                else:
                    dropped.append((job, reason))
            if alive:
                return Batch(lane, alive, dropped)
        return Batch(None, (), dropped)

    def record(self, tokens: int, seconds: float) -> None:
        """Learns how fast the model is, for `retry_after`."""
        rate = tokens / max(seconds, 1e-6)
        known = self._tokens_per_second
        self._tokens_per_second = _RATE_MEMORY * known + (1 - _RATE_MEMORY) * rate if known else rate

    def _next_lane(self) -> Lane | None:
        interactive, bulk = (self._lines[lane].texts > 0 for lane in (Lane.INTERACTIVE, Lane.BULK))
        if bulk and (not interactive or self._interactive_run >= self._limits.interactive_run):
            self._interactive_run = 0
            return Lane.BULK
        self._interactive_run = self._interactive_run + 1 if bulk else 0
        return Lane.INTERACTIVE if interactive else None

    def _has_room(self, lane: Lane, jobs: Sequence[J]) -> bool:
        line = self._lines[lane]
        tokens = line.tokens + sum(job.tokens for job in jobs)
        texts = line.texts + len(jobs)
        return not line.texts or (tokens <= self._limits.queue_tokens[lane] and texts <= self._limits.queue_texts)

    def _remove_dead(self, lane: Lane, now: float) -> None:
        if now < self._cleared[lane] + _CLEARING_PAUSE:
            return
        self._cleared[lane] = now
        for job in self._lines[lane].remove(lambda job: _reason_to_drop(job, now) is not None):
            self._removed.append((job, _reason_to_drop(job, now) or DropReason.CALLER_GONE))

    def _full(self, lane: Lane) -> ResourceExhausted:
        waiting = self._lines[lane].tokens
        seconds = waiting / self._tokens_per_second if self._tokens_per_second else _UNKNOWN_RETRY
        limit = self._limits.queue_tokens[lane]
        return ResourceExhausted(
            f"the {lane.value} lane is full: {limit} tokens or {self._limits.queue_texts} texts wait at most",
            reason="ENCODER_QUEUE_FULL",
            metadata={"lane": lane.value, "waiting_tokens": str(waiting), "limit_tokens": str(limit)},
            retry_after=min(max(seconds, _SHORTEST_RETRY), _LONGEST_RETRY),
        )


def _reason_to_drop(job: Job, now: float) -> DropReason | None:
    if job.is_abandoned:
        return DropReason.CALLER_GONE
    return DropReason.DEADLINE if job.deadline <= now else None


def check_batch_budget(limits: BatchLimits, max_tokens: int) -> None:
    """Makes sure that the longest text the model takes fits a batch.

    Raises:
        ValueError: it would wait for ever otherwise.
    """
    if limits.batch_tokens < max_tokens:
        raise ValueError(
            f"a batch of {limits.batch_tokens} tokens cannot hold the model's longest text of {max_tokens}"
        )
