import subprocess
from pathlib import Path

import pytest

from tests.stacks import ZHIYIN, running_stack

PRODUCTS = Path(__file__).parents[1] / "e2e/products.jsonl"


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/faults" in str(item.path):
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.timeout(240))


def imported(running):
    command = [ZHIYIN, "import", str(PRODUCTS), "--wait", "--gateway", running.addresses["gateway"]]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return running


@pytest.fixture(scope="module")
def stack(session_directory):
    with running_stack(session_directory / "faults") as running:
        yield imported(running)


@pytest.fixture(scope="module")
def separate_stack(session_directory):
    """One Postgres for each owner of data."""
    with running_stack(session_directory / "separate", separate_postgres=True) as running:
        yield imported(running)
