"""`zhiyin profile`, `zhiyin export-user` and `zhiyin erase`."""

import pytest

from tests.cli.conftest import json_lines
from zhiyin.gateway.v1 import user_data_service_pb2 as pb


def test_a_profile_shows_what_was_done_how_long_ago_and_what_it_weighs(gateway, zhiyin):
    result = zhiyin("profile", "--visitor", "v1", "--limit", 7)
    assert result.exit_code == 0
    for text in ("click", "p1", "1.5 min", "+0.500", "search", "“red shoes”", "3.0 d", "+1.000", "4 events"):
        assert text in result.stdout
    assert "and 5 more" in result.stdout
    assert "bought again: b1, 2 times, every 1.0 d, last 2.0 h ago" in result.stdout
    assert (gateway.users.asked[0].visitor_id, gateway.users.asked[0].limit) == ("v1", 7)


def test_a_visitor_that_is_not_known_has_no_profile(zhiyin):
    assert "nothing is known of this visitor" in zhiyin("profile", "--visitor", "v2").stdout


def test_a_visitor_that_is_taken_for_a_program_is_said_to_be(gateway, zhiyin):
    gateway.users.is_bot = True
    assert "taken for a program" in zhiyin("profile", "--user", "u1").stderr


def test_a_profile_as_json_is_the_reply(zhiyin):
    (told,) = json_lines(zhiyin("profile", "--visitor", "v1", "--json").stdout)
    assert told["event_count"] == 4
    assert told["behaviours"][0]["age"] == "90s"


@pytest.mark.parametrize("command", ["profile", "export-user", "erase"])
def test_whose_data_it_is_must_be_said(gateway, zhiyin, command):
    result = zhiyin(command)
    assert (result.exit_code, gateway.users.asked) == (2, [])
    assert "--visitor or --user" in result.stderr


def test_an_export_is_all_pages_one_after_the_other(zhiyin):
    result = zhiyin("export-user", "--user", "u1")
    assert [line["kind"] for line in json_lines(result.stdout)] == ["event", "event", "visitor"]
    assert "3 records" in result.stderr


def test_an_export_can_go_to_a_file(zhiyin, tmp_path):
    path = tmp_path / "person.jsonl"
    result = zhiyin("export-user", "--visitor", "v1", "--to", path)
    assert (result.exit_code, result.stdout) == (0, "")
    assert len(path.read_text().splitlines()) == 3


def test_an_export_to_where_nothing_can_be_written_fails(zhiyin, tmp_path):
    result = zhiyin("export-user", "--visitor", "v1", "--to", tmp_path / "absent" / "person.jsonl")
    assert result.exit_code == 1
    assert "No such file" in result.stderr


@pytest.mark.parametrize("answer", ["n\n", "", "\n"])
def test_nothing_is_erased_without_a_yes(gateway, zhiyin, answer):
    result = zhiyin("erase", "--visitor", "v1", answer=answer)
    assert (result.exit_code, gateway.users.asked) == (1, [])
    assert "nothing was erased" in result.stderr


@pytest.mark.parametrize(("options", "answer"), [(("--yes",), ""), ((), "y\n")])
def test_a_receipt_names_every_store_and_when_the_disks_are_free_of_it(gateway, zhiyin, options, answer):
    result = zhiyin("erase", "--visitor", "v1", *options, answer=answer)
    assert result.exit_code == 0
    for text in ("events", "4", "impressions", "receipt e-1, 2026-11-25T17:00:00Z", "by 2026-11-26T17:00:00Z", "17.3"):
        assert text in result.stdout
    assert gateway.users.asked[0].visitor_id == "v1"


def test_a_receipt_as_json_is_the_reply(zhiyin):
    (told,) = json_lines(zhiyin("erase", "--user", "u1", "--yes", "--json").stdout)
    assert told["stores"] == [{"name": "events", "count": "4"}, {"name": "impressions", "count": "0"}]


def test_a_refusal_names_the_field(zhiyin):
    result = zhiyin("erase", "--visitor", "v" * 129, "--yes")
    assert result.exit_code == 1
    assert "visitor_id: must have at most 128 characters" in result.stderr


@pytest.mark.parametrize(
    ("kind", "number", "told"),
    [
        ("bot", pb.VISITOR_KIND_BOT, "taken for a program; 1,200 events"),
        ("person", pb.VISITOR_KIND_PERSON, "taken for a person; 1,200 events"),
        ("by-rules", pb.VISITOR_KIND_BY_RULES, "taken for a person; 1,200 events"),
    ],
)
def test_a_visitor_can_be_taken_for_a_program_and_for_a_person_again(gateway, zhiyin, kind, number, told):
    result = zhiyin("visitor-kind", kind, "--visitor", "v1")
    assert (result.exit_code, told in result.stdout) == (0, True)
    assert [(asked.visitor_id, asked.kind) for asked in gateway.users.asked] == [("v1", number)]
