"""Retrieval's own order, the fallback where the ranker is away.

The sum of both legs' z-scores over the candidates: (score - mean) / standard deviation, each with its weight. Margins
survive, which rank fusion throws away. A product whose vector is not there yet has no dense score and stands at the
leg's mean, neither rewarded nor punished.
"""

import numpy as np

from services.retrieval.geometry import Column


def fused(dense: Column | None, lexical: Column | None, lexical_weight: float) -> Column:
    """One score per candidate, shape (n,); None for a leg that did not run, NaN for a score that is not known.

    At least one leg is given.
    """
    if dense is not None and lexical is not None:
        return (1.0 - lexical_weight) * _z_scores(dense) + lexical_weight * _z_scores(lexical)
    only = dense if dense is not None else lexical
    return _z_scores(only) if only is not None else np.empty(0)


def _z_scores(scores: Column) -> Column:
    known = scores[~np.isnan(scores)]
    if known.size == 0:
        return np.zeros_like(scores)
    deviation = float(known.std())
    if deviation == 0.0:
        return np.zeros_like(scores)
    return np.nan_to_num((scores - float(known.mean())) / deviation, nan=0.0)
