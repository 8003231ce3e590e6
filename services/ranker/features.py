"""What was used to score a product, as bytes to be kept with the impression.

Schema 1: the value of each factor of `FACTORS`, in that order, as a 32-bit IEEE 754 number, little-endian; NaN = not
known. A model learns from these bytes: another list of factors, or another meaning of one, is another schema.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from services.ranker.factors import Factor

SCHEMA: Final = 1
FACTORS: Final = (
    "interest_score",
    "co_occurrence_score",
    "page_score",
    "trending_score",
    "popular_score",
    "new_score",
    "bought_before_score",
    "impressions",
    "counted_actions",
    "counted_purchases",
    "sales_count",
    "rating_average",
    "rating_count",
    "age_days",
    "is_new",
    "interest_term",
    "co_occurrence_term",
    "page_term",
    "trending_term",
    "popular_term",
    "new_term",
    "bought_before_term",
    "newcomer_term",
    "sales_weight",
    "rating_weight",
    "review_count_weight",
    "availability_weight",
    "freshness_weight",
)


def packed(factors: Sequence[Factor]) -> list[bytes]:
    """The bytes of every candidate; `factors` are those of the schema, in its order."""
    values = np.stack([factor.values for factor in factors], axis=1).astype("<f4")
    size = values.shape[1] * values.itemsize
    content = values.tobytes()
    return [content[start : start + size] for start in range(0, len(content), size)]
