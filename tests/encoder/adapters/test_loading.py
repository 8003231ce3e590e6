"""Models by their own files, against sentence-transformers reading the same files."""

import numpy as np
import pytest

from services.encoder.config import EncoderSettings
from services.encoder.wiring import load

TEXTS = ["red shoe", "blue sock with milk", "咖啡 机", "tea", "a b c a b c a b c"]


def vectors(loaded, texts):
    return loaded.model.forward([text.ids for text in loaded.model.tokenise(texts)])


def oracle(path, texts):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    return sentence_transformers.SentenceTransformer(str(path), device="cpu").encode(texts)


def loaded_from(path, tmp_path, compute_type="float32"):
    return load(
        EncoderSettings(
            encoder_model=str(path),
            encoder_cache_directory=tmp_path,
            encoder_compute_type=compute_type,
            encoder_threads=2,
        )
    )


def lowest_cosine(ours, theirs):
    ours, theirs = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (ours, theirs))
    return float((ours * theirs).sum(axis=1).min())


def test_a_second_model_gives_the_vectors_of_sentence_transformers(minilm_directory, tmp_path):
    loaded = loaded_from(minilm_directory, tmp_path)
    assert (loaded.description.max_tokens, loaded.description.pooling.value) == (256, "mean")
    assert (loaded.description.query_prompt, loaded.description.normalised) == ("", True)
    texts = [*TEXTS, "A long sentence about garden furniture, rain covers and cushions. " * 60]
    np.testing.assert_allclose(vectors(loaded, texts), oracle(minilm_directory, texts), atol=2e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
@pytest.mark.parametrize("normalise", [True, False])
def test_every_pooling_gives_the_vectors_of_sentence_transformers(make_tiny_bert, tmp_path, pooling, normalise):
    path = make_tiny_bert(pooling, normalise=normalise)
    loaded = loaded_from(path, tmp_path)
    assert loaded.description.normalised is normalise
    np.testing.assert_allclose(vectors(loaded, TEXTS), oracle(path, TEXTS), atol=1e-4, rtol=1e-4)


def test_prompts_are_those_of_the_models_files(make_tiny_bert, tmp_path):
    path = make_tiny_bert(prompts={"query": "query: ", "passage": "passage: "})
    description = loaded_from(path, tmp_path).description
    assert (description.query_prompt, description.document_prompt) == ("query: ", "passage: ")


def test_the_built_in_model_is_an_ordinary_directory_with_the_vectors_of_sentence_transformers(default_model):
    texts = ["query: 红色连衣裙", "passage: " + "Dry dog food with chicken. " * 30, "query: tea"]
    assert lowest_cosine(vectors(default_model.loaded, texts), oracle(default_model.path, texts)) >= 0.999


def test_the_compute_type_is_held_to_parity_with_float32(default_model):
    assert default_model.loaded.description.parity_cosine >= 0.999


def test_the_same_text_has_the_same_vector_whatever_its_batch_mates(default_model):
    texts = ["query: tea"] + [f"passage: {'organic green tea leaves ' * n}" for n in (1, 3, 9, 40)]
    alone = np.concatenate([vectors(default_model.loaded, [text]) for text in texts])
    assert 1 - lowest_cosine(vectors(default_model.loaded, texts), alone) <= 1e-3


def test_the_revision_tells_models_of_equal_dimension_apart(make_tiny_bert, tmp_path):
    first = loaded_from(make_tiny_bert("mean"), tmp_path).description.identity
    again = loaded_from(make_tiny_bert("mean"), tmp_path).description.identity
    other = loaded_from(make_tiny_bert("cls"), tmp_path).description.identity
    assert first.dims == other.dims == 32
    assert first.revision == again.revision != other.revision
