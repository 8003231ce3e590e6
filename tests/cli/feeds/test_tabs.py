"""Tables with tabs, whose quotes may be signs as any other and whose empty cells at the end may be left out."""

import pytest

from cli.feeds.tables import header_of
from cli.rows import FileFormat, Row
from tests.cli.feeds.reading import problems_of, rows_of, written

HEADER = "id\ttitle\tbrand\n"


def values_of(tmp_path, content):
    rows, _ = rows_of(written(tmp_path, "p.tsv", HEADER + content))
    return [tuple(row.values.get(name, "") for name in ("id", "title", "brand")) for row in rows]


@pytest.mark.parametrize(
    "quoted",
    ['"Unclosed tea', '"Tea" green', '"Tea', '"Tea" and "more"', 'Pipe 5"', '5" pipe'],
)
def test_a_quote_that_is_none_spoils_no_row(tmp_path, quoted):
    content = f'a\t{quoted}\tX\nb\tTwo\tY\nc\t"Three ""3"""\tZ\nd\tFour\tW\n'
    assert values_of(tmp_path, content) == [
        ("a", quoted, "X"),
        ("b", "Two", "Y"),
        ("c", 'Three "3"', "Z"),
        ("d", "Four", "W"),
    ]


def test_products_that_a_pair_of_quotes_seems_to_join_are_kept_apart(tmp_path):
    assert values_of(tmp_path, 'a\t"Unclosed\tX\nb\tPipe 5"\tY\nc\tThree\tZ\n') == [
        ("a", '"Unclosed', "X"),
        ("b", 'Pipe 5"', "Y"),
        ("c", "Three", "Z"),
    ]


def test_rows_are_named_by_their_lines_behind_a_quote_that_is_none(tmp_path):
    path = written(tmp_path, "p.tsv", f'{HEADER}a\t"Unclosed\tX\nb\tTwo\tY\nc\t1\t2\t3\n')
    rows, _ = rows_of(path)
    assert [row.line for row in rows] == [2, 3, 4]
    assert rows[0].raw.text == 'a\t"Unclosed\tX\n'


def test_line_breaks_and_tabs_inside_of_quotes_belong_to_the_cell(tmp_path):
    assert values_of(tmp_path, 'a\t"one\ntwo"\tX\nb\t"one\ttwo"\tY\nc\tT\t"one\ntwo"\n') == [
        ("a", "one\ntwo", "X"),
        ("b", "one\ttwo", "Y"),
        ("c", "T", "one\ntwo"),
    ]


def test_a_cell_of_several_lines_that_cannot_be_read_makes_no_product_of_its_lines(tmp_path):
    path = written(tmp_path, "p.tsv", f'{HEADER}a\t"one\ntwo"\tX\tY\nb\tT\t"one\ntwo" x\nc\tT\tX\n')
    rows, _ = rows_of(path)
    assert [row.values["id"] if isinstance(row, Row) else row.line for row in rows] == [2, 4, "c"]


def test_empty_cells_at_the_end_may_be_left_out(tmp_path):
    assert values_of(tmp_path, "a\nb\tTwo\n\nc\tThree\tZ\t\t\n") == [
        ("a", "", ""),
        ("b", "Two", ""),
        ("c", "Three", "Z"),
    ]


def test_a_last_row_that_may_be_cut_off_is_not_taken_for_a_short_one(tmp_path):
    path = written(tmp_path, "p.tsv", f"{HEADER}a\tOne\tX\nb\tTw")
    assert problems_of(path) == [(3, "", "NOT_CSV")]


def test_cells_that_an_unclosed_quote_may_have_swallowed_are_not_taken_as_left_out(tmp_path):
    path = written(tmp_path, "p.tsv", f'{HEADER[:-1]}\tsku\na\t"One\tPipe 5"\n')
    assert problems_of(path) == [(2, "", "NOT_CSV")]


def test_missing_cells_and_stray_quotes_of_other_tables_stay_a_problem(tmp_path):
    path = written(tmp_path, "p.csv", 'id,title\na\nb,"x"y\nc,x\n')
    assert problems_of(path) == [(2, "", "NOT_CSV"), (3, "", "NOT_CSV")]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("sep=;\r\nHandle;Title;Vendor;Variant SKU\r\na;A;V;1\r\n", FileFormat.SHOPIFY),
        ("sep=;\nid;title;link;image link\na;A;;\n", FileFormat.GOOGLE_TSV),
        ("sep=;\nid;title\na;A\n", FileFormat.CSV),
    ],
)
def test_the_line_that_names_the_delimiter_is_no_header(tmp_path, content, wanted):
    assert rows_of(written(tmp_path, "p.txt", content), currency="EUR")[1].file_format is wanted


def test_delimiters_of_later_lines_do_not_count():
    assert header_of('id;"a, b";title\nx;1,2,3,4,5,6;y\n') == ("id", "a, b", "title")
