"""Encodings and tables: what shops' files look like, and that nothing is guessed silently."""

import codecs

import pytest

from cli.rows import BadRow, FileError, FileFormat, Row
from tests.cli.feeds.reading import problems_of, rows_of, written

GERMAN = "id,title\n" + "".join(f"{i},Größe für große Füße\n" for i in range(20))
CHINESE = "id,title\n" + "".join(f"{i},龙井茶 明前特级 礼盒装 绿茶 杭州\n" for i in range(20))
FRENCH = "id,title\n" + "".join(f"{i},Chemise légère à carreaux où été\n" for i in range(20))


def titles(path, **options):
    return {row.values["title"] for row in rows_of(path, **options)[0]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_unicode_is_read_in_every_form(tmp_path, encoding):
    assert titles(written(tmp_path, "p.csv", CHINESE.encode(encoding))) == {"龙井茶 明前特级 礼盒装 绿茶 杭州"}


def test_a_byte_order_mark_of_big_endian_is_believed(tmp_path):
    content = codecs.BOM_UTF16_BE + '{"id": "1", "title": "龙"}\n'.encode("utf-16-be")
    assert titles(written(tmp_path, "p.jsonl", content)) == {"龙"}


def test_an_encoding_that_is_the_only_one_to_fit_is_used_and_told(tmp_path):
    path = written(tmp_path, "p.csv", CHINESE.encode("gb18030"))
    assert titles(path) == {"龙井茶 明前特级 礼盒装 绿茶 杭州"}
    assert "gb18030" in rows_of(path)[1].hint


def test_an_encoding_that_several_fit_is_not_chosen(tmp_path):
    path = written(tmp_path, "p.csv", FRENCH.encode("cp1252"))
    assert {code for _, _, code in problems_of(path)} == {"NOT_UTF8"}
    assert "--encoding" in rows_of(path)[1].hint
    assert titles(path, encoding="cp1252") == {"Chemise légère à carreaux où été"}


def test_readings_that_agree_need_no_choice(tmp_path):
    assert titles(written(tmp_path, "p.csv", GERMAN.encode("latin-1"))) == {"Größe für große Füße"}


def test_an_encoding_that_does_not_fit_a_row_spoils_that_row_only(tmp_path):
    content = b"id,title\na,x\nb,\xff\xff\nc,y\n"
    rows, _ = rows_of(written(tmp_path, "p.csv", content), encoding="gb18030")
    assert [row.problem.reason if isinstance(row, BadRow) else row.values["id"] for row in rows] == [
        "a",
        "ENCODING",
        "c",
    ]


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13", ""])
def test_what_is_no_encoding_is_refused(tmp_path, name):
    with pytest.raises(FileError, match="--encoding"):
        rows_of(written(tmp_path, "p.csv", "id\na\n"), encoding=name)


@pytest.mark.parametrize(
    "content",
    [
        "id,title\na,x\n",
        "id;title\r\na;x\r\n",
        "id\ttitle\na\tx",
        "id|title\na|x\n",
        "sep=;\r\nid;title\r\na;x\r\n",
        " id , title \na,x\n",
        "id,title,,\na,x,,\n",
        "id,title\n\n,\na,x\n   \n",
        'id,title\na,"x"\n',
        "id,title\ra,x\r",
    ],
)
def test_tables_as_programs_write_them(tmp_path, content):
    rows, _ = rows_of(written(tmp_path, "p.csv", content))
    assert [row.values for row in rows] == [{"id": "a", "title": "x"}]


def test_line_breaks_delimiters_and_quotes_inside_of_a_cell_belong_to_it(tmp_path):
    path = written(tmp_path, "p.csv", 'id;title\r\na;"one;\r\ntwo ""three"""\r\nb;x\r\n')
    assert rows_of(path)[0] == [Row(2, {"id": "a", "title": 'one;\r\ntwo "three"'}), Row(4, {"id": "b", "title": "x"})]


def test_a_cell_and_a_line_beyond_the_limit_are_refused_and_reading_goes_on(tmp_path):
    long = "x" * 5_000
    path = written(tmp_path, "p.csv", f'id,title\na,"{long}\n{long}"\nb,x\nc,{long}\nd,x\n')
    rows, _ = rows_of(path, max_line=1000)
    assert [row.values["id"] for row in rows if isinstance(row, Row)] == ["b", "d"]
    assert {row.problem.reason for row in rows if isinstance(row, BadRow)} == {"NOT_CSV"}


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.txt", "id;title\na;x\n", FileFormat.CSV),
        ("a.csv", '{"id": "a"}\n', FileFormat.JSONL),
        ("a", '{"id": "a"}\n', FileFormat.JSONL),
        ("a.csv", "Handle,Title,Vendor,Variant SKU\na,A,V,1\n", FileFormat.SHOPIFY),
        ("a.csv", "id,title,link,image link\na,A,,\n", FileFormat.GOOGLE_TSV),
        ("a.json", '{"@context": "https://schema.org", "@type": "Product"}', FileFormat.JSON_LD),
        ("a.xml", "<rss/>", FileFormat.GOOGLE_XML),
        ("a.jsonl", "", FileFormat.JSONL),
    ],
)
def test_the_content_decides_and_then_the_suffix(tmp_path, name, content, wanted):
    assert rows_of(written(tmp_path, name, content))[1].file_format is wanted


def test_the_format_that_a_person_insists_on_wins(tmp_path):
    path = written(tmp_path, "a.csv", "id,title,link,mpn\na,A,,\n")
    assert rows_of(path, file_format=FileFormat.CSV)[1].columns == ("id", "title", "link", "mpn")
