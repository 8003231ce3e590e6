"""`make bench-encoder`: texts a second through gRPC beside sentence-transformers, float32, on the same weights.

Both take turns on the same texts, so that neither has the other's load and both have the machine's moods.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import grpc
import numpy as np
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.baseline import SentenceTransformersBaseline, model_directory
from benchmarks.load import Job, Load, LoadError, drive
from benchmarks.report import Better, Row, Target, publish
from benchmarks.servers import encoder_process
from benchmarks.texts import Mix, length_mixes, search_queries
from cli.demo_catalogue import demo_products
from local.processes import LocalError
from zhiyin.common.v1.product_pb2 import Product
from zhiyin.encoder.v1 import encoder_service_pb2 as pb
from zhiyin.encoder.v1 import encoder_service_pb2_grpc as rpc

PRODUCTS: Final = 5_000
ROUNDS: Final = 5
TEXTS_PER_CALL: Final = 64
"""As retrieval's indexer sends them."""
LATENCY_SECONDS: Final = 2.0
_CALL_SECONDS: Final = 120.0
_TITLES_TARGET: Final = Target(2.5, of_ratio=True)
_PARITY_TARGET: Final = Target(0.999)

Vectors = NDArray[np.float32]


class EncoderUnderTest:
    """Our encoder, as a caller sees it."""

    def __init__(self, address: str, channel: grpc.Channel) -> None:
        self.address = address
        self._stub = rpc.EncoderServiceStub(channel)

    def compute_type(self) -> str:
        """Element type that it chose."""
        return self._stub.GetModel(pb.GetModelRequest(), timeout=_CALL_SECONDS).compute_type

    def encode(self, mix: Mix) -> Vectors:
        """Unit vectors of all texts, shape (texts, dims); all calls are in flight at once, in the bulk lane."""
        purpose = pb.PURPOSE_QUERY if mix.are_queries else pb.PURPOSE_DOCUMENT
        calls = [
            self._stub.EncodeTexts.future(
                pb.EncodeTextsRequest(texts=mix.texts[i : i + TEXTS_PER_CALL], purpose=purpose, lane=pb.LANE_BULK),
                timeout=_CALL_SECONDS,
            )
            for i in range(0, len(mix.texts), TEXTS_PER_CALL)
        ]
        blocks = [call.result().vectors for call in calls]
        return np.concatenate([np.frombuffer(block.data, "<f4").reshape(-1, block.dims) for block in blocks])


def throughput(ours: EncoderUnderTest, baseline: SentenceTransformersBaseline, mix: Mix) -> tuple[Row, float]:
    """Texts a second of both, and the lowest cosine between their vectors."""
    cosines = np.sum(ours.encode(mix) * baseline.encode(mix), axis=1)
    seconds = [(_timed(lambda: ours.encode(mix)), _timed(lambda: baseline.encode(mix))) for _ in range(ROUNDS)]
    our_rate, base_rate = (len(mix.texts) / median(times) for times in zip(*seconds, strict=True))
    lowest, first_percentile = float(cosines.min()), float(np.percentile(cosines, 1))
    row = Row(
        f"{mix.name}, {len(mix.texts)} texts",
        "texts/s",
        our_rate,
        base_rate,
        target=_TITLES_TARGET if mix.name == "titles" and machine.has_bfloat16() else None,
        note=f"cosine lowest {lowest:.5f}, 1st percentile {first_percentile:.5f}",
    )
    return row, lowest


def latency(ours: EncoderUnderTest, baseline: SentenceTransformersBaseline, queries: Sequence[str]) -> list[Row]:
    """Single queries: one at a time and 32 in flight through gRPC, one at a time in this process.

    Raises:
        LoadError: a query was refused.
    """
    alone, together, in_process = [], [], []
    for _ in range(ROUNDS):
        alone.append(_driven(ours.address, 1, queries))
        in_process.append(baseline.latencies(queries, LATENCY_SECONDS))
        together.append(_driven(ours.address, 32, queries))
    rows = [
        Row(
            f"one query alone, p{percentile}",
            "ms",
            median(load.milliseconds(percentile) for load in alone),
            median(float(np.percentile(times, percentile)) * 1000 for times in in_process),
            Better.LOWER,
            note="the baseline has no process in between",
        )
        for percentile in (50, 99)
    ]
    base_rate = median(len(times) / sum(times) for times in in_process)
    rows += [
        Row("one query alone", "queries/s", median(load.rate for load in alone), base_rate),
        Row(
            "32 queries in flight",
            "queries/s",
            median(load.rate for load in together),
            base_rate,
            note="the baseline takes one after another",
        ),
        Row("32 queries in flight, p99", "ms", median(load.milliseconds(99) for load in together), better=Better.LOWER),
    ]
    return rows


def measure(address: str, baseline: SentenceTransformersBaseline, products: Sequence[Product]) -> tuple[list[Row], str]:
    """All rows, and the encoder's compute type."""
    with grpc.insecure_channel(address) as channel:
        ours = EncoderUnderTest(address, channel)
        rows, lowest = zip(*(throughput(ours, baseline, mix) for mix in length_mixes(products)), strict=True)
        parity = Row("lowest cosine of all texts", "cosine", min(lowest), target=_PARITY_TARGET)
        latencies = latency(ours, baseline, search_queries(products, 2_000))
        return [*rows, parity, *latencies], ours.compute_type()


def _driven(address: str, in_flight: int, queries: Sequence[str]) -> Load:
    load = drive(Job("encode", address, in_flight, LATENCY_SECONDS, queries))
    if load.problems:
        raise LoadError(f"the encoder refused queries: {load.problems}")
    return load


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


async def _run() -> None:
    others = machine.OtherProcesses()
    products = list(demo_products(PRODUCTS))
    baseline = SentenceTransformersBaseline(model_directory())
    with tempfile.TemporaryDirectory(prefix="zhiyin-bench-") as directory:
        async with encoder_process(Path(directory)) as address:
            rows, compute_type = measure(address, baseline, products)
    described = machine.describe(compute_type, others.share())
    publish("encoder", f"Encoder through gRPC beside sentence-transformers float32, {ROUNDS} rounds", described, rows)


def main() -> int:
    """0, also where a target is missed: this measures. 1 where it could not."""
    try:
        asyncio.run(_run())
    except (LocalError, LoadError, grpc.RpcError) as exc:
        sys.stderr.write(f"bench-encoder could not run: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
