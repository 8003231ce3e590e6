"""`zhiyin import` against a gateway: what goes in, what is reported, and when it gives up."""

import json

import pytest

from services.common.errors import ResourceExhausted, Unavailable, invalid
from tests.cli.conftest import json_lines
from zhiyin.common.v1.degradation_pb2 import Degradation, DegradationKind
from zhiyin.common.v1.write_pb2 import WaitUntil


def catalogue(tmp_path, rows, name="products.jsonl"):
    path = tmp_path / name
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def numbered(count, **values):
    return [{"id": f"p{i:04}", "title": f"Product {i}", **values} for i in range(count)]


def summary(result):
    return {name: count for name, count in json_lines(result.stdout)[-1]["summary"].items() if name in counts()}


def counts(**given):
    every = {"created": 0, "updated": 0, "unchanged": 0, "rejected": 0} | given
    return {"rows": sum(every.values()), "not_yet_searchable": False, **every}


def test_every_row_goes_in_and_the_second_time_nothing_changes(gateway, zhiyin, tmp_path):
    path = catalogue(tmp_path, numbered(450))
    first = zhiyin("import", path, "--json", "--batch-size", 100)
    again = zhiyin("import", path, "--json", "--batch-size", 100)
    assert (first.exit_code, summary(first)) == (0, counts(created=450))
    assert (again.exit_code, summary(again)) == (0, counts(unchanged=450))
    assert [len(batch) for batch in gateway.fake.batches] == [100, 100, 100, 100, 50] * 2


def test_bad_rows_are_named_by_line_and_field_and_the_rest_goes_in(gateway, zhiyin, tmp_path):
    rows = [{"id": "a", "title": "x"}, "no json\n", {"id": "b"}, {"id": "c", "title": "x", "sales_count": "many"}]
    result = zhiyin("import", catalogue(tmp_path, [*rows, {"id": "d", "title": "x"}]), "--json")
    assert result.exit_code == 1
    assert summary(result) == counts(created=2, rejected=3)
    assert [
        (line["problem"]["line"], line["problem"]["product_id"], line["problem"]["field"], line["problem"]["reason"])
        for line in json_lines(result.stdout)[:-1]
    ] == [(2, "", "", "NOT_JSON"), (3, "b", "title", "REQUIRED"), (4, "c", "sales_count", "INVALID")]
    assert set(gateway.fake.products) == {"a", "d"}


def test_a_person_is_told_the_same_in_words_on_stderr(zhiyin, tmp_path):
    result = zhiyin("import", catalogue(tmp_path, [{"id": "a", "title": "x"}, {"id": "b", "quantity": "few"}]))
    assert "line 2 product b: quantity: not a whole number (INVALID)" in result.stderr
    assert "1 created, 1 rejected" in result.stdout


def test_only_the_first_problems_are_shown_and_all_are_in_the_file_asked_for(zhiyin, tmp_path):
    path = catalogue(tmp_path, [{"id": f"p{i}"} for i in range(50)])
    result = zhiyin("import", path, "--errors", tmp_path / "bad.jsonl")
    assert result.stderr.count("title: is required") == 20
    assert "30 more problems" in result.stderr
    assert [p["line"] for p in json_lines((tmp_path / "bad.jsonl").read_text())] == list(range(1, 51))


def test_a_misspelt_column_is_refused_before_anything_is_sent(gateway, zhiyin, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("id,title,colour\na,x,red\n")
    result = zhiyin("import", path)
    assert result.exit_code == 2
    assert "`colour`" in result.stderr
    assert "attributes.NAME" in result.stderr
    assert gateway.fake.calls == []


def test_of_two_rows_with_one_id_the_later_one_wins(gateway, zhiyin, tmp_path):
    gateway.fake.seconds = 0.01
    rows = [{"id": str(i % 7), "title": f"Version {i}"} for i in range(60)]
    result = zhiyin("import", catalogue(tmp_path, rows), "--json", "--batch-size", 3)
    assert result.exit_code == 0
    assert {i: p.title for i, p in gateway.fake.products.items()} == {row["id"]: row["title"] for row in rows}


def test_a_few_batches_are_in_flight_at_once_and_never_more(gateway, zhiyin, tmp_path):
    gateway.fake.seconds = 0.02
    zhiyin("import", catalogue(tmp_path, numbered(100)), "--batch-size", 5)
    assert gateway.fake.most_in_flight == 4


def test_long_texts_make_batches_that_fit_into_a_message(gateway, zhiyin, tmp_path):
    path = catalogue(tmp_path, numbered(300, description="龙" * 20_000))
    assert zhiyin("import", path, "--batch-size", 500).exit_code == 0
    assert all(len(batch) * 60_000 <= 4 * 1024 * 1024 for batch in gateway.fake.batches)
    assert len(gateway.fake.products) == 300


@pytest.mark.parametrize("error", [Unavailable, ResourceExhausted])
def test_a_service_that_asks_to_come_back_is_asked_again(gateway, zhiyin, tmp_path, error):
    gateway.fake.failures = [error("busy", retry_after=0.01) for _ in range(2)]
    result = zhiyin("import", catalogue(tmp_path, numbered(3)), "--json")
    assert (result.exit_code, summary(result)) == (0, counts(created=3))
    assert gateway.fake.calls == ["UpsertProducts"] * 3


def test_patience_ends_and_the_message_says_where_the_import_stands(gateway, zhiyin, tmp_path):
    gateway.fake.failures = [Unavailable("no disk", reason="CATALOGUE_AWAY", retry_after=30)]
    result = zhiyin("import", catalogue(tmp_path, numbered(3)), "--patience", 1)
    assert result.exit_code == 1
    assert "UNAVAILABLE (CATALOGUE_AWAY): no disk" in result.stderr
    assert "try again in 30 s" in result.stderr
    assert "stopped at line 1; the import can be repeated" in result.stderr


def test_a_refused_call_ends_the_import_at_once(gateway, zhiyin, tmp_path):
    gateway.fake.failures = [invalid("catalog", "1 to 64 characters of `a-z 0-9 - _`")]
    result = zhiyin("import", catalogue(tmp_path, numbered(3)), "--catalog", "Ä")
    assert result.exit_code == 1
    assert "catalog: 1 to 64 characters" in result.stderr
    assert gateway.fake.calls == ["UpsertProducts"]


def test_waiting_until_searchable_is_asked_of_the_gateway_and_a_wait_too_short_is_told(gateway, zhiyin, tmp_path):
    gateway.fake.degradations = [Degradation(kind=DegradationKind.DEGRADATION_KIND_NOT_YET_SEARCHABLE)]
    result = zhiyin("import", catalogue(tmp_path, numbered(10)), "--wait", "--batch-size", 1)
    assert result.exit_code == 0
    assert "not searchable in time" in result.stderr
    # Those that were in flight already; the rest is not held up by an index that lags behind.
    assert gateway.fake.wait_until[0] == WaitUntil.WAIT_UNTIL_SEARCHABLE
    assert gateway.fake.wait_until[-1] == WaitUntil.WAIT_UNTIL_COMMITTED


def test_an_empty_file_is_an_import_of_nothing(gateway, zhiyin, tmp_path):
    result = zhiyin("import", catalogue(tmp_path, []), "--json")
    assert (result.exit_code, summary(result)) == (0, counts())
    assert gateway.fake.calls == []
