"""Reads how a model wants to be used from its own files.

Understands plain Hugging Face directories and those of sentence-transformers, old (flags such as
`pooling_mode_cls_token`) and new (`pooling_mode`). Where a file is absent, the default is that of
sentence-transformers: mean pooling, vectors as they come, no prompts.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.encoder.model import Pooling

_POOLING_MODES: Final = {
    "mean": Pooling.MEAN,
    "cls": Pooling.CLS,
    "lasttoken": Pooling.LAST_TOKEN,
    "pooling_mode_mean_tokens": Pooling.MEAN,
    "pooling_mode_cls_token": Pooling.CLS,
    "pooling_mode_lasttoken": Pooling.LAST_TOKEN,
}
_DOCUMENT_PROMPTS: Final = ("document", "passage")
_SANE_LENGTH: Final = 1_000_000
"""tokenizers without a limit state one of 10^30."""
_FALLBACK_LENGTH: Final = 512
_OFFSET_POSITIONS: Final = frozenset({"camembert", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl", "xmod"})
"""Model types that number positions from the padding id on, so that the first ones are never used."""
_TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
)


class ModelDirectoryError(ValueError):
    """A directory is no model that this service can run as its makers meant it."""


@dataclass(frozen=True, slots=True)
class ModelDirectory:
    """A model on disk and how it is to be used."""

    transformer: Path
    """Directory of configuration, weights and tokenizer."""
    name: str
    revision: str
    pooling: Pooling
    normalised: bool
    query_prompt: str
    document_prompt: str
    max_tokens: int


def read_model_directory(
    path: Path,
    *,
    name: str | None = None,
    max_tokens: int | None = None,
    query_prompt: str | None = None,
    document_prompt: str | None = None,
) -> ModelDirectory:
    """Reads a directory; the optional values are the operator's and go before what the files say.

    A `max_tokens` beyond the model's own limit is not used. Takes a second or so: all weights are digested.

    Raises:
        ModelDirectoryError: no model, or one with parts that would be left out silently.
    """
    modules = _modules(path)
    transformer = path / str(modules.get("Transformer", {}).get("path", ""))
    pooling = _pooling(path / str(modules["Pooling"]["path"])) if "Pooling" in modules else Pooling.MEAN
    prompts = _prompts(path)
    facts: dict[str, Any] = {
        "pooling": pooling.value,
        "normalised": "Normalize" in modules,
        "query_prompt": prompts[0] if query_prompt is None else query_prompt,
        "document_prompt": prompts[1] if document_prompt is None else document_prompt,
        "max_tokens": min(_max_tokens(transformer), max_tokens or _SANE_LENGTH),
    }
    revision = _revision(transformer, facts)
    return ModelDirectory(
        **{**facts, "pooling": pooling}, transformer=transformer, name=name or path.name, revision=revision
    )


def _modules(path: Path) -> dict[str, Mapping[str, Any]]:
    """sentence-transformers' stages by class name. Empty for a plain Hugging Face directory."""
    stages = _json(path / "modules.json", default=[])
    modules = {str(stage["type"]).rsplit(".", 1)[-1]: stage for stage in stages}
    unknown = sorted(set(modules) - {"Transformer", "Pooling", "Normalize"})
    if unknown:
        raise ModelDirectoryError(f"{path.name} has stages that are not supported: {', '.join(unknown)}")
    return modules


def _pooling(path: Path) -> Pooling:
    config = _json(path / "config.json", default={})
    if not config.get("include_prompt", True):
        raise ModelDirectoryError("pooling that leaves the prompt out is not supported")
    mode = config.get("pooling_mode")
    named = [mode] if isinstance(mode, str) else list(mode or [])
    modes = named or [key for key, on in config.items() if key.startswith("pooling_mode_") and on] or ["mean"]
    if len(modes) != 1 or modes[0] not in _POOLING_MODES:
        raise ModelDirectoryError(f"pooling {' + '.join(modes)} is not supported; mean, cls and lasttoken are")
    return _POOLING_MODES[modes[0]]


def _prompts(path: Path) -> tuple[str, str]:
    """Prompt before queries, prompt before documents."""
    config = _json(path / "config_sentence_transformers.json", default={})
    prompts = config.get("prompts") or {}
    default = prompts.get(config.get("default_prompt_name") or "", "")
    # sentence-transformers writes an empty "document" beside the "passage" of a model that has only that.
    named = [prompts[name] for name in _DOCUMENT_PROMPTS if name in prompts]
    document = next(filter(None, named), "" if named else default)
    return prompts.get("query", default), document


def _max_tokens(path: Path) -> int:
    config = _json(path / "config.json")
    stated = [
        _json(path / "sentence_bert_config.json", default={}).get("max_seq_length"),
        _json(path / "tokenizer_config.json", default={}).get("model_max_length"),
        _positions(config),
    ]
    return min((int(length) for length in stated if length and length < _SANE_LENGTH), default=_FALLBACK_LENGTH)


def _positions(config: Mapping[str, Any]) -> int | None:
    positions = config.get("max_position_embeddings")
    if not positions or config.get("model_type") not in _OFFSET_POSITIONS:
        return positions
    return int(positions) - int(config.get("pad_token_id") or 0) - 1


def _revision(path: Path, facts: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode())
    weights = sorted(path.glob("*.safetensors")) or sorted(path.glob("pytorch_model*.bin"))
    if not weights:
        raise ModelDirectoryError(f"{path.name} holds no weights (*.safetensors or pytorch_model*.bin)")
    tokenizer = [path / name for name in _TOKENIZER_FILES if (path / name).is_file()]
    # tokenizer.json says all; the files that it was made from may come and go beside it.
    for part in [*weights, *tokenizer[: 1 if tokenizer and tokenizer[0].name == "tokenizer.json" else None]]:
        with part.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _json(path: Path, default: Any = None) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        if default is None:
            raise ModelDirectoryError(f"{path.parent.name} has no {path.name}") from None
        return default
    except ValueError as exc:
        raise ModelDirectoryError(f"{path.parent.name}/{path.name} is not JSON") from exc
