"""What a visitor did and which page it is on, as requests tell it, and what the index knows of those products."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from services.common.errors import Violation
from services.retrieval.geometry import CentredVector
from services.retrieval.index_version import IndexVersion
from services.retrieval.interests import Signal
from services.retrieval.product_index import Card
from services.retrieval.validation import product_id_violations, too_long, too_many


class Behaviour(NamedTuple):
    """Something that a visitor did with a product, or wrote."""

    product_id: str
    """Empty for a text."""
    text: str
    weight: float
    """Above 0: wanted; below 0: not wanted."""


@dataclass(frozen=True, slots=True, eq=False)
class Seed:
    """A product that a visitor did something with, as the index keeps it."""

    product_id: str
    group: str
    categories: Sequence[str]
    """Paths and all above them, normalised."""
    vector: CentredVector | None
    """None = it waits for the encoder."""
    card: Card


class SeedIndex(Protocol):
    """An index that tells what it keeps of several products."""

    async def seeds(self, version: IndexVersion, ids: Sequence[str], region: str) -> Mapping[str, Seed]:
        """Products by id; what is gone is left out.

        Raises:
            NotFound: the version is gone.
            Unavailable: the index is away or too slow.
        """


def signals_of(behaviours: Sequence[Behaviour], seeds: Mapping[str, Seed]) -> list[Signal]:
    """Behaviours with products that the index has a vector of."""
    found = []
    for place, behaviour in enumerate(behaviours):
        seed = seeds.get(behaviour.product_id)
        if seed is not None and seed.vector is not None and behaviour.weight:
            found.append(Signal(place, seed.vector.direction, behaviour.weight))
    return found


def behaviour_violations(behaviours: Sequence[Behaviour], most: int, characters: int) -> Iterator[Violation]:
    """The rules of behaviours."""
    yield from too_many("behaviours", len(behaviours), most)
    for position, behaviour in enumerate(behaviours[:most]):
        field = f"behaviours[{position}]"
        if bool(behaviour.product_id) == bool(behaviour.text):
            yield Violation(field, "must have either a product_id or a text", "REQUIRED")
        elif behaviour.product_id:
            yield from product_id_violations(f"{field}.product_id", behaviour.product_id)
        else:
            yield from too_long(f"{field}.text", behaviour.text, characters)
        if not math.isfinite(behaviour.weight) or abs(behaviour.weight) > MAX_WEIGHT:
            yield Violation(f"{field}.weight", f"must be -{MAX_WEIGHT:,} to {MAX_WEIGHT:,}", "OUT_OF_RANGE")


MAX_WEIGHT = 1_000_000
