"""Relevance: how well a candidate answers, from similarity of meaning, shared words and the visitor's interests.

Each leg x is mapped to [0, 1] over the candidate set before a weight multiplies it:

    z = (x - mean) / max(standard deviation, least spread)
    mapped = 1/2 + z / (2 R),    R = max(reach, largest |z| of any leg in the set)

All legs share R and nothing is clipped, so relevance orders exactly like the weighted sum of z-scores, which keeps the
margins that rank fusion throws away (score normalisation: Lee, "Analyses of Multiple Evidence Combination", SIGIR
1997; z-score: Montague & Aslam, "Relevance Score Normalization for Metasearch", CIKM 2001). The least spread
keeps two near-equal candidates near-equal, so that their business decides.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, Violation
from services.ranker.candidates import Candidates, FloatArray
from services.ranker.search_policy import Calibration, LexicalLeg, Metric, RelevancePolicy, SimilarityLeg


@dataclass(frozen=True, slots=True, eq=False)
class Relevance:
    """The legs on their way into the score; arrays of shape (n,)."""

    similarity: FloatArray
    """What enters the similarity's term: in [0, 1], or the raw similarity without calibration; NaN = absent."""
    lexical: FloatArray
    """The lexical score in [0, 1]; NaN = absent."""
    visitor: FloatArray
    """The likeness to the visitor's interests in [0, 1]; NaN = absent."""
    similarity_term: FloatArray
    lexical_term: FloatArray
    visitor_term: FloatArray
    personal_share: float
    """Weight of the visitor's term among all, 0 to 1; 0 where no candidate has it."""


def relevance(policy: RelevancePolicy, candidates: Candidates) -> Relevance:
    """Relevance of every candidate.

    A candidate that lacks the score of a leg is judged by the others alone, with the whole weight: it is neither taken
    for unlike nor for alike. Where a leg did not run, this holds for all.

    Raises:
        InvalidArgument: a candidate has no score that the policy can use.
    """
    lexical = _standardised(candidates.lexical, _least_lexical_spread(policy.lexical, candidates.lexical))
    if policy.similarity.calibration is Calibration.OFF:
        similarity = candidates.dot_product if policy.similarity.metric is Metric.DOT_PRODUCT else candidates.cosine
        mapped_lexical = _mapped(lexical, _reach(policy.reach, lexical))
        return _weighted(policy, similarity, mapped_lexical, np.full_like(lexical, np.nan))
    standardised = _standardised(_stretched(policy.similarity, candidates), policy.similarity.least_spread)
    visitor = _standardised(_heard(policy, candidates.visitor), policy.visitor.least_spread)
    reach = _reach(policy.reach, lexical, standardised, visitor)
    return _weighted(policy, _mapped(standardised, reach), _mapped(lexical, reach), _mapped(visitor, reach))


def _heard(policy: RelevancePolicy, visitor: FloatArray) -> FloatArray:
    # A leg without weight must not stretch the reach of the others either.
    return np.maximum(visitor, 0.0) if policy.visitor.weight > 0 else np.full_like(visitor, np.nan)


def _weighted(policy: RelevancePolicy, similarity: FloatArray, lexical: FloatArray, visitor: FloatArray) -> Relevance:
    has_similarity, has_lexical, has_visitor = ~np.isnan(similarity), ~np.isnan(lexical), ~np.isnan(visitor)
    _check_usable(has_similarity | has_lexical)
    total = policy.similarity.weight + policy.lexical.weight
    alone = has_similarity != has_lexical
    similarity_share = np.where(alone, 1.0, policy.similarity.weight / total)
    lexical_share = np.where(alone, 1.0, policy.lexical.weight / total)
    personal = policy.visitor.weight / (total + policy.visitor.weight)
    others = np.where(has_visitor, 1.0 - personal, 1.0)
    return Relevance(
        similarity=similarity,
        lexical=lexical,
        visitor=visitor,
        similarity_term=np.where(has_similarity, others * similarity_share * similarity, 0.0),
        lexical_term=np.where(has_lexical, others * lexical_share * lexical, 0.0),
        visitor_term=np.where(has_visitor, personal * visitor, 0.0),
        personal_share=personal if has_visitor.any() else 0.0,
    )


def _check_usable(usable: NDArray[np.bool_]) -> None:
    rows = np.flatnonzero(~usable)
    if len(rows):
        raise InvalidArgument(
            [Violation(f"candidates[{row}].scores", "holds no score that the policy uses", "UNUSABLE") for row in rows]
        )


def _stretched(leg: SimilarityLeg, candidates: Candidates) -> FloatArray:
    """The centred cosine, negative part cut, raised to the power.

    A caller that has plain cosines only (it sent vectors) is served by these: the z-score takes the set's own mean from
    them. The two are never mixed in one set: the kind that more candidates carry counts.
    """
    centred, plain = candidates.centred_cosine, candidates.cosine
    cosine = centred if np.isnan(centred).sum() <= np.isnan(plain).sum() else plain
    return np.asarray(np.maximum(cosine, 0.0) ** leg.power, dtype=np.float64)


def _least_lexical_spread(leg: LexicalLeg, lexical: FloatArray) -> float:
    # BM25 has no unit of its own: its size follows the query's words.
    return leg.least_spread * float(np.fmax.reduce(lexical, initial=0.0))


def _standardised(values: FloatArray, least_spread: float) -> FloatArray:
    present = values[~np.isnan(values)]
    if not present.size:
        return values
    spread = max(float(present.std()), least_spread)
    centred = np.asarray(values - present.mean(), dtype=np.float64)
    return centred / spread if spread > 0 else centred


def _reach(least: float, *legs: FloatArray) -> float:
    return float(max(least, *(np.fmax.reduce(np.abs(leg), initial=0.0) for leg in legs)))


def _mapped(standardised: FloatArray, reach: float) -> FloatArray:
    # The last bit of rounding may leave [0, 1].
    return np.asarray(np.clip(0.5 + standardised / (2.0 * reach), 0.0, 1.0), dtype=np.float64)
