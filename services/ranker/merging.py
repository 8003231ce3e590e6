"""Merges what the sources say of each candidate into one score.

    score = sum of terms x product of business weights
    term  = share of the source x normalised,   share = weight / sum of all sources' weights

and one term more for new products, which only their likeness can speak for.

The entries of one source, one per seed, combine first: each is decayed by how many products the visitor has wanted
since the seed, and then the decayed scores are summed (co-occurrence: several seeds that agree count more) or the
largest is taken (a likeness). Normalising brings sources to one scale and keeps the margins that rank fusion throws
away (Lee, "Analyses of Multiple Evidence Combination", SIGIR 1997): whatever it is, a normalised score is 0 or more,
and 0 where the source says nothing of a candidate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.ranker.candidates import FloatArray
from services.ranker.recommend_policy import (
    Combination,
    NewcomerPolicy,
    Normalisation,
    SourcePolicies,
    SourcePolicy,
)
from services.ranker.recommendation import Behaviour, Source, SourceScores

UNWANTED = -1


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Every source's part in the scores, in the order of `Source`."""

    raw: Mapping[Source, FloatArray]
    """Shape (n,): the combined score before normalising; NaN = the source is silent."""
    terms: Mapping[Source, FloatArray]
    """Shape (n,)."""
    decayed: FloatArray
    """Shape (m,): every entry's score after decay; -inf = of a seed that is not wanted."""

    @property
    def content(self) -> FloatArray:
        """What likeness alone says, shape (n,): needs no behaviour of others."""
        return self.terms[Source.INTEREST] + self.terms[Source.PAGE]


def merge(policy: SourcePolicies, said: SourceScores, behaviours: Sequence[Behaviour], visitor: FloatArray) -> Merged:
    """The sources of every candidate.

    Args:
        policy: the sources' weights.
        said: m entries about n candidates.
        behaviours: newest first; they tell how old a seed is.
        visitor: shape (n,); likeness to the visitor's interests, each weighted by its share. Where it is known it is
            what the interests say, rather than the entry, whose seed is still the reason.
    """
    ages = _entry_ages(said, seed_ages(behaviours))
    decayed = np.full(len(said.scores), -np.inf)
    raw: dict[Source, FloatArray] = {}
    terms: dict[Source, FloatArray] = {}
    whole = whole_weight(policy)
    for source in Source:
        rules = source_policy(policy, source)
        mine = np.flatnonzero((said.sources == source) & (ages != UNWANTED))
        decayed[mine] = said.scores[mine] * rules.seed_decay ** ages[mine]
        combined = _combined(rules.combination, said.rows[mine], decayed[mine], len(visitor))
        raw[source] = np.where(np.isnan(visitor), combined, visitor) if source is Source.INTEREST else combined
        terms[source] = rules.weight / whole * _normalised(rules.normalisation, raw[source])
    for source in Source:
        if source_policy(policy, source).normalisation is Normalisation.DOMINANT:
            terms[source] *= max(float(np.linalg.norm(terms[Source.CO_OCCURRENCE])) * whole, 1.0)
    return Merged(raw, terms, decayed)


def newcomer_term(
    policy: NewcomerPolicy, sources: SourcePolicies, merged: Merged, is_new: NDArray[np.bool_]
) -> FloatArray:
    """What new products get for their likeness alone, shape (n,); 0 for all others."""
    likeness = np.fmax(np.fmax(merged.raw[Source.INTEREST], merged.raw[Source.PAGE]), 0.0)
    return np.where(is_new, policy.weight / whole_weight(sources) * likeness**policy.power, 0.0)


def whole_weight(policy: SourcePolicies) -> float:
    """The sum of all sources' weights, of which each has its share."""
    return sum(source_policy(policy, source).weight for source in Source)


def source_policy(policy: SourcePolicies, source: Source) -> SourcePolicy:
    """The rules of one source."""
    return {
        Source.INTEREST: policy.interest,
        Source.CO_OCCURRENCE: policy.co_occurrence,
        Source.PAGE: policy.page,
        Source.TRENDING: policy.trending,
        Source.POPULAR: policy.popular,
        Source.NEW: policy.new,
        Source.BOUGHT_BEFORE: policy.bought_before,
    }[source]


def seed_ages(behaviours: Sequence[Behaviour]) -> dict[str, int]:
    """How often the visitor has wanted something else since each; `UNWANTED` for those that it does not want.

    The products of one event, a basket, are of one time: none of them is older than the other.
    """
    wanted: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for behaviour in behaviours:
        if behaviour.product_id:
            wanted[behaviour.product_id] = wanted.get(behaviour.product_id, 0.0) + behaviour.weight
            seconds.setdefault(behaviour.product_id, behaviour.age)
    ages = dict.fromkeys(wanted, UNWANTED)
    times = list(dict.fromkeys(seconds[one] for one, weight in wanted.items() if weight > 0))
    ages |= {one: times.index(seconds[one]) for one, weight in wanted.items() if weight > 0}
    return ages


def _entry_ages(said: SourceScores, ages: Mapping[str, int]) -> NDArray[np.int64]:
    # Nothing is newer than what the page shows, whether the visitor has been there before or dismissed it once. A seed
    # that is no behaviour is of the page too.
    on_page = {said.seeds[entry] for entry in np.flatnonzero(said.sources == Source.PAGE).tolist()}
    return np.array([0 if seed in on_page else ages.get(seed, 0) for seed in said.seeds], dtype=np.int64)


def _combined(combination: Combination, rows: NDArray[np.int64], scores: FloatArray, count: int) -> FloatArray:
    combined = np.full(count, np.nan)
    if combination is Combination.MAX:
        np.fmax.at(combined, rows, scores)
    else:
        present = np.bincount(rows, minlength=count) > 0
        sums = np.bincount(rows, weights=scores, minlength=count)
        combined[present] = sums[present]
    return combined


def _normalised(normalisation: Normalisation, raw: FloatArray) -> FloatArray:
    positive = np.maximum(np.nan_to_num(raw), 0.0)
    if normalisation is Normalisation.RAW:
        return positive
    scaled = np.log1p(positive) if normalisation is Normalisation.LOGARITHM else positive
    peak = float(scaled.max(initial=0.0))
    if peak == 0:
        return scaled
    share = np.asarray(scaled / peak, dtype=np.float64)
    # The peak goes out first: the squares of very small scores would vanish.
    has_length = normalisation in {Normalisation.EUCLIDEAN, Normalisation.DOMINANT}
    return share / np.linalg.norm(share) if has_length else share
