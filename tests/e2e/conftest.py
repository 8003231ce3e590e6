import subprocess
from pathlib import Path

import pytest

from tests.stacks import ZHIYIN, gateway_channel, gateway_stub, running_stack

PRODUCTS = Path(__file__).with_name("products.jsonl")


@pytest.fixture(scope="session")
def stack(session_directory):
    with running_stack(session_directory / "stack") as running:
        command = [ZHIYIN, "import", str(PRODUCTS), "--wait"]
        imported = subprocess.run(
            [*command, "--gateway", running.addresses["gateway"]],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert imported.returncode == 0, imported.stderr
        yield running


@pytest.fixture
async def stub(stack):
    async with gateway_channel(stack) as channel:
        yield gateway_stub(channel)
