"""`zhiyin index`: what it asks, shows and follows, and with which status it ends."""

import pytest

from cli.progress import Rate, progress_line
from services.common.errors import Unavailable
from tests.cli.admin_fakes import BUILDING, READY, index_version
from tests.cli.conftest import json_lines
from zhiyin.common.v1.index_version_pb2 import IndexFindings, VerifyMode


def version_of(result):
    return json_lines(result.stdout)[-1]["version"]


def test_versions_are_listed_latest_first_with_what_is_on_its_way(gateway, zhiyin):
    gateway.index.versions[2] = index_version(2, BUILDING, pending=1_200, words_only_count=34)
    result = zhiyin("index", "list")
    assert result.exit_code == 0
    later, earlier = (line for line in result.stdout.splitlines() if "388ad1c39f94" in line)
    assert [later.split()[i] for i in (1, 3, 10)] == ["2", "building", "1,234"]
    assert [earlier.split()[i] for i in (1, 3, 10)] == ["1", "active", "0"]
    versions = json_lines(zhiyin("index", "list", "--json").stdout)[0]["versions"]
    assert [(v["number"], v["pending_count"]) for v in versions] == [(2, "1200"), (1, "0")]


def test_a_catalogue_without_an_index_says_so(gateway, zhiyin):
    gateway.index.versions.clear()
    assert "no index version yet" in zhiyin("index", "list").stdout


def test_a_build_is_begun_and_not_waited_for(zhiyin):
    result = zhiyin("index", "create")
    assert result.exit_code == 0
    assert "building" in result.stdout
    assert "zhiyin index status 2 --wait follows it" in result.stderr


def test_a_build_is_followed_until_every_product_is_in(gateway, zhiyin):
    gateway.index.step = 2_000
    result = zhiyin("index", "create", "--wait", "--json")
    assert (result.exit_code, version_of(result)["state"]) == (0, "INDEX_VERSION_STATE_READY")
    assert "2,000 of 4,000 products" in result.stderr


def test_a_build_that_another_process_began_can_be_followed(gateway, zhiyin):
    gateway.index.versions[2] = index_version(2, BUILDING, pending=10)
    result = zhiyin("index", "status", "2", "--wait")
    assert (result.exit_code, gateway.index.versions[2].state, gateway.index.calls) == (0, READY, [])


def test_a_build_that_was_refused_products_ends_with_status_one(gateway, zhiyin):
    gateway.index.failing = 3
    result = zhiyin("index", "create", "--wait")
    assert result.exit_code == 1
    assert "refused by the index" in result.stderr


def test_following_outlives_a_restart_of_the_service(gateway, zhiyin):
    gateway.index.versions[1].pending_count = 10
    gateway.index.failures = [Unavailable("away", retry_after=0.01)]
    assert zhiyin("index", "status", "--wait").exit_code == 0


def test_following_ends_where_patience_does(gateway, zhiyin):
    gateway.index.failures = [Unavailable("away", retry_after=0.01)] * 9
    result = zhiyin("index", "rebuild", "--wait", "--patience", "0")
    assert (result.exit_code, "UNAVAILABLE: away" in result.stderr) == (1, True)
    assert gateway.index.calls == ["Rebuild 0"]


def test_a_rebuild_is_followed_until_nothing_is_pending(gateway, zhiyin):
    result = zhiyin("index", "rebuild", "--wait", "--json")
    assert (result.exit_code, version_of(result)["pending_count"]) == (0, "0")


def test_switching_and_deleting_name_their_version(gateway, zhiyin):
    gateway.index.versions[2] = index_version(2, READY)
    assert zhiyin("index", "activate", "2").exit_code == 0
    assert zhiyin("index", "delete", "1").exit_code == 0
    assert gateway.index.calls == ["Activate 2", "Delete 1"]


def test_going_back_shows_the_version_that_was_active_before_and_is_again(gateway, zhiyin):
    gateway.index.versions = {1: index_version(1, READY), 2: index_version(2)}
    gateway.index.versions[1].activate_time.FromJsonString("2026-11-25T17:00:00Z")
    result = zhiyin("index", "rollback", "--json")
    assert result.exit_code == 0
    assert (version_of(result)["number"], version_of(result)["state"]) == (1, "INDEX_VERSION_STATE_ACTIVE")
    assert gateway.index.calls == ["RollBack"]


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("activate",), 2, "Missing argument"),
        (("activate", "0"), 2, "'number'"),
        (("status", "7"), 1, "NOT_FOUND (INDEX_VERSION_NOT_FOUND)"),
        (("rollback",), 1, "FAILED_PRECONDITION (NO_PREVIOUS_VERSION): no version was active before"),
        (("create", "--model", "none"), 1, "models: small 388a"),
    ],
)
def test_what_cannot_be_done_is_told(zhiyin, words, status, told):
    result = zhiyin("index", *words)
    assert result.exit_code == status
    assert told in result.stderr


def test_a_verification_goes_through_all_parts_and_fails_where_something_is_found(gateway, zhiyin):
    gateway.index.parts = [
        IndexFindings(checked_count=1_000, missing_count=2, sample_product_ids=["a", "b"]),
        IndexFindings(checked_count=7_000, stale_count=1, extra_count=4, sample_product_ids=["c"]),
    ]
    result = zhiyin("index", "verify")
    assert result.exit_code == 1
    for text in ("8,000 products and points", "2 missing", "4 extra", "1 stale", "such as a, b, c"):
        assert text in result.stdout
    assert [(number, token) for number, _, token in gateway.index.asked] == [(1, ""), (1, "1")]
    assert {mode for _, mode, _ in gateway.index.asked} == {VerifyMode.VERIFY_MODE_REPORT}


def test_a_verification_that_repairs_is_done_when_it_has_repaired(gateway, zhiyin):
    gateway.index.parts = [IndexFindings(checked_count=1, missing_count=1)]
    result = zhiyin("index", "verify", "--repair", "--json")
    assert (result.exit_code, gateway.index.asked[0][1]) == (0, VerifyMode.VERIFY_MODE_REPAIR)
    (told,) = json_lines(result.stdout)
    assert (told["repaired"], told["findings"]["missing_count"]) == (True, "1")


def test_an_index_that_equals_its_catalogue_is_fine(zhiyin):
    assert zhiyin("index", "verify").exit_code == 0


def test_the_rate_is_that_since_the_first_look_and_begins_anew_with_the_work():
    rate = Rate(0.0)
    assert rate.of(1_000, 10.0) == 0
    # 400 more in 4 seconds.
    assert rate.of(1_400, 14.0) == 100
    assert rate.of(0, 20.0) == 0
    assert rate.of(50, 22.0) == 25


def test_a_line_of_progress_tells_rate_and_time_left():
    assert progress_line(1_200, 4_000, "products", 400) == "1,200 of 4,000 products, 400/s, 7 s left"
    assert progress_line(0, 4_000, "products", 0) == "0 of 4,000 products"
