"""A server program of the stack: started, awaited, stopped, and started again at the same address."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from local.processes import Child, LocalError, log_tail, record, start_child
from local.spans import recent_traces

PROBE_SECONDS = 1.0
PROBE_PAUSE_SECONDS = 0.05

Probe = Callable[[str], Awaitable[bool]]


class Program:
    """One server process; an async context manager, or `start` and `stop`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        address: str,
        log: Path,
        probe: Probe,
        environment: Mapping[str, str] | None = None,
        note: Path | None = None,
        start_seconds: float = 60.0,
        stop_seconds: float = 15.0,
    ) -> None:
        """`probe` says whether `address` serves. `note` is where the process is recorded (`end_leftovers`)."""
        self._command = command
        self._probe = probe
        self._environment = environment
        self._note = note
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._child: Child | None = None
        self.address = address
        self.log = log

    @property
    def child(self) -> Child | None:
        """The process from start to stop, alive or not."""
        return self._child

    async def start(self) -> None:
        """Starts the process and waits until it serves. Where one runs already, it is stopped first.

        Raises:
            LocalError: It ended, or did not serve in time; the message ends with the last lines of its log.
        """
        await self.stop()
        self._child = start_child(self._command, log=self.log, environment=self._environment)
        try:
            if self._note is not None:
                record(self._child.identity, self._note)
            await self._wait(self._child)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Asks the process to drain and end; kills it where it takes longer than its time."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop(self._stop_seconds)
            if self._note is not None:
                self._note.unlink(missing_ok=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()

    async def _wait(self, child: Child) -> None:
        end = time.monotonic() + self._start_seconds
        while child.exit_code is None and time.monotonic() < end:
            if await self._probe(self.address):
                return
            await asyncio.sleep(PROBE_PAUSE_SECONDS)
        ended = f"ended with status {child.exit_code}" if child.exit_code is not None else "did not serve in time"
        raise LocalError(f"the process on {self.address} {ended}; {self.log} ends with:\n{log_tail(self.log)}")


async def is_serving(address: str) -> bool:
    """Whether the standard gRPC health check of a service says SERVING."""
    with suppress(grpc.aio.AioRpcError):
        async with grpc.aio.insecure_channel(address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            reply = await stub.Check(health_pb2.HealthCheckRequest(), timeout=PROBE_SECONDS)
            return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
    return False


async def is_receiving(address: str) -> bool:
    """Whether the span receiver answers."""
    with suppress(grpc.aio.AioRpcError):
        await recent_traces(address, limit=1)
        return True
    return False
