"""Statistics of a shop in which nothing has happened yet, and of one where something has, for tests of the ranker."""

import numpy as np

from services.ranker.statistics import Counted


class FakeStatistics:
    """A Statistics; `counts` by product id: (purchases, actions, impressions). None = nothing is known."""

    def __init__(self, counts=None):
        self.counts = counts

    def counted(self, catalog, product_ids):
        if self.counts is None:
            unknown = np.full(len(product_ids), np.nan)
            return Counted(unknown, unknown, unknown)
        rows = np.array([self.counts.get(product_id, (0, 0, 0)) for product_id in product_ids], dtype=np.float64)
        return Counted(rows[:, 0], rows[:, 1], rows[:, 2])
