"""A policy: the document that says how products are ordered. What all kinds of it have in common.

Frozen, complete (no field has a default, so that the document alone tells the order) and validated when it is read. Its
version is a digest of its content: two rankers that name the same version order alike.
"""

import hashlib
import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Weight = Annotated[float, Field(ge=0, le=1000)]
Exponent = Annotated[float, Field(ge=0, le=1)]
SublinearExponent = Annotated[float, Field(ge=0, le=0.25)]
Multiplier = Annotated[float, Field(gt=0, le=10)]
Gain = Annotated[float, Field(ge=0, le=10)]
Positive = Annotated[float, Field(gt=0, le=1e9)]


class Section(BaseModel):
    """A part of a policy."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CountWeight(Section):
    """Weight of a count: it saturates, and is 1 at `typical_count`, as it is where the count is not known."""

    typical_count: Positive
    gain: Gain
    exponent: SublinearExponent


class RatingWeight(Section):
    """Weight of a mean rating, shrunk towards `prior_average` as if that many ratings had been given before."""

    prior_average: float = Field(ge=0, le=5)
    prior_count: Positive
    exponent: Exponent


class AvailabilityWeights(Section):
    """Weight of each availability; not known is 1."""

    in_stock: Multiplier
    out_of_stock: Multiplier
    preorder: Multiplier
    backorder: Multiplier


class FreshnessWeight(Section):
    """Weight of a new product: 1 + `gain` on its first day, back to 1 with age."""

    gain: Gain
    half_life_days: Positive


class BusinessPolicy(Section):
    """How what the shop's business knows becomes one weight."""

    sales: CountWeight
    rating: RatingWeight
    review_count: CountWeight
    availability: AvailabilityWeights
    freshness: FreshnessWeight


class Document(Section):
    """A whole policy, of whatever kind."""

    name: str = Field(pattern="^[a-z0-9_-]{1,64}$")

    @property
    def version(self) -> str:
        """SHA-256 of the document in canonical JSON (sorted keys, no spaces), in hex, 12 digits."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]
