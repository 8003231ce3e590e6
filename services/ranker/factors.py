"""The numbers that a score is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import reduce

import numpy as np

from services.ranker.candidates import FloatArray


class FactorRole(Enum):
    """How a factor enters the score."""

    INPUT = "input"
    """Not by itself; shown for people."""
    TERM = "term"
    MULTIPLIER = "multiplier"


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """One number of every candidate; `values` has shape (n,), NaN = an INPUT that is not known."""

    name: str
    role: FactorRole
    values: FloatArray


def total(factors: Sequence[Factor]) -> FloatArray:
    """Scores, shape (n,): exactly the sum of the TERMs times the product of the MULTIPLIERs, in their order.

    Spelled out rather than summed by numpy, whose pairwise order a caller could not repeat.
    """
    terms = [factor.values for factor in factors if factor.role is FactorRole.TERM]
    multipliers = [factor.values for factor in factors if factor.role is FactorRole.MULTIPLIER]
    return np.asarray(reduce(np.add, terms) * reduce(np.multiply, multipliers), dtype=np.float64)
