"""Reading files: every good row comes through, every bad one is named by its line, and nothing stops the rest."""

import datetime as dt
import json
import tracemalloc
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.feeds.opening import open_rows
from cli.problems import Problem
from cli.rows import BadRow, FileError, FileFormat, ReadOptions, Row


def read(path, **options):
    with open_rows(path, ReadOptions(**options)) as file:
        return list(file.rows)


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "1"', "NOT_JSON"),
        (b"[1, 2]", "NOT_JSON"),
        (b'"text"', "NOT_JSON"),
        (b'{"id": NaN}', "NOT_JSON"),
        (b'{"id": Infinity}', "NOT_JSON"),
        (b'{"id": "caf\xe9"}', "NOT_UTF8"),
        (b'{"a":' * 100_000 + b"1", "NOT_JSON"),
        (b'{"sales_count": ' + b"9" * 5_000 + b"}", "NOT_JSON"),
    ],
)
def test_a_bad_line_of_json_is_named_and_the_lines_around_it_come_through(tmp_path, line, reason):
    path = written(tmp_path, "p.jsonl", b'{"id": "a"}\n' + line + b'\n{"id": "b"}\n')
    first, bad, last = read(path)
    assert (first, last) == (Row(1, {"id": "a"}), Row(3, {"id": "b"}))
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.problem.reason) == (2, reason)


def test_a_line_of_json_beyond_the_limit_is_skipped_without_being_held_in_memory(tmp_path):
    path = written(tmp_path, "p.jsonl", b'{"id": "a", "title": "' + b"x" * 5_000_000 + b'"}\n{"id": "b"}')
    tracemalloc.start()
    bad, good = read(path, max_line=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (bad.line, bad.problem.reason, good) == (1, "TOO_LONG", Row(2, {"id": "b"}))
    assert peak < 1_000_000


def test_numbers_of_json_keep_every_digit(tmp_path):
    (row,) = read(written(tmp_path, "p.jsonl", '{"price": 0.1, "sales_count": 12345678901234567890}'))
    assert row.values == {"price": Decimal("0.1"), "sales_count": 12345678901234567890}


def test_null_is_no_value_and_blank_lines_are_no_rows(tmp_path):
    assert read(written(tmp_path, "p.jsonl", '\n{"id": "a", "brand": null}\n  \n')) == [Row(2, {"id": "a"})]


@pytest.mark.parametrize("name", ["p.jsonl", "p.csv"])
def test_a_byte_order_mark_is_tolerated(tmp_path, name):
    content = '{"id": "a"}' if name == "p.jsonl" else "id\na\n"
    assert [row.values for row in read(written(tmp_path, name, b"\xef\xbb\xbf" + content.encode()))] == [{"id": "a"}]


def test_lines_of_csv_are_counted_through_line_breaks_inside_quotes(tmp_path):
    path = written(tmp_path, "p.csv", 'id,title\na,"one\ntwo"\nb\nc,three\n')
    assert read(path) == [
        Row(2, {"id": "a", "title": "one\ntwo"}),
        BadRow(Problem(4, "", "", "NOT_CSV", "1 fields where the header has 2")),
        Row(5, {"id": "c", "title": "three"}),
    ]


@pytest.mark.parametrize(
    ("line", "reason"), [(b"b,x,y", "NOT_CSV"), (b'b,"x"y', "NOT_CSV"), (b"b,caf\xe9", "NOT_UTF8")]
)
def test_a_bad_row_of_csv_is_named_and_the_rows_around_it_come_through(tmp_path, line, reason):
    path = written(tmp_path, "p.csv", b"id,title\na,x\n" + line + b"\nc,x\n")
    first, bad, last = read(path)
    assert (first.line, bad.line, bad.problem.reason, last.line) == (2, 3, reason, 4)


def test_an_empty_field_of_csv_is_no_value(tmp_path):
    assert read(written(tmp_path, "p.csv", "id,title,brand\na,,  \n")) == [Row(2, {"id": "a"})]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.csv", "", "no header"),
        ("p.csv", "id,id\n", "occur twice: id"),
        ("p.parquet", "no parquet", "not a Parquet file"),
        ("p.txt", "", "--format: jsonl, csv, parquet"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_refused(tmp_path, name, content, message):
    path = written(tmp_path, name, content)
    with pytest.raises(FileError, match=message):
        read(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(FileError, match=r"none\.csv: No such file"):
        read(tmp_path / "none.csv")


def test_the_format_can_be_insisted_on(tmp_path):
    assert read(written(tmp_path, "p.txt", "id\na\n"), file_format=FileFormat.CSV) == [Row(2, {"id": "a"})]


def test_types_of_parquet_come_as_types_of_python(tmp_path):
    moment = dt.datetime(2026, 5, 1, 12, 0, 0, 1, tzinfo=dt.UTC)
    table = pa.table(
        {
            "id": pa.array([7, 8], pa.int64()),
            "categories": pa.array([["A > B", "C"], None], pa.list_(pa.string())),
            "create_time": pa.array([moment, None], pa.timestamp("ns", tz="UTC")),
            "price": pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)),
        }
    )
    pq.write_table(table, tmp_path / "p.parquet")
    first, second = read(tmp_path / "p.parquet")
    assert first.values == {"id": 7, "categories": ["A > B", "C"], "create_time": moment, "price": Decimal("1.10")}
    assert type(first.values["create_time"]) is dt.datetime
    assert (first.line, second) == (1, Row(2, {"id": 8}))


def test_the_position_reaches_the_size_with_the_last_row(tmp_path):
    paths = [
        written(tmp_path, "p.jsonl", "".join(json.dumps({"id": str(i)}) + "\n" for i in range(1000))),
        written(tmp_path, "p.csv", "id\n" + "".join(f"{i}\n" for i in range(1000))),
        tmp_path / "p.parquet",
    ]
    pq.write_table(pa.table({"id": list(range(1000))}), paths[2])
    for path in paths:
        with open_rows(path, ReadOptions()) as file:
            assert sum(1 for _ in file.rows) == 1000
            assert file.position() == file.size
