import json

import pytest

from services.encoder.model import Pooling
from services.encoder.model_directory import ModelDirectoryError, read_model_directory

SENTENCE_TRANSFORMERS_STAGES = [
    {"path": "", "type": "sentence_transformers.models.Transformer"},
    {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]


@pytest.fixture
def directory(tmp_path):
    """Writes a model directory; a file of None is left out, the weights are bytes that only count for the digest."""

    def write(files=None, weights=b"weights", tokenizer=b"{}"):
        documents = {"config.json": {"model_type": "bert", "max_position_embeddings": 512}, **(files or {})}
        path = tmp_path / f"model-{len(list(tmp_path.iterdir()))}"
        path.mkdir()
        for name, document in documents.items():
            if document is not None:
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).write_text(json.dumps(document))
        (path / "model.safetensors").write_bytes(weights)
        (path / "tokenizer.json").write_bytes(tokenizer)
        return path

    return write


def staged(pooling):
    return {"modules.json": SENTENCE_TRANSFORMERS_STAGES, "1_Pooling/config.json": pooling}


def test_a_plain_hugging_face_directory_gets_the_defaults_of_sentence_transformers(directory):
    model = read_model_directory(directory(), name="plain")
    assert (model.name, model.pooling, model.normalised, model.max_tokens) == ("plain", Pooling.MEAN, False, 512)
    assert (model.query_prompt, model.document_prompt) == ("", "")


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, Pooling.CLS),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, Pooling.MEAN),
        ({"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False}, Pooling.LAST_TOKEN),
        ({"pooling_mode": "cls"}, Pooling.CLS),
        ({"pooling_mode": "lasttoken", "include_prompt": True}, Pooling.LAST_TOKEN),
        ({"pooling_mode": ["mean"]}, Pooling.MEAN),
        ({"word_embedding_dimension": 8}, Pooling.MEAN),
    ],
)
def test_pooling_is_read_from_old_and_new_files(directory, config, pooling):
    model = read_model_directory(directory(staged(config)))
    assert model.pooling is pooling
    assert model.normalised


@pytest.mark.parametrize(
    "config",
    [
        {"pooling_mode": "max"},
        {"pooling_mode": ["mean", "cls"]},
        {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True},
        {"pooling_mode_weightedmean_tokens": True},
        {"pooling_mode": "mean", "include_prompt": False},
    ],
)
def test_pooling_that_would_be_done_wrongly_is_refused(directory, config):
    with pytest.raises(ModelDirectoryError, match="not supported"):
        read_model_directory(directory(staged(config)))


def test_a_stage_that_would_be_left_out_is_refused(directory):
    stages = [*SENTENCE_TRANSFORMERS_STAGES, {"path": "3_Dense", "type": "sentence_transformers.models.Dense"}]
    with pytest.raises(ModelDirectoryError, match="Dense"):
        read_model_directory(directory({"modules.json": stages}))


@pytest.mark.parametrize(
    ("document", "prompts"),
    [
        ({"prompts": {"query": "q: ", "document": "d: "}}, ("q: ", "d: ")),
        ({"prompts": {"query": "q: ", "passage": "p: "}}, ("q: ", "p: ")),
        ({"prompts": {"query": "q: "}}, ("q: ", "")),
        ({"prompts": {"all": "x: ", "query": "q: "}, "default_prompt_name": "all"}, ("q: ", "x: ")),
        ({"prompts": {}, "default_prompt_name": None}, ("", "")),
        ({"__version__": {}}, ("", "")),
    ],
)
def test_prompts_are_the_models_own(directory, document, prompts):
    model = read_model_directory(directory({"config_sentence_transformers.json": document}))
    assert (model.query_prompt, model.document_prompt) == prompts


def test_the_operators_prompts_go_before_the_models(directory):
    files = {"config_sentence_transformers.json": {"prompts": {"query": "q: ", "document": "d: "}}}
    model = read_model_directory(directory(files), query_prompt="find ", document_prompt="")
    assert (model.query_prompt, model.document_prompt) == ("find ", "")


@pytest.mark.parametrize(
    ("files", "longest"),
    [
        ({"sentence_bert_config.json": {"max_seq_length": 256}}, 256),
        ({"sentence_bert_config.json": {"max_seq_length": None}}, 512),
        ({"tokenizer_config.json": {"model_max_length": 128}}, 128),
        ({"tokenizer_config.json": {"model_max_length": 10**30}}, 512),
        ({"sentence_bert_config.json": {"max_seq_length": 1024}}, 512),
        ({"config.json": {"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}}, 512),
        ({"config.json": {"model_type": "t5"}}, 512),
    ],
)
def test_the_smallest_sane_limit_is_the_longest_text(directory, files, longest):
    assert read_model_directory(directory(files)).max_tokens == longest


def test_the_operator_may_shorten_texts_but_not_lengthen_them(directory):
    path = directory()
    assert read_model_directory(path, max_tokens=64).max_tokens == 64
    assert read_model_directory(path, max_tokens=9999).max_tokens == 512


def test_the_revision_depends_on_all_that_shapes_vectors_and_on_nothing_else(directory):
    base = read_model_directory(directory(), name="one").revision
    assert len(base) == 16
    assert int(base, 16) >= 0
    assert read_model_directory(directory({"README.json": {"a": 1}}), name="two").revision == base
    others = [
        directory(weights=b"other"),
        directory(tokenizer=b'{"a":1}'),
        directory(staged({"pooling_mode": "cls"})),
        directory({"config_sentence_transformers.json": {"prompts": {"query": "q: "}}}),
        directory({"sentence_bert_config.json": {"max_seq_length": 256}}),
    ]
    revisions = {read_model_directory(path).revision for path in others}
    assert len(revisions - {base}) == len(others)


def test_a_directory_without_weights_or_configuration_is_no_model(directory, tmp_path):
    path = directory()
    (path / "model.safetensors").unlink()
    with pytest.raises(ModelDirectoryError, match="no weights"):
        read_model_directory(path)
    with pytest.raises(ModelDirectoryError, match=r"no config\.json"):
        read_model_directory(tmp_path)


def test_a_file_that_is_not_json_is_named(directory):
    path = directory()
    (path / "modules.json").write_text("<html>")
    with pytest.raises(ModelDirectoryError, match=r"modules\.json is not JSON"):
        read_model_directory(path)
