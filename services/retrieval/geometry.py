"""Raw and centred cosine from one stored vector.

The vectors of one language model share a large common part, their mean m; two unrelated texts are "similar" by it.
Taking m from both sides leaves what tells them apart, so the index holds, for a product with vector d, the unit vector
of d - m, and its dense leg returns the centred cosine

    c = (q - m)(d - m) / (|q - m| |d - m|).

The others follow from two lengths kept beside the vector, |d| and |d - m|:

    d m = (|d|^2 + |m|^2 - |d - m|^2) / 2                       (law of cosines)
    d q = c |q - m| |d - m| + d m + q m - m m                   (the product above, expanded)
    cosine = d q / (|d| |q|)
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
Column = npt.NDArray[np.float64]

_NOTHING: Final = 1e-6
"""Below this length a vector has no direction: the encoder's answer for a text that says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class CentredVector:
    """What is kept of a vector once the mean is taken away."""

    direction: Vector
    """Unit vector of the vector minus the mean; shape (dims,)."""
    centred_length: float
    length: float


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """Raw cosine and dot product, one entry per product."""

    cosine: Column
    dot_product: Column


def centre(vector: Vector, mean: Vector) -> CentredVector | None:
    """A vector relative to the mean, both of shape (dims,); None where it or the difference has no direction."""
    exact = vector.astype(np.float64)
    difference = exact - mean
    length, centred_length = float(np.linalg.norm(exact)), float(np.linalg.norm(difference))
    if length < _NOTHING or centred_length < _NOTHING:
        return None
    return CentredVector((difference / centred_length).astype(np.float32), centred_length, length)


def similarities(
    centred_cosines: Column, lengths: Column, centred_lengths: Column, query: CentredVector, mean: Vector
) -> Similarity:
    """Raw cosines and dot products of products with a query, from their centred cosines; all of shape (n,)."""
    mean_square = float(np.dot(mean.astype(np.float64), mean))
    query_mean = _dot_mean(query.length, query.centred_length, mean_square)
    products_mean = (lengths**2 + mean_square - centred_lengths**2) / 2
    dots = centred_cosines * query.centred_length * centred_lengths + products_mean + query_mean - mean_square
    return Similarity(np.clip(dots / (lengths * query.length), -1.0, 1.0), dots)


def _dot_mean(length: float, centred_length: float, mean_square: float) -> float:
    return (length**2 + mean_square - centred_length**2) / 2
