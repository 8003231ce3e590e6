"""Impressions: a page of products that was shown to one visitor, and what makes one valid."""

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import Final

from services.common.errors import MAX_VIOLATIONS, InvalidArgument, Violation
from services.feedback.visitors import visitor_id_violation

MAX_ATTRIBUTION_LENGTH: Final = 64
MAX_POLICY_LENGTH: Final = 128
"""Of the policy's name and version, and of the model's."""
LAST_TIME: Final = 32_503_679_999_999_999
"""The last of the year 2999 in Unix microseconds. Beyond it and before 1970 a clock is broken; asyncpg moreover writes
the ends of datetime's range as infinity."""
_PRODUCT_ID: Final = re.compile("[A-Za-z0-9._:/-]{1,128}")


class Surface(IntEnum):
    """Where products were shown."""

    SEARCH = 1
    SIMILAR_PRODUCTS = 2
    HOME = 3
    PRODUCT_PAGE = 4
    CART = 5
    AFTER_PURCHASE = 6


_SURFACES: Final = frozenset(surface.value for surface in Surface)


@dataclass(frozen=True, slots=True)
class ShownProducts:
    """Products in the order shown, one element each."""

    product_ids: tuple[str, ...]
    positions: tuple[int, ...]
    """Places, the first one is 1."""
    scores: tuple[float, ...]
    propensities: tuple[float, ...]
    """Probability of the place under the policy; 1 = an order without chance."""
    features: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Impression:
    """One page of products that was shown to one visitor."""

    impression_id: bytes
    attribution_id: str
    visitor_id: str
    """Pseudonym; empty = not known."""
    surface: int
    show_time: int | None
    """Unix microseconds; None = not given."""
    policy: str
    products: ShownProducts
    feature_schema: int
    """0 = no features."""
    query: str = ""
    """What was searched for; empty = nothing."""
    model: str = ""
    """Learned model that took part; empty = none."""


@dataclass(frozen=True, slots=True)
class ImpressionLimits:
    """How much one call may bring."""

    max_impressions: int
    max_products: int
    max_features_bytes: int
    max_query_characters: int = 5_000


def check(impressions: Sequence[Impression], limits: ImpressionLimits) -> None:
    """Refuses a batch in which anything is wrong; nothing of it is kept then.

    Raises:
        InvalidArgument: names the fields, the first `MAX_VIOLATIONS` of them.
    """
    violations = list(islice(_violations(impressions, limits), MAX_VIOLATIONS))
    if violations:
        raise InvalidArgument(violations)


def _violations(impressions: Sequence[Impression], limits: ImpressionLimits) -> Iterator[Violation]:
    if not 0 < len(impressions) <= limits.max_impressions:
        reason = "TOO_MANY" if impressions else "REQUIRED"
        yield Violation("impressions", f"must be 1 to {limits.max_impressions}", reason)
        return
    for index, impression in enumerate(impressions):
        path = f"impressions[{index}]"
        yield from _impression_violations(impression, path)
        yield from _query_violations(impression, f"{path}.query", limits.max_query_characters)
        yield from _product_violations(impression, path, limits)


def _impression_violations(impression: Impression, path: str) -> Iterator[Violation]:
    if len(impression.impression_id) != 16:
        yield Violation(f"{path}.impression_id", "must be a UUID, 16 bytes", "MALFORMED")
    if not impression.attribution_id:
        yield Violation(f"{path}.attribution_id", "is required", "REQUIRED")
    yield from _text_violations(impression.attribution_id, f"{path}.attribution_id", MAX_ATTRIBUTION_LENGTH)
    if violation := visitor_id_violation(impression.visitor_id, f"{path}.visitor_id"):
        yield violation
    if impression.surface not in _SURFACES:
        yield Violation(f"{path}.surface", "must be a surface that is known here", "NOT_ALLOWED")
    if impression.show_time is None:
        yield Violation(f"{path}.show_time", "is required", "REQUIRED")
    elif not 0 <= impression.show_time <= LAST_TIME:
        yield Violation(f"{path}.show_time", "must lie in the years 1970 to 2999", "OUT_OF_RANGE")
    yield from _text_violations(impression.policy, f"{path}.policy", MAX_POLICY_LENGTH)
    yield from _text_violations(impression.model, f"{path}.model", MAX_POLICY_LENGTH)
    if impression.feature_schema < 0:
        yield Violation(f"{path}.feature_schema", "must not be negative", "OUT_OF_RANGE")


def _query_violations(impression: Impression, field: str, longest: int) -> Iterator[Violation]:
    if len(impression.query) > longest:
        yield Violation(field, f"must have at most {longest:,} characters", "TOO_LONG")
    elif "\0" in impression.query:
        # Postgres keeps no text with one.
        yield Violation(field, "must not hold the character NUL", "MALFORMED")


def _text_violations(text: str, field: str, longest: int) -> Iterator[Violation]:
    if len(text) > longest:
        yield Violation(field, f"must have at most {longest} characters", "TOO_LONG")
    elif any(unicodedata.category(character) == "Cc" for character in text):
        yield Violation(field, "must not hold control characters", "MALFORMED")


def _product_violations(impression: Impression, path: str, limits: ImpressionLimits) -> Iterator[Violation]:
    products = impression.products
    if not 0 < len(products.product_ids) <= limits.max_products:
        reason = "TOO_MANY" if products.product_ids else "REQUIRED"
        yield Violation(f"{path}.products", f"must be 1 to {limits.max_products}", reason)
        return
    last = 0
    for index, (product_id, position, score, propensity, features) in enumerate(
        zip(
            products.product_ids,
            products.positions,
            products.scores,
            products.propensities,
            products.features,
            strict=True,
        )
    ):
        field = f"{path}.products[{index}]"
        if not _PRODUCT_ID.fullmatch(product_id):
            yield Violation(f"{field}.product_id", "must be 1 to 128 characters of A-Z a-z 0-9 . _ : - /", "MALFORMED")
        if position <= last:
            yield Violation(
                f"{field}.position", "must be 1 or more, and above that of the product before", "OUT_OF_ORDER"
            )
        last = max(last, position)
        if not math.isfinite(score):
            yield Violation(f"{field}.score", "must be a finite number", "NOT_FINITE")
        if not 0.0 < propensity <= 1.0:
            yield Violation(f"{field}.propensity", "must be above 0, and 1 at most", "OUT_OF_RANGE")
        yield from _features_violations(features, impression.feature_schema, f"{field}.features", limits)


def _features_violations(features: bytes, schema: int, field: str, limits: ImpressionLimits) -> Iterator[Violation]:
    if len(features) > limits.max_features_bytes:
        yield Violation(field, f"must have at most {limits.max_features_bytes} bytes", "TOO_LONG")
    if features and schema == 0:
        yield Violation(field, "need a feature_schema", "SCHEMA_MISSING")
