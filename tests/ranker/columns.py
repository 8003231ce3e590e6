"""Candidates as columns, for tests of the ranker's domain: what is not named is absent."""

import numpy as np

from services.ranker.candidates import Candidates

FLOATS = (
    "visitor",
    "cosine",
    "centred_cosine",
    "dot_product",
    "lexical",
    "sales_count",
    "rating_average",
    "rating_count",
    "create_time",
)


def candidates(count: int, **columns) -> Candidates:
    filled = {name: np.array(columns.get(name, [np.nan] * count), dtype=np.float64) for name in FLOATS}
    availability = np.array(columns.get("availability", [0] * count), dtype=np.int64)
    product_ids = tuple(columns.get("product_ids", [f"p{row}" for row in range(count)]))
    return Candidates(product_ids=product_ids, availability=availability, **filled)
