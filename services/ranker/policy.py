"""A policy: the document that says how candidates are ordered.

Frozen, complete (no field has a default, so that the document alone tells the order) and validated when it is read. Its
version is a digest of its content: two rankers that name the same version order alike.
"""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.common.errors import NotFound

DEFAULT: Final = "default"
Weight = Annotated[float, Field(ge=0, le=1000)]
Exponent = Annotated[float, Field(ge=0, le=1)]
SublinearExponent = Annotated[float, Field(ge=0, le=0.25)]
Multiplier = Annotated[float, Field(gt=0, le=10)]
Gain = Annotated[float, Field(ge=0, le=10)]
Positive = Annotated[float, Field(gt=0, le=1e9)]


class Metric(StrEnum):
    """How alike a query vector and a product vector are."""

    COSINE = "cosine"
    DOT_PRODUCT = "dot_product"


class Calibration(StrEnum):
    """What is done to a similarity before a weight multiplies it."""

    OFF = "off"
    """Nothing: the article's plain formula, ranking = similarity x business weight."""
    CENTRED = "centred"
    """The centred cosine, negative part cut, raised to `power`, mapped to [0, 1] over the candidate set."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SimilarityLeg(_Section):
    """What the similarity of meaning adds to the relevance."""

    metric: Metric
    calibration: Calibration
    power: float = Field(gt=0, le=4, description="Exponent of the cut centred cosine; 1 keeps it linear.")
    least_spread: Positive = Field(
        description="Smallest standard deviation that is stretched: differences far below it stay small."
    )
    weight: Weight


class LexicalLeg(_Section):
    """What the words that query and product share add to the relevance."""

    least_spread: float = Field(
        gt=0, le=1, description="Smallest standard deviation that is stretched, as a share of the set's best score."
    )
    weight: Weight


class RelevancePolicy(_Section):
    """How the legs become one relevance."""

    reach: float = Field(
        ge=1,
        le=100,
        description="Standard deviations from the middle of [0, 1] to its ends; more where the set has more.",
    )
    similarity: SimilarityLeg
    lexical: LexicalLeg

    @model_validator(mode="after")
    def _scales_agree(self) -> Self:
        if self.similarity.weight + self.lexical.weight <= 0:
            raise ValueError("one of the two legs needs a weight above 0")
        if self.similarity.calibration is Calibration.OFF and self.lexical.weight > 0:
            raise ValueError(
                "without calibration the similarity is not on the lexical leg's scale: its weight must be 0"
            )
        if self.similarity.metric is Metric.DOT_PRODUCT and self.similarity.calibration is not Calibration.OFF:
            raise ValueError("only the cosine can be centred")
        return self


class CountWeight(_Section):
    """Weight of a count: it saturates, and is 1 at `typical_count`, as it is where the count is not known."""

    typical_count: Positive
    gain: Gain
    exponent: SublinearExponent


class RatingWeight(_Section):
    """Weight of a mean rating, shrunk towards `prior_average` as if that many ratings had been given before."""

    prior_average: float = Field(ge=0, le=5)
    prior_count: Positive
    exponent: Exponent


class AvailabilityWeights(_Section):
    """Weight of each availability; not known is 1."""

    in_stock: Multiplier
    out_of_stock: Multiplier
    preorder: Multiplier
    backorder: Multiplier


class FreshnessWeight(_Section):
    """Weight of a new product: 1 + `gain` on its first day, back to 1 with age."""

    gain: Gain
    half_life_days: Positive


class BusinessPolicy(_Section):
    """How what the shop's business knows becomes one weight."""

    sales: CountWeight
    rating: RatingWeight
    review_count: CountWeight
    availability: AvailabilityWeights
    freshness: FreshnessWeight


class Policy(_Section):
    """The whole document."""

    name: str = Field(pattern="^[a-z0-9_-]{1,64}$")
    scorer: Literal["formula"]
    relevance: RelevancePolicy
    business: BusinessPolicy

    @property
    def version(self) -> str:
        """SHA-256 of the document in canonical JSON (sorted keys, no spaces), in hex, 12 digits."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


class PolicyBook:
    """The policies of this process, by name."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self._policies = {name: (policy, policy.version) for name, policy in policies.items()}

    def named(self, name: str) -> tuple[Policy, str]:
        """The policy of this name, empty = `default`, and its version.

        Raises:
            NotFound: there is none.
        """
        try:
            return self._policies[name or DEFAULT]
        except KeyError:
            raise NotFound("policy: no policy of this name is loaded", reason="POLICY_NOT_FOUND") from None
