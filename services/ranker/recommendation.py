"""What a recommendation is made from and what comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np
from numpy.typing import NDArray

from services.ranker.candidates import Candidates, FloatArray
from services.ranker.factors import Factor


class Source(IntEnum):
    """Where a candidate comes from."""

    INTEREST = 1
    CO_OCCURRENCE = 2
    PAGE = 3
    TRENDING = 4
    POPULAR = 5
    NEW = 6
    BOUGHT_BEFORE = 7


class Action(Enum):
    """What a visitor did with a product, or with a text."""

    SEARCH = "search"
    VIEW = "view"
    CART = "cart"
    PURCHASE = "purchase"
    OPINION = "opinion"
    """Rated it, wrote about it, sent it to somebody."""
    OTHER = "other"


class ReasonCode(Enum):
    """Why a product is recommended."""

    NONE = "none"
    """No single thing speaks for it."""
    VIEWED = "viewed"
    IN_CART = "in_cart"
    BOUGHT = "bought"
    SEARCHED = "searched"
    LIKED = "liked"
    TOGETHER = "together"
    SIMILAR = "similar"
    TRENDING = "trending"
    POPULAR = "popular"
    NEW = "new"
    BUY_AGAIN = "buy_again"
    EXPLORED = "explored"


class PlaceKind(Enum):
    """What put a product into its place."""

    SCORE = "score"
    RESERVED = "reserved"
    """The place was reserved for new products."""
    EXPLORED = "explored"
    """Chance, for the one that was drawn and for the one whose place it took."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One thing that the visitor did."""

    action: Action
    product_id: str
    """Empty for a text."""
    weight: float
    """Above 0: wanted; below: not wanted."""
    age: float = 0.0
    """Seconds; the products of one event have the same."""


@dataclass(frozen=True, slots=True, eq=False)
class SourceScores:
    """What sources say, one entry per candidate, source and seed; m entries."""

    rows: NDArray[np.int64]
    """Shape (m,): row of the candidate."""
    sources: NDArray[np.int64]
    """Shape (m,): `Source`."""
    scores: FloatArray
    """Shape (m,): raw."""
    seeds: Sequence[str]
    """Product that each goes back to; empty = none."""


@dataclass(frozen=True, slots=True, eq=False)
class RecommendationRequest:
    """What to merge and order, and by which policy."""

    policy: str
    """Empty = `recommend`."""
    catalog: str
    """Whose statistics count; empty = `default`."""
    candidates: Candidates
    said: SourceScores
    categories: Sequence[str]
    """First level of each candidate's category; empty = none."""
    interests: NDArray[np.int64]
    """Shape (n,): interest that each is closest to; -1 = none."""
    behaviours: Sequence[Behaviour]
    """Newest first."""
    titles: Mapping[str, str]
    """Of products that reasons may name."""
    language_code: str
    limit: int
    """Places to fill; 0 = all."""
    seed: int
    """Of the draws; 0 = any."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a product is recommended, for programs and for shoppers."""

    code: ReasonCode
    product_id: str
    """Product that it names; empty = none."""
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Recommendations:
    """Products in the order to show; sequences of one length."""

    policy_name: str
    policy_version: str
    scorer: str
    product_ids: Sequence[str]
    scores: Sequence[float]
    propensities: Sequence[float]
    """Probability of each product in its place, above 0 to 1."""
    kinds: Sequence[PlaceKind]
    reasons: Sequence[Reason]
    factors: Sequence[Factor]
    """In the order in which they enter the score."""
    features: Sequence[bytes]
    feature_schema: int
