"""From a model directory to a model that runs: load, measure, choose, centre."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer

from services.encoder import compute_type
from services.encoder.adapters.networks import Network, network, reference_network
from services.encoder.adapters.transformer import TransformerModel
from services.encoder.centring import centring_texts, mean_vector
from services.encoder.compute_type import SAMPLE, Measurement, lowest_cosine
from services.encoder.model import ComputeType, ModelDescription, ModelIdentity, Vectors
from services.encoder.model_directory import ModelDirectory, ModelDirectoryError

logger = logging.getLogger(__name__)
_REPEATS: Final = 3
_MEASURING_SECONDS: Final = 0.3
_CENTRING_BATCH: Final = 16
_HEAD_WEIGHTS: Final = ("pooler.", "lm_head.", "cls.")
"""Parts of a checkpoint that no vector depends on."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """The operator's choices."""

    device: str
    """`auto`, `cpu` or `cuda:0`."""
    demanded: ComputeType | None
    """None = choose by measurement."""
    threads: int
    """Threads that compute."""
    cache: Path
    """Directory for the centring vector."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model and what there is to know of it."""

    model: TransformerModel
    description: ModelDescription


def load_model(directory: ModelDirectory, options: LoadOptions) -> LoadedModel:
    """Loads a model from its files, without a network; blocks for some seconds.

    Raises:
        ModelDirectoryError: the files are no complete model.
        ComputeTypeError: the demanded compute type does not keep parity.
    """
    torch.set_num_threads(options.threads)
    device = _device(options.device)
    source = _load_float32(directory.transformer).to(device)
    reference = TransformerModel(
        tokenizer=_load_tokenizer(directory),
        network=reference_network(source),
        pooling=directory.pooling,
        normalised=directory.normalised,
        padding_id=source.config.pad_token_id or 0,
        device=device,
    )
    chosen, fastest = _choose(reference, source, options.demanded)
    mean = mean_vector(
        directory.revision,
        [directory.document_prompt + text for text in centring_texts()],
        options.cache,
        lambda texts: _encode_all(reference, texts),
    )
    logger.info("model loaded", extra={"model": directory.name, "revision": directory.revision, "device": str(device)})
    description = ModelDescription(
        identity=ModelIdentity(directory.name, directory.revision, dims=len(mean)),
        max_tokens=directory.max_tokens,
        pooling=directory.pooling,
        normalised=directory.normalised,
        query_prompt=directory.query_prompt,
        document_prompt=directory.document_prompt,
        device=str(device),
        compute_type=chosen.compute_type,
        parity_cosine=chosen.parity_cosine,
        mean_vector=mean,
    )
    return LoadedModel(replace(reference, network=fastest), description)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda:0" if torch.cuda.is_available() else "cpu"
    return torch.device("cuda:0" if name == "cuda" else name)


def _load_float32(path: Path) -> Any:
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model, report = transformers.AutoModel.from_pretrained(
            path, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as exc:
        raise ModelDirectoryError(f"{path.name} does not load as a transformer: {type(exc).__name__}") from exc
    missing = sorted(name for name in report["missing_keys"] if not name.startswith(_HEAD_WEIGHTS))
    if missing:
        raise ModelDirectoryError(f"{path.name} lacks {len(missing)} weights, the first is {missing[0]}")
    model.config.use_cache = False
    return model.eval().requires_grad_(requires_grad=False)


def _load_tokenizer(directory: ModelDirectory) -> Tokenizer:
    try:
        wrapper = transformers.AutoTokenizer.from_pretrained(directory.transformer, local_files_only=True)
    except (OSError, ValueError, KeyError) as exc:
        raise ModelDirectoryError(f"{directory.name} has no tokenizer that loads: {type(exc).__name__}") from exc
    tokenizer = getattr(wrapper, "backend_tokenizer", None)
    if not isinstance(tokenizer, Tokenizer):
        raise ModelDirectoryError(f"{directory.name} has no fast tokenizer")
    tokenizer.no_padding()
    tokenizer.enable_truncation(directory.max_tokens)
    return tokenizer


def _choose(reference: TransformerModel, source: Any, demanded: ComputeType | None) -> tuple[Measurement, Network]:
    """Measures the candidates on the built-in sample and chooses one."""
    candidates = {kind: network(source, kind) for kind in _candidates(reference.device, demanded)}
    batch = [text.ids for text in reference.tokenise(SAMPLE)]
    exact = reference.forward(batch)
    measurements = [
        _measure(kind, replace(reference, network=candidate), batch, exact) for kind, candidate in candidates.items()
    ]
    for m in measurements:
        logger.info(
            "compute type measured",
            extra={
                "compute_type": m.compute_type.value,
                "milliseconds": round(m.seconds * 1000, 2),
                "parity_cosine": round(m.parity_cosine, 6),
            },
        )
    chosen = compute_type.choose(measurements, demanded)
    return chosen, candidates[chosen.compute_type]


def _candidates(device: torch.device, demanded: ComputeType | None) -> list[ComputeType]:
    if demanded is not None:
        return [demanded]
    reduced = [ComputeType.BFLOAT16] if device.type == "cpu" else [ComputeType.BFLOAT16, ComputeType.FLOAT16]
    return [ComputeType.FLOAT32, *reduced]


def _measure(kind: ComputeType, model: TransformerModel, batch: Sequence[Sequence[int]], exact: Vectors) -> Measurement:
    vectors = model.forward(batch)
    model.forward(batch[:1])
    seconds = _best_time(model, batch) + _best_time(model, batch[:1])
    return Measurement(kind, seconds, lowest_cosine(vectors, exact))


def _best_time(model: TransformerModel, batch: Sequence[Sequence[int]]) -> float:
    began, best = time.perf_counter(), float("inf")
    for _ in range(_REPEATS):
        started = time.perf_counter()
        model.forward(batch)
        ended = time.perf_counter()
        best = min(best, ended - started)
        if ended - began > _MEASURING_SECONDS:
            break
    return best


def _encode_all(model: TransformerModel, texts: Sequence[str]) -> Vectors:
    """Vectors of many texts, sorted by length, which a mean does not mind."""
    batch = sorted((text.ids for text in model.tokenise(texts)), key=len)
    chunks = [batch[i : i + _CENTRING_BATCH] for i in range(0, len(batch), _CENTRING_BATCH)]
    return np.concatenate([model.forward(chunk) for chunk in chunks])
