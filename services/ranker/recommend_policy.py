"""The policy of a recommendation: how sources are merged, and what else has a say in who stands where."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.ranker.policy import BusinessPolicy, Document, Exponent, Section, Weight

Place = Annotated[int, Field(ge=1, le=1000)]
Decay = Annotated[float, Field(gt=0, le=1)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Combination(StrEnum):
    """What several seeds of one source make of their scores."""

    SUM = "sum"
    """The decayed sum: what goes with many things that the visitor chose goes with the visitor."""
    MAX = "max"
    """The decayed maximum."""


class Normalisation(StrEnum):
    """What is done to a source's score before its weight multiplies it."""

    RAW = "raw"
    """Negative part cut, else as it is: for scores with a scale of their own. A strong co-occurrence then outweighs
    content and a weak one does not, whatever else is in the list."""
    EUCLIDEAN = "euclidean"
    """Negative part cut, divided by the length of the vector of all candidates' scores."""
    DOMINANT = "dominant"
    """As EUCLIDEAN, times the length of the weighted co-occurrence where that is above 1: for what was bought before,
    which says more of a repeat than anything else, however strong that is in this list."""
    PEAK = "peak"
    """Negative part cut, divided by the largest among the candidates."""
    LOGARITHM = "logarithm"
    """As PEAK, of log1p: for counts, whose long tail would leave all but the first few at 0."""


class SourcePolicy(Section):
    """What one source has to say."""

    weight: Weight
    normalisation: Normalisation
    combination: Combination
    seed_decay: Decay = Field(
        description="What each younger product of the visitor's behaviour takes from the weight of a seed; 1 = nothing."
    )


class SourcePolicies(Section):
    """Every source; the share of one is its weight among the sum of all."""

    interest: SourcePolicy
    co_occurrence: SourcePolicy
    page: SourcePolicy
    trending: SourcePolicy
    popular: SourcePolicy
    new: SourcePolicy
    bought_before: SourcePolicy

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if sum(getattr(self, name).weight for name in type(self).model_fields) <= 0:
            raise ValueError("one of the sources needs a weight above 0")
        return self

    @model_validator(mode="after")
    def _scales_agree(self) -> Self:
        scaled = {"interest", "page", "co_occurrence"}
        raw = {name for name in type(self).model_fields if getattr(self, name).normalisation is Normalisation.RAW}
        if raw - scaled:
            raise ValueError("only cosines and co-occurrence, which is damped, have a scale of their own: `raw`")
        return self


class NewcomerPolicy(Section):
    """What a new product gets because no behaviour can speak for it yet: weight x likeness ^ power.

    The likeness is the largest cosine with an interest of the visitor or a product of the page: a power above 1 lets
    only those in that are really alike.
    """

    weight: Weight = Field(description="On the scale of the sources' weights; 0 = nothing.")
    power: float = Field(ge=1, le=10)


class NoveltyPolicy(Section):
    """Which products are new: those that lie below both numbers."""

    fewer_actions_than: int = Field(
        ge=1, le=1_000_000, description="Counted actions, imported sales and imported ratings together."
    )
    fewer_impressions_than: int = Field(
        ge=1, le=1_000_000_000, description="Times shown: what was shown often and not chosen has had its chance."
    )


class DiversityPolicy(Section):
    """How much sameness costs: score x max(floor, category ^ c x interest ^ i).

    c and i count, among the `window` places before, those of the same first category and of the same interest.
    """

    places: int = Field(ge=0, le=1000, description="First places that are made diverse; the rest goes by score.")
    window: Place
    category: Decay
    interest: Decay
    floor: Decay = Field(description="The least that sameness leaves of a score.")


class ReservedPolicy(Section):
    """Places for new products: `first`, then every `every`-th; each is given to the best of them by content."""

    most: int = Field(ge=0, le=100, description="Places at most; 0 = none.")
    first: Place
    every: Place


class ExplorationPolicy(Section):
    """Places where chance has a say: `first`, then every `every`-th."""

    probability: Probability = Field(description="Probability that such a place is drawn; 0 = none ever is.")
    most: int = Field(ge=0, le=100, description="Such places at most.")
    first: Place
    every: Place
    window: Place = Field(description="Places behind it that it is drawn from, each with the same probability.")

    @model_validator(mode="after")
    def _windows_apart(self) -> Self:
        if self.window >= self.every:
            raise ValueError("window must be below `every`: the draws of two places would not be independent")
        return self


class ReasonPolicy(Section):
    """How reasons are told."""

    title_length: int = Field(ge=4, le=500, description="Characters of a title at most; a longer one is cut.")


class RecommendPolicy(Document):
    """The whole document."""

    kind: Literal["recommend"]
    scorer: Literal["sources"]
    sources: SourcePolicies
    novelty: NoveltyPolicy
    newcomers: NewcomerPolicy
    business: BusinessPolicy
    business_exponent: Exponent = Field(
        description="What every business weight is raised to: below 1, because a merged score has a narrow range."
    )
    diversity: DiversityPolicy
    reserved: ReservedPolicy
    exploration: ExplorationPolicy
    reasons: ReasonPolicy
