"""`zhiyin events import`: what goes in, what is told, and that an import goes on where it was stopped."""

import json

import pytest

from cli.events.checkpoint import Checkpoint
from cli.events.lines import EventLines, Place
from services.common.errors import Unavailable
from tests.cli.conftest import json_lines
from tests.cli.events.reading import ga4_row, segment_message


def own(i, **fields):
    event = {"eventId": f"e{i}", "type": "CLICK", "visitorId": "v1", "products": [{"productId": f"p{i}"}]}
    return event | {"eventTime": "2026-11-25T10:00:00Z"} | fields


@pytest.fixture
def written(tmp_path):
    def write(*rows, name="events.jsonl"):
        path = tmp_path / name
        lines = [row if isinstance(row, str) else json.dumps(row, default=float) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


def test_events_go_in_in_the_order_of_the_file_and_are_counted(gateway, zhiyin, written):
    result = zhiyin("events", "import", written(*[own(i) for i in range(25)]), "--batch-size", 10)
    assert result.exit_code == 0
    assert [event.event_id for event in gateway.fake.events.values()] == [f"e{i}" for i in range(25)]
    assert gateway.fake.recorded == [10, 10, 5]
    assert "25 rows" in result.stdout
    assert "25 accepted" in result.stdout
    assert "events.jsonl: jsonl" in result.stderr


def test_one_batch_is_on_its_way_at_a_time(gateway, zhiyin, written):
    gateway.fake.seconds = 0.01
    zhiyin("events", "import", written(*[own(i) for i in range(8)]), "--batch-size", 1)
    assert gateway.fake.most_in_flight == 1


def test_an_import_can_be_repeated(gateway, zhiyin, written):
    path = written(*[own(i) for i in range(3)])
    zhiyin("events", "import", path)
    (told,) = json_lines(zhiyin("events", "import", path, "--json").stdout)
    assert (told["summary"]["accepted"], told["summary"]["duplicates"]) == (0, 3)
    assert len(gateway.fake.events) == 3


@pytest.mark.parametrize(
    ("row", "name", "visitor"),
    [
        (own(1), "jsonl", "v1"),
        ({"event_id": "e1", "type": "USER_EVENT_TYPE_SEARCH", "visitor_id": "v2", "query": "milk"}, "jsonl", "v2"),
        (ga4_row(), "ga4", "1234.5678"),
        (segment_message(), "segment", "23adfd82-aa0f-45a7-a756-24f2a7a4c895"),
    ],
)
def test_the_format_is_told_from_the_content(gateway, zhiyin, written, row, name, visitor):
    result = zhiyin("events", "import", written(row))
    assert f"events.jsonl: {name}" in result.stderr
    assert [event.visitor_id for event in gateway.fake.events.values()] == [visitor]


def test_rows_of_no_known_kind_send_nothing(gateway, zhiyin, written):
    result = zhiyin("events", "import", written({"id": 1}))
    assert (result.exit_code, gateway.fake.calls) == (2, [])
    assert "--format" in result.stderr


def test_bad_rows_are_told_by_line_and_copied_and_the_rest_goes_in(gateway, zhiyin, written, tmp_path):
    path = written(own(1), "{not json", own(2, rating="many"), "", own(3, visitorId=""), own(4))
    rejected, errors = tmp_path / "rejected.jsonl", tmp_path / "errors.jsonl"
    result = zhiyin("events", "import", path, "--rejected", rejected, "--errors", errors)
    assert result.exit_code == 1
    assert sorted(event.event_id for event in gateway.fake.events.values()) == ["e1", "e4"]
    problems = json_lines(errors.read_text())
    assert [(each["line"], each["field"], each["reason"]) for each in problems] == [
        (2, "", "NOT_JSON"),
        (3, "rating", "INVALID_FORMAT"),
        (5, "visitor_id", "REQUIRED"),
    ]
    lines = path.read_text().splitlines()
    assert rejected.read_text().splitlines() == [lines[1], lines[2], lines[4]]
    assert "2 accepted, 3 rejected" in result.stdout
    assert "many" not in result.stderr


def test_an_event_whose_id_says_something_else_is_a_conflict(gateway, zhiyin, written):
    result = zhiyin("events", "import", written(own(1), own(1, type="SHARE")))
    assert result.exit_code == 1
    assert "1 accepted, 1 conflicts" in result.stdout
    assert "line 2" in result.stderr


def test_an_event_without_an_id_has_the_same_one_at_every_import(gateway, zhiyin, written):
    row = own(1)
    del row["eventId"]
    path = written(row)
    for _ in range(2):
        assert zhiyin("events", "import", path).exit_code == 0
    assert len(gateway.fake.events) == 1


def test_an_address_of_a_person_is_no_pseudonym(gateway, zhiyin, written):
    result = zhiyin("events", "import", written(own(1, userId="ann@example.com")))
    assert (result.exit_code, gateway.fake.events) == (1, {})
    assert "PERSONAL_DATA" in result.stderr
    assert "ann" not in result.stderr


def test_what_is_left_out_is_counted_by_kind(zhiyin, written):
    result = zhiyin("events", "import", written(ga4_row("page_view"), ga4_row("page_view"), ga4_row()))
    assert result.exit_code == 0
    assert "left out, because they are no events here: page_view 2" in result.stderr


def test_a_service_that_is_away_for_a_while_is_waited_for(gateway, zhiyin, written):
    gateway.fake.failures = [Unavailable("feedback is away", reason="FEEDBACK_UNAVAILABLE", retry_after=0.01)] * 2
    result = zhiyin("events", "import", written(own(1)))
    assert (result.exit_code, len(gateway.fake.events)) == (0, 1)


def stopped_after(answers, gateway, zhiyin, path, *words):
    """An import, two events at a time, of which the gateway answers that many calls and refuses the next one."""
    gateway.fake.most_recorded = answers
    result = zhiyin("events", "import", path, "--batch-size", 2, *words)
    gateway.fake.most_recorded = None
    return result


def test_an_import_that_was_stopped_goes_on_behind_the_last_answer(gateway, zhiyin, written, tmp_path):
    path, rejected = written(*[own(i) for i in range(3)], "{", *[own(i) for i in range(4, 7)]), tmp_path / "rejected"
    result = stopped_after(2, gateway, zhiyin, path, "--rejected", rejected)
    assert result.exit_code == 1
    assert "stopped behind line 5; the same command goes on there" in result.stderr
    again = zhiyin("events", "import", path, "--batch-size", 2, "--rejected", rejected)
    assert "going on behind line" in again.stderr
    assert [event.event_id for event in gateway.fake.events.values()] == ["e0", "e1", "e2", "e4", "e5", "e6"]
    assert "accepted" in again.stdout
    assert "duplicates" not in again.stdout
    assert rejected.read_text() == "{\n"
    assert not path.with_name("events.jsonl.zhiyin-checkpoint").exists()


def test_an_import_can_begin_anew(gateway, zhiyin, written):
    path = written(*[own(i) for i in range(4)])
    stopped_after(1, gateway, zhiyin, path)
    (told,) = json_lines(zhiyin("events", "import", path, "--restart", "--json").stdout)
    assert (told["summary"]["accepted"], told["summary"]["duplicates"]) == (2, 2)


def test_another_file_of_the_same_name_begins_with_its_first_line(gateway, zhiyin, written):
    path = written(*[own(i) for i in range(4)])
    stopped_after(1, gateway, zhiyin, path)
    written(*[own(i) for i in range(10, 14)])
    result = zhiyin("events", "import", path)
    assert "the file is not the one whose import was stopped" in result.stderr
    assert {"e10", "e11", "e12", "e13"} <= {event.event_id for event in gateway.fake.events.values()}


def test_another_catalogue_does_not_go_on_where_this_one_was_stopped(gateway, zhiyin, written):
    path = written(*[own(i) for i in range(4)])
    stopped_after(1, gateway, zhiyin, path)
    result = zhiyin("events", "import", path, "--catalog", "other")
    assert "going on" not in result.stderr


def test_a_check_sends_nothing_and_knows_the_rules_of_the_service(gateway, zhiyin, written):
    path = written(own(1, eventTime="2019-01-01T00:00:00Z"), own(2, products=[]), own(3, eventTime=None))
    (*problems, told) = json_lines(zhiyin("events", "import", path, "--check", "--json").stdout)
    assert gateway.fake.calls == []
    assert [(each["problem"]["line"], each["problem"]["reason"]) for each in problems] == [
        (1, "TOO_OLD"),
        (2, "REQUIRED"),
    ]
    assert told["check"] == {
        "rows": 3, "events": 3, "rejected": 2, "errors": {"TOO_OLD": 1, "REQUIRED": 1}, "warnings": {}, "skipped": {},
    }  # fmt: skip


def test_a_compressed_file_is_told_to_be_unpacked(zhiyin, tmp_path):
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(b"\x1f\x8b\x08")
    result = zhiyin("events", "import", path)
    assert result.exit_code == 2
    assert "gunzip" in result.stderr


def test_a_line_that_is_too_long_is_left_out_and_the_next_one_is_read(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"one\n" + b"x" * 100 + b"\ntwo\n" + b"y" * 10)
    with path.open("rb") as file:
        lines = list(EventLines(file, max_line=10))
    assert [(line.text, line.end.line, line.end.offset) for line in lines] == [
        (b"one\n", 1, 4),
        (None, 2, 105),
        (b"two\n", 3, 109),
        (b"y" * 10, 4, 119),
    ]


def test_a_place_is_found_again_in_a_file_that_grew_and_not_in_one_that_changed(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo\nthree\n")
    with path.open("rb") as file:
        second = list(EventLines(file))[1].end
    path.write_bytes(b"one\ntwo\nthree\nfour\n")
    with path.open("rb") as file:
        lines = EventLines(file)
        assert lines.go_to(second)
        assert [line.text for line in lines] == [b"three\n", b"four\n"]
    for content in (b"One\ntwo\nthree\n", b"one\n"):
        path.write_bytes(content)
        with path.open("rb") as file:
            lines = EventLines(file)
            assert not lines.go_to(second)
            assert next(iter(lines)).end.line == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"purpose": {}}', '{"purpose": {"catalog": "a"}, "offset": "x"}'])
def test_a_checkpoint_that_cannot_be_read_is_none(tmp_path, content):
    path = tmp_path / "checkpoint"
    path.write_text(content)
    assert Checkpoint(path, {"catalog": "a"}).place() is None


def test_a_checkpoint_is_kept_for_its_purpose_only(tmp_path):
    path, place = tmp_path / "checkpoint", Place(10, 2, "ab")
    Checkpoint(path, {"catalog": "a"}).keep(place)
    assert Checkpoint(path, {"catalog": "a"}).place() == place
    assert Checkpoint(path, {"catalog": "b"}).place() is None
