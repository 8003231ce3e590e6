"""A real stack of processes for the end-to-end and the fault tests."""

import asyncio
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from local.config import StackSettings
from local.stack import Stack
from zhiyin.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub

ZHIYIN = str(Path(sys.executable).with_name("zhiyin"))
"""The command as people run it."""
PATIENT = {
    "ZHIYIN_PROFILE_SECONDS": "0.5",
    "ZHIYIN_LONG_PROFILE_SECONDS": "0.5",
    "ZHIYIN_RELATED_SECONDS": "0.5",
    "ZHIYIN_ENCODE_QUERY_SECONDS": "1.0",
    "ZHIYIN_RANKER_SECONDS": "1.0",
}
"""A part counts as away when it is, not when the machine is busy with other work."""
PORTS = ("gateway", "encoder", "retrieval", "ranker", "feedback", "qdrant", "postgres", "spans")


@contextmanager
def running_stack(directory: Path, **settings) -> Iterator[Stack]:
    """Everything on free ports, from the directory's data."""
    ports = {f"{name}_port": 0 for name in PORTS}
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ZHIYIN_", "OTEL_"))}
    environment |= PATIENT
    stack = Stack(StackSettings(data_dir=directory, **ports, **settings), environment)
    asyncio.run(stack.open())
    try:
        yield stack
    finally:
        asyncio.run(stack.close())


def gateway_channel(stack: Stack) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(stack.addresses["gateway"])


def gateway_stub(channel: grpc.aio.Channel) -> GatewayServiceStub:
    return GatewayServiceStub(channel)


class Traced:
    """A W3C trace that the test begins, and the metadata that hands it on."""

    def __init__(self) -> None:
        self.trace_id, self.span_id = secrets.token_hex(16), secrets.token_hex(8)
        self.metadata = (("traceparent", f"00-{self.trace_id}-{self.span_id}-01"),)
