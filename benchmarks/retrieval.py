"""`make bench-retrieval`: the index as retrieval uses it, beside the bare engine in the process of the benchmark.

Both hold the same points in the same state and take turns under the same queries.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import grpc
import numpy as np

from benchmarks import machine
from benchmarks.report import Better, Row, Target, publish
from benchmarks.retrieval_points import texts
from benchmarks.retrieval_systems import Bare, Front, front
from local.processes import LocalError

ROUNDS: Final = 3
QUERIES: Final = 150
"""In each round, unfiltered and filtered each."""
NEVER: Final = 10**9
_BEFORE_SECONDS: Final = 10.0
_BETWEEN_LOOKS: Final = 10
_RECALL_QUERIES: Final = 50
_FRONT: Final = Target(round(1 / 1.5, 2), of_ratio=True)
_MEANWHILE: Final = Target(0.5, of_ratio=True)
_KINDS: Final = {False: "both legs", True: "both legs, filter"}


@dataclass(slots=True)
class Latencies:
    """Milliseconds of each query, a list a round, by whether it was filtered."""

    ours: dict[bool, list[list[float]]] = field(default_factory=lambda: {False: [], True: []})
    bare: dict[bool, list[list[float]]] = field(default_factory=lambda: {False: [], True: []})


async def take_turns(ours: Front, bare: Bare) -> Latencies:
    """All rounds. The first queries of each system are not counted: they read what the next find in memory."""
    latencies = Latencies()
    warm_up = texts(QUERIES, seed=99_000)
    for filtered in _KINDS:
        await ours.search(warm_up, filtered=filtered)
        bare.search(warm_up, filtered=filtered)
    for turn in range(ROUNDS):
        asked = texts(QUERIES, seed=99_001 + turn)
        for filtered in _KINDS:
            latencies.ours[filtered].append(await ours.search(asked, filtered=filtered))
            latencies.bare[filtered].append(bare.search(asked, filtered=filtered))
    return latencies


def latency_rows(name: str, latencies: Latencies) -> list[Row]:
    """p50 and p99 of our front beside the bare engine."""
    return [
        Row(
            f"{name}, {kind}, p{percentile}",
            "ms",
            _percentile(latencies.ours[filtered], percentile),
            _percentile(latencies.bare[filtered], percentile),
            Better.LOWER,
            _FRONT if percentile == 50 else None,
        )
        for filtered, kind in _KINDS.items()
        for percentile in (50, 99)
    ]


async def measure_exact(directory: Path, count: int) -> list[Row]:
    """A collection that is searched exactly, and writes."""
    async with front(directory / "data", NEVER) as ours:
        await ours.create()
        imported = await ours.fill(count)
        await asyncio.sleep(6.0)  # the engine stores what it has every five seconds
        bare = Bare(ours.shard(), directory / "bare")
        try:
            rows = latency_rows(f"{count:,}", await take_turns(ours, bare))
            prices = await ours.set_prices(count)
            bare_prices, bare_imported = bare.set_prices(count), bare.fill(count)
            note = "the bare engine replaces the same points"
            rows.append(Row(f"{count:,}, import", "points/s", imported, bare_imported, note=note))
            rows.append(Row(f"{count:,}, prices in batches", "points/s", prices, bare_prices))
            return [*rows, *memory_rows(f"{count:,}", ours)]
        finally:
            bare.close()


async def measure_graphs(directory: Path, count: int, exact_points: int) -> list[Row]:
    """A collection that outgrew exact search: filled, searched, searched while graphs are built, and with them."""
    data, name = directory / "data", f"{count:,}"
    async with front(data, NEVER) as ours:
        await ours.create()
        imported = await ours.fill(count)
        before = await search_for(ours, _BEFORE_SECONDS)
    rows = [Row(f"{name}, import", "points/s", imported)]
    async with front(data, exact_points) as ours:
        await ours.wait_until_building()
        began = time.perf_counter()
        meanwhile = await search_while_building(ours)
        rows += meanwhile_rows(name, before, meanwhile)
        rows.append(Row(f"{name}, building graphs", "s", time.perf_counter() - began, better=Better.LOWER))
        bare = Bare(ours.shard(), directory / "bare")
        try:
            rows += latency_rows(f"{name}, graphs", await take_turns(ours, bare))
            recall = bare.recall(texts(_RECALL_QUERIES, seed=77))
        finally:
            bare.close()
        rows.append(Row(f"{name}, graphs, recall at 200", "share", recall, target=Target(0.95)))
        return [*rows, *memory_rows(name, ours)]


async def search_for(ours: Front, seconds: float) -> list[float]:
    """Milliseconds of each query, one after another, after a warm-up."""
    await ours.search(texts(QUERIES, seed=98_000), filtered=False)
    taken: list[float] = []
    end, seed = time.perf_counter() + seconds, 98_001
    while time.perf_counter() < end:
        taken += await ours.search(texts(_BETWEEN_LOOKS, seed), filtered=False)
        seed += 1
    return taken


async def search_while_building(ours: Front) -> list[float]:
    """The same until the graphs are in use."""
    taken: list[float] = []
    seed = 97_000
    while await ours.is_building():
        taken += await ours.search(texts(_BETWEEN_LOOKS, seed), filtered=False)
        seed += 1
    return taken


def meanwhile_rows(name: str, before: Sequence[float], meanwhile: Sequence[float]) -> list[Row]:
    """Latency while graphs are built beside the same before."""
    rows = [
        Row(
            f"{name}, while graphs are built, p{percentile}",
            "ms",
            float(np.percentile(meanwhile, percentile)),
            float(np.percentile(before, percentile)),
            Better.LOWER,
            _MEANWHILE,
            "beside ours before",
        )
        for percentile in (50, 99)
    ]
    longest = f"{name}, while graphs are built, longest"
    note = "one query waits while the new shard is opened"
    return [*rows, Row(longest, "ms", max(meanwhile), max(before), Better.LOWER, note=note)]


def memory_rows(name: str, ours: Front) -> list[Row]:
    """Memory of our front's process."""
    resident, own = ours.memory()
    note = f"{own:.0f} MiB of it without mapped files"
    return [Row(f"{name}, resident memory", "MiB", resident, better=Better.LOWER, note=note)]


def _percentile(rounds: Sequence[Sequence[float]], percentile: int) -> float:
    """The median of the rounds."""
    return median(float(np.percentile(each, percentile)) for each in rounds)


async def _run(small: int, large: int, exact_points: int) -> None:
    others = machine.OtherProcesses()
    with tempfile.TemporaryDirectory(prefix="zhiyin-bench-") as directory:
        rows = await measure_exact(Path(directory, "small"), small)
        if large:
            rows += await measure_graphs(Path(directory, "large"), large, exact_points)
    title = f"The index through Qdrant's API beside the bare engine, {ROUNDS} rounds of {QUERIES} queries"
    publish("retrieval", title, machine.describe("nothing", others.share()), rows)


def main() -> int:
    """0, also where a target is missed: this measures. 1 where it could not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval")
    parser.add_argument("--small", type=int, default=20_000, help="points of the collection searched exactly; 20000")
    parser.add_argument("--large", type=int, default=200_000, help="points of the one with graphs, 0 for none; 200000")
    parser.add_argument("--exact-points", type=int, default=50_000, help="points up to which search is exact; 50000")
    given = parser.parse_args()
    try:
        asyncio.run(_run(given.small, given.large, given.exact_points))
    except (LocalError, grpc.RpcError) as exc:
        sys.stderr.write(f"bench-retrieval could not run: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
