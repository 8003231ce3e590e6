"""A closed loop of callers, in a process of its own: `python -m benchmarks.load < job.json > result.json`.

Each caller sends its next query when the last one is answered. What is answered before the warm-up is over or after
the end counts for nothing.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle

import numpy as np

from benchmarks.clients import Answer, Client, open_client

WARM_UP_SECONDS = 1.0
_START_SECONDS = 30.0


class LoadError(Exception):
    """The load could not be driven; the message says why."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to do."""

    kind: str
    """Of client: `search`, `recommend`, `encode` or `alternative`."""
    address: str
    """host:port."""
    in_flight: int
    """Callers."""
    seconds: float
    """Length of the measurement, without the warm-up."""
    queries: Sequence[str]
    """Asked in this order, and again from the first where they run out."""
    is_traced: bool = True
    """Whether the callers ask for the request to be traced."""


@dataclass(slots=True)
class Load:
    """What came of it."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    """Seconds of each answer that counts."""
    traces: list[str] = field(default_factory=list)
    """Trace ids of those that have one."""
    problems: dict[str, int] = field(default_factory=dict)
    """Answers that do not count, by reason."""
    remarks: dict[str, int] = field(default_factory=dict)
    """What answers that count lack."""

    def add(self, answer: Answer, seconds: float) -> None:
        """Counts one answer."""
        if answer.problem:
            self.problems[answer.problem] = self.problems.get(answer.problem, 0) + 1
            return
        self.latencies.append(seconds)
        if answer.trace_id:
            self.traces.append(answer.trace_id)
        if answer.remark:
            self.remarks[answer.remark] = self.remarks.get(answer.remark, 0) + 1

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def milliseconds(self, percentile: float) -> float:
        """Percentile of the latencies.

        Raises:
            LoadError: nothing was answered.
        """
        if not self.latencies:
            raise LoadError(f"nothing was answered: {self.problems}")
        return float(np.percentile(self.latencies, percentile)) * 1000


def drive(job: Job) -> Load:
    """Drives the load from another process and waits for its end.

    Raises:
        LoadError: the process failed.
    """
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "benchmarks.load"],
            input=json.dumps(asdict(job)),
            capture_output=True,
            text=True,
            timeout=job.seconds + WARM_UP_SECONDS + _START_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as exc:
        raise LoadError(f"the load generator ended with status {exc.returncode}: {exc.stderr[-2000:]}") from exc
    except subprocess.TimeoutExpired as exc:
        raise LoadError("the load generator did not end in time") from exc
    return Load(**json.loads(ended.stdout))


async def run(job: Job) -> Load:
    """Runs the callers in this process."""
    load = Load(job.seconds)
    begin = time.perf_counter() + WARM_UP_SECONDS
    async with open_client(job.kind, job.address, is_traced=job.is_traced) as client, asyncio.TaskGroup() as group:
        queries = cycle(job.queries)
        for _ in range(job.in_flight):
            group.create_task(_caller(client, queries, load, begin))
    return load


async def _caller(client: Client, queries: Iterator[str], load: Load, begin: float) -> None:
    end = begin + load.seconds
    while (sent := time.perf_counter()) < end:
        answer = await client.ask(next(queries))
        received = time.perf_counter()
        if begin <= received < end:
            load.add(answer, received - sent)


def main() -> None:
    """Reads a job from standard input and writes the result to standard output."""
    job = Job(**json.load(sys.stdin))
    json.dump(asdict(asyncio.run(run(job))), sys.stdout)


if __name__ == "__main__":
    main()
