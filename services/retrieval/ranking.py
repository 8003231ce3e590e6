"""Every leg's score of the products of a result set, and retrieval's own order of them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from services.common.errors import ServiceError
from services.retrieval.fusion import fused
from services.retrieval.geometry import CentredVector, Column, Vector, similarities
from services.retrieval.index_version import IndexVersion
from services.retrieval.product_index import Card, Hit, LegQuery, LegScores, ProductIndex
from services.retrieval.result_set import ResultSet
from services.retrieval.variants import Result

_DIGITS = 9
"""Of a fused score, so that the order does not hang on the last bit of a sum."""


class ScoredProduct(NamedTuple):
    """A candidate. NaN = not known."""

    product_id: str
    card: str
    offer: str
    cosine: float
    centred_cosine: float
    dot_product: float
    lexical: float
    other_variants: int = 0
    visitor: float = math.nan
    """How close it is to the visitor's interests; personal.py gives it."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that an answer had to do without."""

    kind: str
    """LEXICAL_ONLY, SEMANTIC_ONLY, SCORES_INCOMPLETE, NOT_PERSONALISED or WITHOUT_TEXTS."""
    component: str
    reason: str


@dataclass(frozen=True, slots=True)
class Completed:
    """A result set with the scores that no leg's window showed."""

    found: ResultSet
    round_trips: int
    missing: Sequence[Missing]


async def completed(
    index: ProductIndex, version: IndexVersion, legs: LegQuery, found: ResultSet, points: Iterable[str]
) -> Completed:
    """The set with every leg's score of the given points, in one round trip or none.

    None where no leg was cut: it then has returned every product that it knows. A lexical leg that knows nothing of a
    product means 0: no word in common.
    """
    asked = list(points)
    dense = [point for point in asked if point not in found.dense] if found.dense_cut else []
    lexical = [point for point in asked if point not in found.lexical] if found.lexical_cut else []
    if not dense and not lexical:
        return Completed(_closed(found, legs, asked, LegScores({}, {})), 0, [])
    try:
        scores = await index.scores(version, legs, dense, lexical)
    except ServiceError as error:
        known = [] if found.lexical_cut else asked
        incomplete = Missing("SCORES_INCOMPLETE", "qdrant", error.reason)
        return Completed(_closed(found, legs, known, LegScores({}, {})), 1, [incomplete])
    return Completed(_closed(found, legs, asked, scores), 1, [])


def by_relevance(found: ResultSet, legs: LegQuery, lexical_weight: float) -> list[Hit]:
    """The members of a set, best first, ties by product id.

    Scores are compared over all that the windows showed, not over the set alone: what a floor takes away would make
    the scores that are left look more alike than they are.
    """
    if not found.hits:
        return []
    dense = _column(found.dense, found.hits) if legs.direction is not None else None
    lexical = _column(found.lexical, found.hits) if legs.words is not None else None
    scores = np.round(fused(dense, lexical, lexical_weight), _DIGITS).tolist()
    by_point = dict(zip(found.hits, scores, strict=True))
    return sorted(found.members, key=lambda hit: (-by_point[hit.point], hit.product_id))


def scored(
    results: Sequence[Result],
    cards: Sequence[Card],
    found: ResultSet,
    centred: CentredVector | None,
    mean: Vector,
) -> list[ScoredProduct]:
    """Results with cards and scores."""
    points = [result.hit.point for result in results]
    dense, lexical = _column(found.dense, points), _column(found.lexical, points)
    cosine, dot = _raw(dense, [result.hit for result in results], centred, mean)
    columns = zip(results, cards, cosine.tolist(), dense.tolist(), dot.tolist(), lexical.tolist(), strict=True)
    return [
        ScoredProduct(
            result.hit.product_id,
            card.product,
            card.offer,
            cosine=raw,
            centred_cosine=centred_cosine,
            dot_product=product,
            lexical=words,
            other_variants=result.other_variants,
        )
        for result, card, raw, centred_cosine, product, words in columns
    ]


def _raw(dense: Column, hits: Sequence[Hit], centred: CentredVector | None, mean: Vector) -> tuple[Column, Column]:
    """Cosines and dot products of the vectors as the model gives them."""
    if centred is None:
        unknown = np.full(len(hits), np.nan)
        return unknown, unknown
    lengths = np.fromiter((hit.length for hit in hits), np.float64, len(hits))
    centred_lengths = np.fromiter((hit.centred_length for hit in hits), np.float64, len(hits))
    similarity = similarities(dense, lengths, centred_lengths, centred, mean)
    return similarity.cosine, similarity.dot_product


def _closed(found: ResultSet, legs: LegQuery, points: Sequence[str], scores: LegScores) -> ResultSet:
    none_in_common = dict.fromkeys(points, 0.0) if legs.words is not None else {}
    return replace(
        found,
        dense={**found.dense, **scores.dense},
        lexical={**none_in_common, **found.lexical, **scores.lexical},
    )


def _column(scores: Mapping[str, float], points: Iterable[str]) -> Column:
    return np.array([scores.get(point, np.nan) for point in points], np.float64)
