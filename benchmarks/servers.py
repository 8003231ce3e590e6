"""Processes that the benchmarks start, beside the stack of `local`."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from local.processes import free_port
from local.program import Probe, Program, is_serving

_START_SECONDS: Final = 180.0
_OTLP: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"


@asynccontextmanager
async def encoder_process(directory: Path) -> AsyncIterator[str]:
    """An encoder on a free port that exports no traces; yields host:port. `directory` takes its log.

    Raises:
        LocalError: it did not start.
    """
    address = f"127.0.0.1:{free_port()}"
    environment = {name: value for name, value in os.environ.items() if name != _OTLP} | {"ZHIYIN_BIND": address}
    command = [sys.executable, "-m", "services.encoder"]
    async with _program(command, address, directory / "encoder.log", is_serving, environment):
        yield address


@asynccontextmanager
async def retrieval_process(directory: Path, database_url: str, qdrant: str, encoder: str) -> AsyncIterator[str]:
    """Retrieval on a free port that exports no traces; yields host:port. `directory` takes its log.

    Raises:
        LocalError: it did not start.
    """
    address = f"127.0.0.1:{free_port()}"
    environment = {name: value for name, value in os.environ.items() if name != _OTLP} | {
        "ZHIYIN_BIND": address,
        "ZHIYIN_DATABASE_URL": database_url,
        "ZHIYIN_QDRANT_URL": qdrant,
        "ZHIYIN_ENCODER_TARGET": encoder,
    }
    command = [sys.executable, "-m", "services.retrieval"]
    async with _program(command, address, directory / "retrieval.log", is_serving, environment):
        yield address


@asynccontextmanager
async def alternative_process(directory: Path, model: Path, products: Path) -> AsyncIterator[str]:
    """The alternative with its products indexed; yields host:port. `directory` takes its log.

    Raises:
        LocalError: it did not start.
    """
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.alternative", "--port", str(port)]
    command += ["--model", str(model), "--products", str(products)]
    log = directory / "alternative.log"
    async with _program(command, f"127.0.0.1:{port}", log, _is_listening, dict(os.environ)):
        yield f"127.0.0.1:{port}"


def _program(command: list[str], address: str, log: Path, probe: Probe, environment: dict[str, str]) -> Program:
    return Program(
        command, address=address, log=log, probe=probe, environment=environment, start_seconds=_START_SECONDS
    )


async def _is_listening(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with suppress(OSError):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        await writer.wait_closed()
        return True
    return False
