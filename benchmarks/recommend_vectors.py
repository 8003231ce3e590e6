"""Centred title vectors of a data set, by the project's own encoder weights in this process; kept for the next run."""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.baseline import SentenceTransformersBaseline, model_directory
from benchmarks.recommend_interests import Vectors, unit
from benchmarks.texts import Mix
from services.encoder.centring import centring_texts

_CACHE: Final = Path(tempfile.gettempdir()) / "zhiyin-title-vectors"


def centred_titles(titles: Sequence[str]) -> Vectors:
    """Unit vectors of the titles once the model's fixed mean is taken away, shape (titles, dims); about 100 titles/s.

    Raises:
        ModelDirectoryError: there is no model.
    """
    directory = model_directory()
    digest = hashlib.sha256("\n".join([str(directory), *centring_texts(), *titles]).encode()).hexdigest()[:16]
    path = _CACHE / f"{digest}.npy"
    if not path.is_file():
        _CACHE.mkdir(parents=True, exist_ok=True)
        model = SentenceTransformersBaseline(directory)
        mean = model.encode(Mix("centring", tuple(centring_texts()), are_queries=False)).mean(axis=0)
        np.save(path, unit(model.encode(Mix("titles", tuple(titles), are_queries=False)) - mean), allow_pickle=False)
    stored: Vectors = np.load(path, allow_pickle=False)
    return stored
