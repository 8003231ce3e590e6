"""Candidates as columns: one array per score or signal, a row per candidate.

NaN means "absent" everywhere. An infinity is never valid, so whatever is not a number on the wire arrives as one and
is refused here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, Violation, invalid

FloatArray = NDArray[np.float64]

MAX_ID_LENGTH: Final = 128
COSINE_SLACK: Final = 1e-3
"""What rounding of half-precision vectors may add to a cosine."""
MAX_SCORE: Final = 1e9
"""Largest dot product or lexical score, either way: far above any model's, far below what would overflow."""
FIRST_TIME: Final = -62_135_596_800.0
"""0001-01-01 in Unix seconds, where google.protobuf.Timestamp begins."""
LAST_TIME: Final = 253_402_300_800.0
"""Year 10,000 in Unix seconds, where it ends."""


class Availability(IntEnum):
    """Whether a product can be bought."""

    UNKNOWN = 0
    IN_STOCK = 1
    OUT_OF_STOCK = 2
    PREORDER = 3
    BACKORDER = 4


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What may be shown; arrays of shape (n,)."""

    product_ids: tuple[str, ...]
    cosine: FloatArray
    centred_cosine: FloatArray
    dot_product: FloatArray
    lexical: FloatArray
    """BM25 score of the query's words, 0 or more."""
    visitor: FloatArray
    """Highest centred cosine with an interest of the visitor, weighted by the interest's share."""
    sales_count: FloatArray
    rating_average: FloatArray
    """0 to 5; NaN where there is no rating, or none counted."""
    rating_count: FloatArray
    create_time: FloatArray
    """Unix seconds."""
    availability: NDArray[np.int64]
    """`Availability`; any other number counts as UNKNOWN."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one call may bring."""

    max_candidates: int
    max_vector_dims: int
    max_sources: int
    """Entries of the sources of one candidate."""
    max_behaviours: int
    max_titles: int

    def check_count(self, count: int) -> None:
        """Refuses too many candidates, before anything is done for each of them, and none.

        Raises:
            InvalidArgument: names the limit.
        """
        if not 0 < count <= self.max_candidates:
            reason = "TOO_MANY" if count else "REQUIRED"
            raise invalid("candidates", f"must be 1 to {self.max_candidates}", reason)


def check(candidates: Candidates) -> None:
    """Refuses candidates that cannot be ordered by relevance.

    Raises:
        InvalidArgument: names the fields, the first few of them.
    """
    violations = [*violations_of(candidates), *_absences(candidates)]
    if violations:
        raise InvalidArgument(violations)


def violations_of(candidates: Candidates) -> Iterator[Violation]:
    """What is wrong with ids and numbers; absent ones are never wrong."""
    yield from _id_violations(candidates.product_ids)
    yield from _number_violations(candidates)


def _id_violations(product_ids: tuple[str, ...]) -> Iterator[Violation]:
    seen: set[str] = set()
    for row, product_id in enumerate(product_ids):
        field = f"candidates[{row}].product_id"
        if not product_id:
            yield Violation(field, "is required", "REQUIRED")
        elif len(product_id) > MAX_ID_LENGTH:
            yield Violation(field, f"must have at most {MAX_ID_LENGTH} characters", "TOO_LONG")
        elif product_id in seen:
            yield Violation(field, "occurs more than once", "DUPLICATE")
        seen.add(product_id)


def _number_violations(candidates: Candidates) -> Iterator[Violation]:
    columns = (
        ("scores.cosine", candidates.cosine, -1 - COSINE_SLACK, 1 + COSINE_SLACK, "must be -1 to 1"),
        ("scores.centred_cosine", candidates.centred_cosine, -1 - COSINE_SLACK, 1 + COSINE_SLACK, "must be -1 to 1"),
        ("scores.dot_product", candidates.dot_product, -MAX_SCORE, MAX_SCORE, "must be -1e9 to 1e9"),
        ("scores.lexical", candidates.lexical, 0.0, MAX_SCORE, "must be 0 to 1e9"),
        ("scores.visitor", candidates.visitor, -1 - COSINE_SLACK, 1 + COSINE_SLACK, "must be -1 to 1"),
        ("signals.sales_count", candidates.sales_count, 0.0, 2.0**63, "must not be negative"),
        ("signals.rating.average", candidates.rating_average, 0.0, 5.0, "must be 0 to 5"),
        ("signals.rating.count", candidates.rating_count, 0.0, 2.0**63, "must not be negative"),
        ("signals.create_time", candidates.create_time, FIRST_TIME, LAST_TIME, "must lie in the years 1 to 9999"),
    )
    for field, values, lowest, highest, description in columns:
        # A comparison with NaN is false: absent values are never out of range.
        for row in np.flatnonzero((values < lowest) | (values > highest)):
            yield Violation(f"candidates[{row}].{field}", description, "OUT_OF_RANGE")


def _absences(candidates: Candidates) -> Iterator[Violation]:
    scores = (candidates.cosine, candidates.centred_cosine, candidates.dot_product, candidates.lexical)
    for row in np.flatnonzero(np.logical_and.reduce([np.isnan(score) for score in scores])):
        yield Violation(
            f"candidates[{row}].scores", "a score, or a vector beside a query_vector, is required", "REQUIRED"
        )
