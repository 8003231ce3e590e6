"""A model that can be checked by hand, and an observer that remembers."""

import threading
from collections.abc import Sequence

import numpy as np

from services.encoder.batching import DropReason
from services.encoder.model import (
    ComputeType,
    ModelDescription,
    ModelIdentity,
    Pooling,
    TokenisedText,
    Vectors,
)
from services.encoder.worker import Outcome

POISON = "poison"
NOT_A_NUMBER = "nan"


class FakeModel:
    """One token per word; a text's vector is (number of tokens, sum of its letters' codes, 0, ...)."""

    def __init__(self, *, dims: int = 4, max_tokens: int = 64) -> None:
        self.dims = dims
        self.max_tokens = max_tokens
        self.batches: list[list[tuple[int, ...]]] = []
        self.gate = threading.Event()
        """Cleared = the next forward pass waits."""
        self.gate.set()
        self.broken = False
        self.holding = 0
        """Texts of the forward pass that waits at the gate."""

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        ids = [[_code(word) for word in text.split()] for text in texts]
        return [TokenisedText(words[: self.max_tokens], len(words) > self.max_tokens) for words in ids]

    def forward(self, batch: Sequence[Sequence[int]]) -> Vectors:
        self.holding = len(batch)
        assert self.gate.wait(20)
        self.holding = 0
        self.batches.append([tuple(ids) for ids in batch])
        if self.broken or any(_code(POISON) in ids for ids in batch):
            raise RuntimeError("the model chokes")
        vectors = np.zeros((len(batch), self.dims), np.float32)
        for row, ids in zip(vectors, batch, strict=True):
            row[:2] = len(ids), np.nan if _code(NOT_A_NUMBER) in ids else sum(ids)
        return vectors


def vector(text: str) -> list[float]:
    """First two elements of what `FakeModel` gives for a text, prompt included."""
    words = text.split()
    return [float(len(words)), float(sum(map(_code, words)))]


def _code(word: str) -> int:
    return sum(map(ord, word))


def description(model: FakeModel, *, query_prompt: str = "query: ", document_prompt: str = "") -> ModelDescription:
    return ModelDescription(
        identity=ModelIdentity("fake", "0123456789abcdef", model.dims),
        max_tokens=model.max_tokens,
        pooling=Pooling.MEAN,
        normalised=False,
        query_prompt=query_prompt,
        document_prompt=document_prompt,
        device="cpu",
        compute_type=ComputeType.FLOAT32,
        parity_cosine=1.0,
        mean_vector=np.arange(model.dims, dtype=np.float32),
    )


class RecordingObserver:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.drops: list[DropReason] = []

    def batch_ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def dropped(self, reason: DropReason, texts: int) -> None:
        self.drops.extend([reason] * texts)
