import pytest

from services.retrieval.analysis import Bm25, Field, document_vector, query_vector, word_number, words

PLAIN = Bm25(k1=1.2, b=0.75, average_length=4.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Whole Milk 1L", ["whole", "milk", "1l"]),
        ("纯牛奶", ["纯", "牛", "奶", "纯牛", "牛奶"]),
        ("茶", ["茶"]),
        ("Nike运动鞋2024", ["nike", "运", "动", "鞋", "运动", "动鞋", "2024"]),
        ("café naïve", ["café", "naïve"]),
        ("snake_case, dots.", ["snake", "case", "dots"]),
        ("!?", []),
        ("", []),
    ],
)
def test_words_are_whole_in_spaced_scripts_and_characters_and_pairs_in_chinese(text, expected):
    assert list(words(text)) == expected


def test_a_words_number_is_the_same_in_every_process():
    # First four bytes, little-endian, of `printf milk | b2sum -l 32`.
    from hashlib import blake2b

    assert word_number("milk") == int.from_bytes(blake2b(b"milk", digest_size=4).digest(), "little")
    assert 0 <= word_number("milk") < 2**32


def test_a_query_names_each_word_once():
    indices, values = query_vector("milk milk bread")
    assert sorted(indices) == list(indices)
    assert set(indices) == {word_number("milk"), word_number("bread")}
    assert values == [1.0, 1.0]


def test_document_weights_are_bm25s_term_part_as_calculated_by_hand():
    # Length 4 = the average, so the norm is k1. tf 2: 2 x 2.2 / (2 + 1.2) = 1.375; tf 1: 2.2 / 2.2 = 1.
    indices, values = document_vector([Field("milk milk fresh cold")], PLAIN)
    weights = dict(zip(indices, values, strict=True))
    assert weights[word_number("milk")] == pytest.approx(1.375)
    assert weights[word_number("cold")] == pytest.approx(1.0)


def test_words_of_a_light_field_count_less_and_lengthen_the_document_less():
    # tf 0.5, length 1 + 0.5: norm = 1.2 x (0.25 + 0.75 x 1.5 / 4) = 0.6375; 0.5 x 2.2 / (0.5 + 0.6375) = 0.96703.
    indices, values = document_vector([Field("milk"), Field("cold", 0.5)], PLAIN)
    weights = dict(zip(indices, values, strict=True))
    assert weights[word_number("cold")] == pytest.approx(0.967033, abs=1e-6)


def test_a_document_without_words_has_an_empty_vector():
    assert document_vector([Field("!!")], PLAIN) == ([], [])
