"""The policy of a search: relevance x business weight."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from services.ranker.policy import BusinessPolicy, Document, Positive, Section, Weight


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


class SimilarityLeg(Section):
    """What the similarity of meaning adds to the relevance."""

    metric: Metric
    calibration: Calibration
    power: float = Field(gt=0, le=4, description="Exponent of the cut centred cosine; 1 keeps it linear.")
    least_spread: Positive = Field(
        description="Smallest standard deviation that is stretched: differences far below it stay small."
    )
    weight: Weight


class LexicalLeg(Section):
    """What the words that query and product share add to the relevance."""

    least_spread: float = Field(
        gt=0, le=1, description="Smallest standard deviation that is stretched, as a share of the set's best score."
    )
    weight: Weight


class VisitorLeg(Section):
    """What the likeness to the visitor's interests adds to the relevance; nothing for a visitor who is not known."""

    least_spread: Positive = Field(description="As of the similarity.")
    weight: Weight


class RelevancePolicy(Section):
    """How the legs become one relevance."""

    reach: float = Field(
        ge=1,
        le=100,
        description="Standard deviations from the middle of [0, 1] to its ends; more where the set has more.",
    )
    similarity: SimilarityLeg
    lexical: LexicalLeg
    visitor: VisitorLeg

    @model_validator(mode="after")
    def _scales_agree(self) -> Self:
        if self.similarity.weight + self.lexical.weight <= 0:
            raise ValueError("similarity or lexical needs a weight above 0")
        if self.similarity.calibration is Calibration.OFF and self.lexical.weight + self.visitor.weight > 0:
            raise ValueError("without calibration the similarity is on no other leg's scale: their weights must be 0")
        if self.similarity.metric is Metric.DOT_PRODUCT and self.similarity.calibration is not Calibration.OFF:
            raise ValueError("only the cosine can be centred")
        return self


class SearchPolicy(Document):
    """The whole document."""

    kind: Literal["search"]
    scorer: Literal["formula"]
    relevance: RelevancePolicy
    business: BusinessPolicy
