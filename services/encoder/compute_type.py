"""Which element type the model computes in: the fastest one on this machine whose vectors stay the same.

A CPU with bfloat16 units multiplies matrices several times faster in it, one without is far slower in it, and the two
cannot be told apart by name. So each candidate is measured at start, and held to float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.encoder.model import ComputeType, Vectors

PARITY: Final = 0.999
"""Lowest cosine to float32 at which two compute types are one model: an index may be built with one and searched
with the other."""
WORTH_IT: Final = 0.9
"""A reduced type must take at most this share of float32's time; below that its rounding buys nothing."""

SAMPLE: Final = (
    "running shoes",
    "usb c cable",
    "咖啡机",
    "防水登山鞋 男",
    "Stainless steel water bottle, 750 ml, keeps drinks cold for 24 hours",
    "Organic whole milk, 1 gallon",
    "Men's slim fit cotton shirt with long sleeves, navy blue, size L",
    "Wireless over-ear headphones with active noise cancelling and 30 hours of battery life",
    "Garden hose 25 m with brass fittings and spray nozzle",
    "Children's picture book about the sea, hardcover, ages 3 to 6",
    "全棉四件套 床单被套 1.8米床 简约北欧风",
    "便携式蓝牙音箱 防水 重低音 户外露营",
    "不锈钢保温杯 500毫升 学生女 大容量",
    "儿童积木玩具 大颗粒 3-6岁 益智拼装",
    "有机绿茶 2026年新茶 明前龙井 250克 罐装",
    "Replacement filter for vacuum cleaner model V8, pack of 2",
)
"""Titles and queries of a shop, English and Chinese: what is measured and compared."""


class ComputeTypeError(Exception):
    """The compute type that the operator demands is not the model any more."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one compute type did on `SAMPLE`."""

    compute_type: ComputeType
    seconds: float
    """Best time for the sample as a batch, and for its first text alone, added up."""
    parity_cosine: float
    """Lowest cosine to float32."""


def lowest_cosine(vectors: Vectors, reference: Vectors) -> float:
    """The lowest cosine between rows of the same number; -1 where a vector is not finite."""
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(reference, axis=1)
    cosines = np.einsum("ij,ij->i", vectors, reference, dtype=np.float64) / np.maximum(lengths, 1e-12)
    lowest = float(cosines.min())
    return min(lowest, 1.0) if np.isfinite(lowest) else -1.0


def choose(measurements: Sequence[Measurement], demanded: ComputeType | None) -> Measurement:
    """The demanded type, or the fastest one that keeps parity; float32 unless another is clearly faster.

    Args:
        measurements: one for each candidate, float32 among them.
        demanded: the operator's choice; None = automatic.

    Raises:
        ComputeTypeError: the demanded type was not measured, or falls below parity.
    """
    by_type = {measurement.compute_type: measurement for measurement in measurements}
    if demanded is not None:
        return _held_to_parity(by_type.get(demanded), demanded)
    baseline = by_type[ComputeType.FLOAT32]
    faster = [m for m in measurements if m.parity_cosine >= PARITY and m.seconds <= WORTH_IT * baseline.seconds]
    return min(faster, key=lambda measurement: measurement.seconds, default=baseline)


def _held_to_parity(measurement: Measurement | None, demanded: ComputeType) -> Measurement:
    if measurement is None:
        raise ComputeTypeError(f"{demanded.value} does not run on this device")
    if measurement.parity_cosine < PARITY:
        raise ComputeTypeError(
            f"{demanded.value} has cosine {measurement.parity_cosine:.5f} to float32, less than {PARITY}"
        )
    return measurement
