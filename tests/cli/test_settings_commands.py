"""`zhiyin settings`: files that are settings and files that are none, and when they are in force."""

import json

import pytest

from tests.cli.conftest import json_lines
from zhiyin.common.v1 import catalog_settings_pb2 as pb

SIZE = {"name": "size", "type": "number", "unit": "cm", "uses": ["filterable", "facetable"]}
COLOUR = {"name": "颜色", "type": "ATTRIBUTE_TYPE_TEXT", "uses": ["ATTRIBUTE_USE_SEARCHABLE"]}


@pytest.fixture
def file(tmp_path):
    def write(*attributes, **more):
        path = tmp_path / "settings.json"
        path.write_text(json.dumps({"attributes": attributes, **more}), encoding="utf-8")
        return path

    return write


def test_short_and_full_names_are_read(gateway, zhiyin, file):
    result = zhiyin("settings", "set", file(SIZE, COLOUR))
    assert result.exit_code == 0
    size, colour = gateway.settings.versions[0].attributes
    uses = [pb.ATTRIBUTE_USE_FILTERABLE, pb.ATTRIBUTE_USE_FACETABLE]
    assert (size.name, size.type, size.unit, [*size.uses]) == ("size", pb.ATTRIBUTE_TYPE_NUMBER, "cm", uses)
    assert (colour.name, colour.type) == ("颜色", pb.ATTRIBUTE_TYPE_TEXT)
    assert "+ size: number, cm; filterable, facetable" in result.stdout
    assert "version 1: applying" in result.stderr


def test_waiting_ends_when_searches_go_by_them(zhiyin, file):
    result = zhiyin("settings", "set", file(SIZE), "--wait", "--json")
    (made,) = json_lines(result.stdout)
    assert (result.exit_code, made["state"]) == (0, "CATALOG_SETTINGS_STATE_IN_FORCE")


def test_waiting_fails_where_others_took_their_place(gateway, zhiyin, file):
    gateway.settings.superseded = True
    result = zhiyin("settings", "set", file(SIZE), "--wait")
    assert (result.exit_code, "superseded" in result.stderr) == (1, True)


def test_what_is_shown_can_be_changed_and_set(gateway, zhiyin, file, tmp_path):
    zhiyin("settings", "set", file(SIZE, COLOUR))
    shown = json.loads(zhiyin("settings", "show", "--json").stdout)
    shown["attributes"][0]["unit"] = "mm"
    del shown["attributes"][1]
    (tmp_path / "next.json").write_text(json.dumps(shown), encoding="utf-8")
    result = zhiyin("settings", "set", tmp_path / "next.json")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["~ size: number, mm; filterable, facetable", "- 颜色"]
    again = zhiyin("settings", "set", tmp_path / "next.json")
    assert (again.exit_code, "somebody changed the settings meanwhile" in again.stderr) == (1, True)


def test_setting_the_same_again_makes_no_version(gateway, zhiyin, file):
    zhiyin("settings", "set", file(SIZE))
    assert "nothing changed: version 1 stays" in zhiyin("settings", "set", file(SIZE)).stdout
    assert len(gateway.settings.versions) == 1


def test_every_problem_of_a_file_is_named_with_its_place_and_nothing_is_sent(gateway, zhiyin, file):
    path = file(
        {"name": "size", "type": "numeral", "uses": ["filterable"]},
        {"name": "weight", "type": "number", "uses": ["sortable"], "units": "g"},
        {"type": "text", "uses": "searchable"},
        attribute=[],
    )
    result = zhiyin("settings", "set", path)
    assert (result.exit_code, gateway.settings.versions) == (2, [])
    for line in (
        "attribute: no such key; there are attributes, etag",
        "attributes[0].type: must be one of text, number, boolean",
        "attributes[1].units: no such key; there are name, type, unit, uses",
        "attributes[1].uses: must be a list of searchable, filterable, facetable",
        "attributes[2].name: must be given, a text",
        "attributes[2].uses: must be a list of searchable, filterable, facetable",
    ):
        assert line in result.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{\n  attributes", "not JSON at line 2, column 3"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "must be an object"),
        (b'{"attributes": {}}', "attributes: must be a list"),
        (b'{"attributes": [1]}', "attributes[0]: must be an object"),
    ],
)
def test_a_file_that_is_no_settings_is_a_wrong_call(zhiyin, tmp_path, content, told):
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    result = zhiyin("settings", "set", path)
    assert (result.exit_code, told in result.stderr) == (2, True)


def test_a_file_that_is_not_there_is_a_wrong_call(zhiyin, tmp_path):
    result = zhiyin("settings", "set", tmp_path / "none.json")
    assert (result.exit_code, "No such file" in result.stderr) == (2, True)


def test_settings_are_shown_as_a_table(zhiyin, file):
    assert "no settings yet" in zhiyin("settings", "show").stdout
    zhiyin("settings", "set", file(SIZE))
    shown = zhiyin("settings", "show").stdout
    for text in ("version 1", "size", "number", "cm", "filterable, facetable"):
        assert text in shown


def test_the_history_tells_what_each_version_changed(zhiyin, file):
    zhiyin("settings", "set", file(SIZE))
    zhiyin("settings", "set", file(SIZE, COLOUR))
    shown = zhiyin("settings", "history").stdout
    assert shown.index("+ 颜色") < shown.index("version 1") < shown.index("+ size")
    (told,) = json_lines(zhiyin("settings", "history", "--count", 1, "--json").stdout)
    assert [version["version"] for version in told["settings"]] == [2]
