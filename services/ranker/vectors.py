"""Similarities from vectors, for callers that have vectors but no scores."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, Violation
from services.ranker.candidates import Candidates, FloatArray


def with_similarities(
    candidates: Candidates, query: FloatArray | None, vectors: Mapping[int, FloatArray]
) -> Candidates:
    """Candidates with cosine and dot product filled in where a vector is known and the score is not.

    Args:
        candidates: n rows.
        query: shape (dims,), or None where the caller sent none; nothing is filled in then.
        vectors: shape (dims,) by row of the candidate.

    Raises:
        InvalidArgument: a vector has another length than the query's.
    """
    if query is None or not vectors:
        return candidates
    strange = [row for row, vector in vectors.items() if len(vector) != len(query)]
    if strange:
        raise InvalidArgument(
            [
                Violation(f"candidates[{row}].vector.dims", "must be the dims of query_vector", "DIMS_DIFFER")
                for row in strange
            ]
        )
    rows = np.fromiter(vectors, dtype=np.int64)
    matrix = np.stack(list(vectors.values()))
    dot_product = matrix @ query
    lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(query)
    # A vector of nothing is alike to nothing.
    cosine = np.divide(dot_product, lengths, out=np.zeros_like(dot_product), where=lengths > 0)
    return replace(
        candidates,
        cosine=_filled(candidates.cosine, rows, cosine),
        dot_product=_filled(candidates.dot_product, rows, dot_product),
    )


def _filled(column: FloatArray, rows: NDArray[np.int64], values: FloatArray) -> FloatArray:
    filled = column.copy()
    filled[rows] = np.where(np.isnan(column[rows]), values, column[rows])
    return filled
