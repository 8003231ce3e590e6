"""A shop's own columns become ours by a mapping file."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.feeds.mapping import read_mapping
from cli.rows import FileError
from tests.cli.feeds.reading import expected, money, problems_of, products_of, rows_of, written

TOML = """
ignore = ["intern"]
[columns]
artnr = "id"
name = "title"
bild1 = "images"
bild2 = "images"
farbe = "attributes.color"
preis = "price"
[constants]
language_code = "de"
currency = "EUR"
[defaults]
availability = "in_stock"
"""
CSV = "artnr;name;bild1;bild2;farbe;preis;intern;availability\n7;Tasse;https://a/1;https://a/2;rot;9,50;x;\n"
CUP = expected(
    id="7",
    title="Tasse",
    languageCode="de",
    images=[{"uri": "https://a/1"}, {"uri": "https://a/2"}],
    attributes={"color": {"texts": ["rot"]}},
    offers=[{"price": money(9, "EUR", 50), "availability": "AVAILABILITY_IN_STOCK"}],
)


def mapping(tmp_path, content=TOML, name="mapping.toml"):
    return read_mapping(written(tmp_path, name, content))


def test_columns_constants_and_defaults_make_a_product_of_a_row(tmp_path):
    found = mapping(tmp_path)
    assert products_of(written(tmp_path, "p.csv", CSV), mapping=found)["7"] == CUP


def test_json_lines_and_parquet_are_mapped_in_the_same_way(tmp_path):
    found = mapping(tmp_path)
    line = '{"artnr": 7, "name": "Tasse", "bild1": "https://a/1", "bild2": "https://a/2", "farbe": "rot", "preis": 9.5}'
    assert products_of(written(tmp_path, "p.jsonl", line), mapping=found)["7"] == CUP
    columns = {"artnr": [7], "name": ["Tasse"], "bild1": ["https://a/1"], "bild2": ["https://a/2"], "farbe": ["rot"]}
    pq.write_table(pa.table({**columns, "preis": [9.5]}), tmp_path / "p.parquet")
    assert products_of(tmp_path / "p.parquet", mapping=found)["7"] == CUP


def test_the_same_mapping_may_be_json(tmp_path):
    content = '{"columns": {"artnr": "id", "name": "title"}, "ignore": ["x"]}'
    found = mapping(tmp_path, content, "mapping.json")
    assert products_of(written(tmp_path, "p.csv", "artnr,name,x\n7,Tasse,y\n"), mapping=found)["7"].title == "Tasse"


def test_problems_name_the_column_of_the_file(tmp_path):
    path = written(tmp_path, "p.csv", CSV.replace("9,50", "viel"))
    assert problems_of(path, mapping=mapping(tmp_path)) == [(2, "preis", "INVALID")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[column]\n", "no such part: `column`"),
        ("columns = 1\n", "`columns` must be a table"),
        ("[columns]\na = 1\n", "hold names"),
        ('[columns]\na = "id"\nb = "id"\n', "several columns for `id`"),
        ('[columns]\na = "brand"\n[constants]\nbrand = "x"\n', "constant, and also mapped"),
        ('ignore = ["a"]\n[columns]\na = "id"\n', "mapped and ignored"),
        ("no toml", "neither TOML"),
    ],
)
def test_a_mapping_that_contradicts_itself_is_refused(tmp_path, content, message):
    with pytest.raises(FileError, match=message):
        mapping(tmp_path, content)


@pytest.mark.parametrize(
    ("header", "message"),
    [("id,name", "names columns that the file has not: `artnr`"), ("artnr,id,name", "several columns for `id`")],
)
def test_a_mapping_that_does_not_fit_the_file_is_refused(tmp_path, header, message):
    found = mapping(tmp_path, '[columns]\nartnr = "id"\n')
    with pytest.raises(FileError, match=message):
        rows_of(written(tmp_path, "p.csv", f"{header}\n1,2,3\n"), mapping=found)


def test_a_mapping_is_refused_for_feeds_that_need_none(tmp_path):
    with pytest.raises(FileError, match="a mapping is for"):
        rows_of(written(tmp_path, "p.json", '{"@type": "Product"}'), mapping=mapping(tmp_path))
