"""Feedback and its counter, each in a process of its own, as a shop with much traffic starts them."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from local.processes import free_port
from local.program import Program, is_serving

_START_SECONDS: Final = 60.0
_OTLP: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"


@asynccontextmanager
async def feedback_process(directory: Path, database_url: str) -> AsyncIterator[str]:
    """Feedback on a free port that counts nothing; yields host:port. `directory` takes its log.

    Raises:
        LocalError: it did not start.
    """
    async with _program("services.feedback", directory / "feedback.log", database_url) as address:
        yield address


@asynccontextmanager
async def counter_process(directory: Path, database_url: str) -> AsyncIterator[None]:
    """What counts, as long as it is inside.

    Raises:
        LocalError: it did not start.
    """
    async with _program("services.feedback.counter", directory / "counter.log", database_url):
        yield


@asynccontextmanager
async def _program(module: str, log: Path, database_url: str) -> AsyncIterator[str]:
    address = f"127.0.0.1:{free_port()}"
    environment = {name: value for name, value in os.environ.items() if name != _OTLP} | {
        "ZHIYIN_BIND": address,
        "ZHIYIN_DATABASE_URL": database_url,
        "ZHIYIN_COUNT_STATISTICS": "false",
        "ZHIYIN_VISITOR_KEY": "a key for made-up visitors, 32 characters",
    }
    program = Program(
        [sys.executable, "-m", module],
        address=address,
        log=log,
        probe=is_serving,
        environment=environment,
        start_seconds=_START_SECONDS,
    )
    async with program:
        yield address
