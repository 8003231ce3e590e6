"""The encoder's own weights in sentence-transformers, float32, in this process."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import transformers
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from benchmarks.texts import Mix
from services.common.settings import load
from services.encoder.adapters.model_source import model_files
from services.encoder.config import EncoderSettings

_BATCH: Final = 32
"""The library's own default; it sorts by length."""


def model_directory() -> Path:
    """Directory of the weights that the encoder's settings name, unpacked where that has not happened yet.

    Raises:
        ModelDirectoryError: there is none.
    """
    settings = load(EncoderSettings)
    return model_files(settings.encoder_model, settings.encoder_cache_directory.expanduser())[0]


class SentenceTransformersBaseline:
    """What a Python programme would do without a service."""

    def __init__(self, directory: Path) -> None:
        transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self._model = SentenceTransformer(str(directory), device="cpu")

    def encode(self, mix: Mix) -> NDArray[np.float32]:
        """Unit vectors of all texts, shape (texts, dims)."""
        prompt = "query" if mix.are_queries else "document"
        return self._model.encode(
            list(mix.texts),
            prompt_name=prompt,
            batch_size=_BATCH,
            normalize_embeddings=True,
            show_progress_bar=False,
        )

    def latencies(self, queries: Sequence[str], seconds: float) -> list[float]:
        """Seconds of one query after another, for about `seconds`."""
        latencies: list[float] = []
        end = time.perf_counter() + seconds
        for query in queries:
            sent = time.perf_counter()
            self._model.encode(query, prompt_name="query", normalize_embeddings=True, show_progress_bar=False)
            latencies.append(time.perf_counter() - sent)
            if time.perf_counter() > end:
                break
        return latencies
