import numpy as np

from services.encoder.centring import centring_texts, mean_vector


def test_the_list_is_of_two_languages_without_repetition():
    texts = centring_texts()
    assert 180 <= len(texts) == len(set(texts))
    chinese = sum(any("\u4e00" <= character <= "\u9fff" for character in text) for text in texts)
    assert 0.3 < chinese / len(texts) < 0.7
    assert all(text == text.strip() != "" for text in texts)


def test_the_mean_is_computed_once_per_revision_and_list(tmp_path):
    calls = []

    def encode(texts):
        calls.append(list(texts))
        return np.array([[1, 2], [3, 6]], np.float32)

    first = mean_vector("r1", ["a", "b"], tmp_path / "cache", encode)
    again = mean_vector("r1", ["a", "b"], tmp_path / "cache", encode)
    assert first.tolist() == again.tolist() == [2, 4]
    assert first.dtype == np.float32
    assert len(calls) == 1
    mean_vector("r2", ["a", "b"], tmp_path / "cache", encode)
    mean_vector("r1", ["a", "c"], tmp_path / "cache", encode)
    assert len(calls) == 3
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".npy"}
