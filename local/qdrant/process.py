"""The engine as a process of its own, started and stopped by us."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import grpc
from qdrant_client.grpc import HealthCheckRequest, QdrantStub

from local.processes import free_port
from local.program import PROBE_SECONDS, Program
from local.qdrant.settings import OptimiserSettings


class QdrantServer(Program):
    """`python -m local.qdrant` on a data directory."""

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        note: Path | None = None,
        settings: OptimiserSettings | None = None,
    ) -> None:
        """`port` 0 takes a free one and keeps it over restarts."""
        port = port or free_port()
        command = [sys.executable, "-m", "local.qdrant", "--data", str(directory.resolve()), "--port", str(port)]
        command += settings.arguments() if settings is not None else []
        super().__init__(
            command,
            address=f"127.0.0.1:{port}",
            log=log or directory / "log",
            probe=is_serving_qdrant,
            environment=environment,
            note=note,
        )


async def is_serving_qdrant(address: str) -> bool:
    """Whether Qdrant's HealthCheck answers."""
    with suppress(grpc.aio.AioRpcError):
        async with grpc.aio.insecure_channel(address) as channel:
            stub = QdrantStub(channel)  # type: ignore[no-untyped-call]
            await stub.HealthCheck(HealthCheckRequest(), timeout=PROBE_SECONDS)
            return True
    return False
