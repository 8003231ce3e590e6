"""The words of this service: model, text, token, vector."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape (texts, dims)."""


class Purpose(Enum):
    """What a text is; picks the model's prompt."""

    QUERY = "query"
    DOCUMENT = "document"


class Pooling(Enum):
    """How the vectors of a text's tokens become one."""

    MEAN = "mean"
    CLS = "cls"
    LAST_TOKEN = "last_token"  # noqa: S105 - a token of text


class ComputeType(Enum):
    """Element type that the model computes in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model produced a vector. Vectors of two identities are never compared."""

    name: str
    """For people: a hub id or the name of its directory."""
    revision: str
    """SHA-256 over weights, tokenizer, pooling and prompts; 16 hex digits."""
    dims: int
    """Elements in one vector."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelDescription:
    """Everything that a caller may know of the loaded model."""

    identity: ModelIdentity
    max_tokens: int
    """Longest text in tokens, prompt and special tokens included."""
    pooling: Pooling
    normalised: bool
    """Whether vectors have length 1."""
    query_prompt: str
    document_prompt: str
    device: str
    """`cpu` or `cuda:0`."""
    compute_type: ComputeType
    parity_cosine: float
    """Lowest cosine between this compute type and float32 over the check's texts."""
    mean_vector: NDArray[np.float32]
    """Mean document vector, shape (dims,): what centred cosines take away."""

    def prompt(self, purpose: Purpose) -> str:
        """The words that the model wants before such a text."""
        return self.query_prompt if purpose is Purpose.QUERY else self.document_prompt


@dataclass(frozen=True, slots=True)
class TokenisedText:
    """A text as the model reads it, special tokens included."""

    ids: Sequence[int]
    truncated: bool
    """The text was longer than the model's limit; its end is not in `ids`."""


class TextModel(Protocol):
    """A loaded model. Both methods are called from threads, several at a time for `tokenise`, one for `forward`."""

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        """Texts, prompt included, to token ids; no more than `max_tokens` each."""
        ...

    def forward(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Pooled vectors of texts of any lengths, normalised where the model says so."""
        ...
