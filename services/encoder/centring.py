"""The fixed mean vector that centred cosines take away.

All vectors of a language model share a large common part; without it, cosines use their whole range. The mean is
taken over a list of product texts that ships with the code, so that it depends on the model's revision and on this
list alone, never on a shop's catalogue.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.encoder.model import Vectors


def centring_texts() -> list[str]:
    """About 200 titles of shop goods, English and Chinese, one a line of `centring_texts.txt`."""
    content = resources.files("services.encoder").joinpath("centring_texts.txt").read_text(encoding="utf-8")
    return content.splitlines()


def mean_vector(
    revision: str, texts: Sequence[str], cache: Path, encode: Callable[[Sequence[str]], Vectors]
) -> NDArray[np.float32]:
    """Mean of the texts' vectors, shape (dims,); kept in `cache` for the next start.

    Args:
        revision: the model's.
        texts: what to encode, in any order.
        cache: directory for the result; made where absent.
        encode: texts to float32 document vectors.
    """
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    path = cache / f"centring-{revision}-{digest}.npy"
    if path.is_file():
        stored: NDArray[np.float32] = np.load(path, allow_pickle=False)
        return stored
    mean: NDArray[np.float32] = encode(texts).mean(axis=0, dtype=np.float64).astype(np.float32)
    cache.mkdir(parents=True, exist_ok=True)
    draft, name = tempfile.mkstemp(dir=cache)
    with os.fdopen(draft, "wb") as file:
        np.save(file, mean)
    # mkstemp makes it private to this user; a cache may be shared, and a model is no secret.
    Path(name).chmod(0o644)
    Path(name).rename(path)
    return mean
