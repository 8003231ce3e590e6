"""What `make demo` runs, on a smaller catalogue and a data directory of its own."""

import os
import re
import subprocess

import pytest

from tests.stacks import PATIENT, ZHIYIN

LONGEST_SECONDS = 240


@pytest.mark.timeout(LONGEST_SECONDS + 20)
def test_the_demonstration_shows_everything_and_ends_with_status_zero(stack_directory):
    settings = {"ZHIYIN_DATA_DIR": str(stack_directory), "ZHIYIN_GATEWAY_PORT": "0", **PATIENT}
    done = subprocess.run(
        [ZHIYIN, "demo", "--exit", "--products", "300"],
        check=False,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        env={**os.environ, **settings},
    )
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert "300 created" in shown
    assert "牛奶" in shown
    assert re.search(r"similarity_term [\d.]+ \+ lexical_term [\d.]+", shown)
    assert "+ volume: number, l; filterable, facetable" in shown
    assert re.search(r"volume [\d.]+\.\.(?:0\.\d+|1) l", shown), "the filter keeps to what is up to a litre"
    assert re.search(r"Store brand +│ +[1-9]", shown), "a facet"
    assert "+1 variant" in shown
    assert re.search(r"on disk after \d+ ms, found by --max-price [\d.]+ USD after \d+ ms", shown)
    assert re.search(r"Everything was counted [\d.]+ s after", shown)
    assert re.search(r"\d+ of 10 places are new \d+ ms after the click was on disk", shown)
    tree = shown[shown.rindex("through every service") :]
    for part in (
        "GatewayService/Search",
        "EncoderService/EncodeTexts",
        "Points/QueryBatch",
        "RankerService/RankCandidates",
    ):
        assert part in tree
