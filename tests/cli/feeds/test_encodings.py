"""Encodings of files that are longer than the sample which the guess is made of."""

import pytest

from cli.feeds.encodings import SAMPLE_BYTES
from cli.rows import Row
from tests.cli.feeds.reading import problems_of, rows_of, written

GERMAN = "".join(f"d{i};Größe Käse Öl Süßigkeiten für Mädchen {i}\n" for i in range(9_000))
"""Its letters are the same bytes in the code pages 1250 and 1252."""
TEA = "绿茶红茶西湖龙井乌龙普洱白茶黄茶花茶茉莉铁观音大红袍碧螺春毛峰瓜片"


def test_letters_behind_the_sample_take_part_in_the_choice(tmp_path):
    content = f"id;title\n{GERMAN}e;Crème brûlée Señor\n".encode("cp1252")
    path = written(tmp_path, "p.csv", content)
    rows, file = rows_of(path)
    assert content.index("Crème".encode("cp1252")) > SAMPLE_BYTES
    assert (file.encoding, rows[-1].problem.reason) == ("utf-8", "NOT_UTF8")
    assert "cp1250 or cp1252" in file.hint
    assert rows_of(path, encoding="cp1252")[0][-1].values["title"] == "Crème brûlée Señor"


def test_readings_that_agree_to_the_end_of_a_long_file_need_no_choice(tmp_path):
    rows, _ = rows_of(written(tmp_path, "p.csv", f"id;title\n{GERMAN}".encode("cp1252")))
    assert rows[-1].values["title"] == "Größe Käse Öl Süßigkeiten für Mädchen 8999"


def test_an_encoding_that_the_rest_of_the_file_is_not_in_is_no_candidate(tmp_path):
    # 0x83 is a letter of code page 1252 and nothing in 1250.
    rows, file = rows_of(written(tmp_path, "p.csv", f"id;title\n{GERMAN}".encode("cp1252") + b"e;\x83\n"))
    assert (file.encoding, rows[-1].values["title"]) == ("cp1252", "ƒ")


@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("encoding", ["gb18030", "big5", "euc_kr"])
def test_a_sample_that_ends_within_a_character_does_not_change_the_guess(tmp_path, encoding, shift):
    text = {
        "gb18030": "龙井茶 明前特级 礼盒装 绿茶 杭州",
        "big5": "高山烏龍茶 禮盒裝 台灣阿里山",
        "euc_kr": "맛있는 녹차 선물 세트입니다",
    }[encoding]
    lines = "".join(f"{i},{text}\n" for i in range(12_000))
    content = f"id,title\n{'x' * shift},\n{lines}".encode(encoding)
    rows, file = rows_of(written(tmp_path, "p.csv", content))
    assert len(content) > SAMPLE_BYTES
    assert file.encoding == encoding
    assert all(isinstance(row, Row) for row in rows)


def test_a_long_line_without_breaks_is_cut_between_characters(tmp_path):
    nodes = ",".join(f'{{"@type":"Product","sku":"p{i}","name":"{TEA}"}}' for i in range(5_000))
    path = written(tmp_path, "p.json", f"[{nodes}]".encode("gb18030"))
    assert problems_of(path) == []
    assert rows_of(path)[1].encoding == "gb18030"
