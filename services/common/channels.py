"""The one place where channels are made and peers are called.

A `Peer` is one channel to one service, kept for the life of the process: `dns:///` names are resolved to all replicas
and called in turn. A call that no server has answered is retried by gRPC itself (service config; the only layer that
retries): all our calls may be repeated. Each call gets the caller's time that is left, a client span, a metric, and its
failure as a ServiceError.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

import grpc
from google.protobuf.message import Message
from opentelemetry import metrics, propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from services.common import status
from services.common.deadlines import budget
from services.common.security import channel_credentials
from services.common.settings import TransportSettings
from services.common.telemetry import DURATION_BUCKETS

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

DEFAULT_SECONDS: Final = 5.0
"""Time of a call that nobody set a deadline for (background work that forgot to); never unbounded."""

_SERVICE_CONFIG: Final = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.02s",
                    "maxBackoff": "0.2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.1},
    }
)


class UnaryCall(Generic[Request, Response]):
    """One method of one peer."""

    def __init__(self, peer: "Peer", method: str, request_type: type[Request], response_type: type[Response]) -> None:
        self._peer = peer
        self._name = method.lstrip("/")
        self._method = peer.channel.unary_unary(
            method, request_serializer=request_type.SerializeToString, response_deserializer=response_type.FromString
        )
        self._attributes = {
            "rpc.system.name": "grpc",
            "rpc.method": self._name,
            "server.address": peer.target,
        }
        self._tracer = trace.get_tracer(__name__)
        self._durations = metrics.get_meter(__name__).create_histogram(
            "rpc.client.call.duration", unit="s", explicit_bucket_boundaries_advisory=DURATION_BUCKETS
        )

    async def __call__(self, request: Request, *, at_most: float = DEFAULT_SECONDS, reserve: float = 0.0) -> Response:
        """Calls the peer.

        Args:
            request: the message to send.
            at_most: seconds that the call may take; the caller's deadline shortens them.
            reserve: seconds of the caller's time to leave for what comes after.

        Raises:
            ServiceError: the peer's own refusal, or Unavailable / DeadlineExceeded where it gave none.
        """
        seconds = budget(at_most, reserve)
        started = time.perf_counter()
        code = "OK"
        with self._tracer.start_as_current_span(
            self._name,
            None,
            SpanKind.CLIENT,
            self._attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            headers: dict[str, str] = {}
            propagate.inject(headers)
            try:
                return await self._method(request, timeout=seconds, metadata=tuple(headers.items()))
            except grpc.aio.AioRpcError as exc:
                code = exc.code().name
                raise status.from_rpc_error(exc, self._peer.name) from exc
            except asyncio.CancelledError:
                code = "CANCELLED"
                raise
            finally:
                span.set_attribute("rpc.response.status_code", code)
                if code != "OK":
                    span.set_status(Status(StatusCode.ERROR))
                    span.set_attribute("error.type", code)
                self._durations.record(
                    time.perf_counter() - started, {**self._attributes, "rpc.response.status_code": code}
                )


class Peer:
    """A service that this one calls, behind one channel."""

    def __init__(self, name: str, target: str, channel: grpc.aio.Channel) -> None:
        self.name = name
        self.target = target
        self.channel = channel

    def unary(
        self,
        method: str,
        request_type: type[Request],
        response_type: type[Response],
    ) -> UnaryCall[Request, Response]:
        """The method of that path, `/package.Service/Method`, as a typed coroutine function."""
        return UnaryCall(self, method, request_type, response_type)


@asynccontextmanager
async def open_peer(name: str, target: str, settings: TransportSettings) -> AsyncIterator[Peer]:
    """A peer by its short name (`encoder`) and gRPC target (`dns:///encoder:50051`)."""
    credentials = channel_credentials(settings)
    options = _options(settings)
    channel = (
        grpc.aio.insecure_channel(target, options=options)
        if credentials is None
        else grpc.aio.secure_channel(target, credentials, options=options)
    )
    # Begins to connect now: the first caller may have less time than that takes.
    channel.get_state(try_to_connect=True)
    try:
        yield Peer(name, target, channel)
    finally:
        await channel.close(grace=1.0)


def _options(settings: TransportSettings) -> list[tuple[str, Any]]:
    backoff_ms = int(settings.reconnect_backoff_seconds * 1000)
    return [
        ("grpc.service_config", _SERVICE_CONFIG),
        ("grpc.enable_retries", 1),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.keepalive_time_ms", int(settings.keepalive_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", 5000),
        ("grpc.initial_reconnect_backoff_ms", min(100, backoff_ms)),
        ("grpc.min_reconnect_backoff_ms", min(100, backoff_ms)),
        ("grpc.max_reconnect_backoff_ms", backoff_ms),
        # A process of its own pool: two peers of one name (tests, index versions) never share a broken connection.
        ("grpc.use_local_subchannel_pool", 1),
    ]
