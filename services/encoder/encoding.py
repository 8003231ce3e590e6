"""What a caller asks of the encoder and what it gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from services.encoder.batching import Lane
from services.encoder.model import ModelDescription, Purpose, Vectors


class OverLength(Enum):
    """What happens to a text that is longer than the model's limit."""

    TRUNCATE = "truncate"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class EncodeRequest:
    """Texts of one call and what is to be done with them."""

    texts: Sequence[str]
    purpose: Purpose
    lane: Lane = Lane.INTERACTIVE
    over_length: OverLength = OverLength.TRUNCATE
    model_revision: str = ""
    """What the caller's index was made with; empty = any."""


@dataclass(frozen=True, slots=True)
class TextEncoding:
    """What became of one text."""

    token_count: int
    """Prompt and special tokens included; 0 for an empty text."""
    truncated: bool = False
    empty: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class EncodeResult:
    """Vectors in the order of the texts, and what they cost."""

    vectors: Vectors
    encodings: Sequence[TextEncoding]
    queue_seconds: float
    """Longest time that one of the texts waited for its batch."""
    compute_seconds: float
    """Time of the batches that held the texts."""

    @property
    def tokens(self) -> int:
        """Tokens of all texts, padding not counted."""
        return sum(encoding.token_count for encoding in self.encodings)


class TextEncoder(Protocol):
    """Whoever turns texts into vectors."""

    @property
    def description(self) -> ModelDescription:
        """The loaded model."""
        ...

    async def encode(self, request: EncodeRequest) -> EncodeResult:
        """Encodes the texts of one call; errors are those of `services.encoder.engine.Encoder.encode`."""
        ...
