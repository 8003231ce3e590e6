"""`make bench-search`: Search end to end beside the obvious alternative, and where its milliseconds go.

Both systems hold the same 5,000 products and the same weights, take turns under the same queries, and idle meanwhile.
"""

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import grpc

from benchmarks import machine
from benchmarks.baseline import model_directory
from benchmarks.hops import Hops, hop_rows, read_hops
from benchmarks.load import Job, Load, LoadError, drive
from benchmarks.report import Better, Row, Target, publish
from benchmarks.servers import alternative_process
from benchmarks.shop import stack_with, write_products
from benchmarks.texts import search_queries
from cli.demo_catalogue import demo_products
from local.processes import LocalError
from zhiyin.common.v1.product_pb2 import Product
from zhiyin.encoder.v1 import encoder_service_pb2 as encoder_pb
from zhiyin.encoder.v1 import encoder_service_pb2_grpc as encoder_rpc

PRODUCTS: Final = 5_000
ROUNDS: Final = 2
SECONDS: Final = 7.0
LEVELS: Final = (1, 8, 32)
QUERIES_PER_RUN: Final = 1_500
"""More than either system answers in one run here, so that no query comes twice in it."""
_TARGETS: Final = {8: Target(1.5, of_ratio=True), 32: Target(1.5, of_ratio=True)}
_TRACES: Final = 400
_UNTRACED_LEVEL: Final = 8


@dataclass(slots=True)
class Runs:
    """What was measured, one entry a round."""

    ours: dict[int, list[Load]] = field(default_factory=dict)
    """By callers in flight."""
    alternative: dict[int, list[Load]] = field(default_factory=dict)
    untraced: list[Load] = field(default_factory=list)
    hops: list[Hops] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Systems:
    """Where both are, host:port each."""

    gateway: str
    spans: str | None
    """None where a collector of the operator takes the spans."""
    alternative: str


async def measure(systems: Systems, queries: Sequence[str]) -> Runs:
    """All rounds; in each one every level of load, and in each level our system and then the other."""
    runs = Runs()
    fresh = _portions(queries)
    for _ in range(ROUNDS):
        for level in LEVELS:
            portion = next(fresh)
            ours = drive(Job("search", systems.gateway, level, SECONDS, portion))
            runs.ours.setdefault(level, []).append(ours)
            if level == 1 and systems.spans is not None:
                runs.hops += await read_hops(systems.spans, ours.traces[-_TRACES:])
            other = drive(Job("alternative", systems.alternative, level, SECONDS, portion))
            runs.alternative.setdefault(level, []).append(other)
        job = Job("search", systems.gateway, _UNTRACED_LEVEL, SECONDS, next(fresh), is_traced=False)
        runs.untraced.append(drive(job))
    return runs


def all_rows(runs: Runs) -> list[Row]:
    """The report."""
    rows: list[Row] = []
    for level in LEVELS:
        ours, other = runs.ours[level], runs.alternative[level]
        rows.append(
            Row(
                f"{level} in flight",
                "requests/s",
                median(load.rate for load in ours),
                median(load.rate for load in other),
                target=_TARGETS.get(level),
                note=_remarks(ours),
            )
        )
        rows += [_latency_row(level, percentile, ours, other) for percentile in (50, 99)]
    rows.append(_problem_row(runs))
    traced, untraced = (median(load.rate for load in loads) for loads in (runs.ours[_UNTRACED_LEVEL], runs.untraced))
    name = f"{_UNTRACED_LEVEL} in flight, not traced"
    rows.append(Row(name, "requests/s", untraced, note=f"tracing every request costs {1 - traced / untraced:.0%}"))
    return rows + hop_rows(runs.hops)


def _latency_row(level: int, percentile: int, ours: Sequence[Load], other: Sequence[Load]) -> Row:
    mine, theirs = (median(load.milliseconds(percentile) for load in loads) for loads in (ours, other))
    return Row(f"{level} in flight, p{percentile}", "ms", mine, theirs, Better.LOWER)


def _problem_row(runs: Runs) -> Row:
    ours = _sum(load.problems for load in [*_flat(runs.ours), *runs.untraced])
    other = _sum(load.problems for load in _flat(runs.alternative))
    note = ", ".join(f"{reason} {count}" for reason, count in (ours + other).most_common())
    note = note or "refused, found by words alone, not ranked or too few results; counted nowhere else"
    return Row("answers that do not count", "answers", ours.total(), other.total(), Better.LOWER, Target(0), note)


def _remarks(loads: Sequence[Load]) -> str:
    found, answers = _sum(load.remarks for load in loads), sum(len(load.latencies) for load in loads)
    return ", ".join(f"{kind} {count / answers:.0%}" for kind, count in found.most_common())


def _flat(loads: dict[int, list[Load]]) -> list[Load]:
    return [load for level in loads.values() for load in level]


def _sum(counts: Iterable[dict[str, int]]) -> Counter[str]:
    return sum((Counter(each) for each in counts), Counter())


def _portions(queries: Sequence[str]) -> Iterator[Sequence[str]]:
    return (queries[i : i + QUERIES_PER_RUN] for i in range(0, len(queries), QUERIES_PER_RUN))


async def _run() -> None:
    others = machine.OtherProcesses()
    products = list(demo_products(PRODUCTS))
    queries = search_queries(products, ROUNDS * (len(LEVELS) + 1) * QUERIES_PER_RUN)
    with tempfile.TemporaryDirectory(prefix="zhiyin-bench-") as directory:
        runs, compute_type = await _run_in(Path(directory), products, queries)
    described = machine.describe(compute_type, others.share())
    title = f"Search through the gateway beside FastAPI, {PRODUCTS} products, {ROUNDS} rounds of {SECONDS:g} s each"
    publish("search", title, described, all_rows(runs))


async def _run_in(directory: Path, products: Sequence[Product], queries: Sequence[str]) -> tuple[Runs, str]:
    file = directory / "products.jsonl"
    write_products(products, file)
    async with (
        stack_with(products, directory) as stack,
        alternative_process(directory, model_directory(), file) as alternative,
    ):
        systems = Systems(stack.addresses["gateway"], stack.spans_address, alternative)
        runs = await measure(systems, queries)
        async with grpc.aio.insecure_channel(stack.addresses["encoder"]) as channel:
            model = await encoder_rpc.EncoderServiceStub(channel).GetModel(encoder_pb.GetModelRequest(), timeout=5)
        return runs, model.compute_type


def main() -> int:
    """0, also where a target is missed: this measures. 1 where it could not."""
    try:
        asyncio.run(_run())
    except (LocalError, LoadError, grpc.RpcError) as exc:
        sys.stderr.write(f"bench-search could not run: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
