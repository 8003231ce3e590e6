"""Which candidates are new: hardly anybody has seen, chosen, bought or rated them yet."""

import numpy as np
from numpy.typing import NDArray

from services.ranker.candidates import Candidates
from services.ranker.recommend_policy import NoveltyPolicy
from services.ranker.recommendation import Source, SourceScores
from services.ranker.statistics import Counted


def is_new(policy: NoveltyPolicy, candidates: Candidates, counted: Counted, said: SourceScores) -> NDArray[np.bool_]:
    """Shape (n,).

    What the shop imported counts as well: a product that it has sold for years is not new because this system has not
    shown it yet. While statistics are not known, only what a source calls new is.
    """
    called_new = np.zeros(len(candidates.product_ids), dtype=np.bool_)
    called_new[said.rows[said.sources == Source.NEW]] = True
    imported = np.nan_to_num(candidates.sales_count) + np.nan_to_num(candidates.rating_count)
    few = (counted.actions + imported < policy.fewer_actions_than) & (
        counted.impressions < policy.fewer_impressions_than
    )
    return np.where(np.isnan(counted.actions), called_new, few)
