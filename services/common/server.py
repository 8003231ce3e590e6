"""The one bootstrap: every service is started, made healthy, drained and stopped here.

`run` is all that a service's `__main__` calls. Tests use `open_server` with the same options on port 0.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.common.errors import Unavailable
from services.common.interceptors import CallInterceptor
from services.common.security import server_credentials
from services.common.settings import ServiceSettings, SettingsError, load_or_exit
from services.common.telemetry import open_telemetry

logger = logging.getLogger(__name__)
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_PROBE_PAUSE: Final = 1.0

S = TypeVar("S", bound=ServiceSettings)


@dataclass(frozen=True, slots=True)
class Registration:
    """A gRPC service that a process offers."""

    name: str
    """Full name, `zhiyin.encoder.v1.EncoderService`."""
    add_to: Callable[[grpc.aio.Server], None]
    """Adds the servicer to a server."""
    is_healthy: Callable[[], Awaitable[bool]] | None = None
    """Asked about once a second; False turns health to NOT_SERVING. Never asks a peer. None = always healthy."""


OpenService = Callable[[S], AbstractAsyncContextManager[Sequence[Registration]]]
"""Wires a service: connects its parts and yields what it offers."""


def run(name: str, settings_class: type[S], open_service: OpenService[S], further: Sequence[str] = ()) -> None:
    """Runs a service until SIGTERM or SIGINT: settings, telemetry, listen, wire, serve, drain, close.

    `further` names the gRPC services beside the one of its own name, `IndexAdminService`: health and reflection know
    them from the first moment.
    """
    settings = load_or_exit(settings_class)
    names = [f"zhiyin.{name}.v1.{service}" for service in (f"{name.capitalize()}Service", *further)]
    try:
        asyncio.run(_serve(name, names, settings, open_service))
    except SettingsError as exc:
        raise SystemExit(str(exc)) from None


async def _serve(name: str, names: Sequence[str], settings: S, open_service: OpenService[S]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    async with open_telemetry(name, settings), _listen(settings, names) as listener:
        logger.info("starting", extra={"address": listener.address})
        async with open_service(settings) as services, listener.serving(services):
            logger.info("serving", extra={"address": listener.address})
            await stop.wait()
            logger.info("draining", extra={"seconds": settings.drain_seconds})


@asynccontextmanager
async def open_server(settings: ServiceSettings, services: Sequence[Registration]) -> AsyncIterator[str]:
    """Serves services that are wired already; yields the address. Leaving it drains and closes."""
    async with (
        _listen(settings, [service.name for service in services]) as listener,
        listener.serving(services),
    ):
        yield listener.address


class _ServiceTable(grpc.GenericRpcHandler):
    """The methods of a process; callable before the service is wired, when each answers UNAVAILABLE.

    Takes the place of the server in the generated `add_...Servicer_to_server`: grpc.aio takes no handlers once it
    listens, and health has to be answered while a model loads.
    """

    def __init__(self) -> None:
        self._handlers: list[grpc.GenericRpcHandler] = []
        self.ready = False

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        self._handlers.extend(handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Any) -> None:
        """The generic handlers already hold them."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        for handlers in self._handlers:
            method = handlers.service(handler_call_details)
            if method is not None:
                return method
        return None if self.ready else _STARTING


async def _answer_starting(_request: Any, _context: Any) -> Any:
    raise Unavailable("the service is starting", reason="STARTING", retry_after=1.0)


_STARTING: Final["grpc.RpcMethodHandler[Any, Any]"] = grpc.unary_unary_rpc_method_handler(_answer_starting)


class _Listener:
    """A server that listens, and answers health from the first moment."""

    def __init__(self, settings: ServiceSettings, names: Sequence[str]) -> None:
        self._settings = settings
        self._names = ["", *names]
        self._table = _ServiceTable()
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(interceptors=[CallInterceptor(settings)], options=_options(settings))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        self._server.add_generic_rpc_handlers((self._table,))
        self._probe_server = grpc.aio.server()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._probe_server)
        self.address = ""

    async def start(self) -> None:
        await self._set_health(_NOT_SERVING)
        host, _, _ = self._settings.bind.rpartition(":")
        self.address = f"{host}:{_bind(self._server, self._settings)}"
        await self._server.start()
        if self._settings.tls_health_bind is not None:
            self._probe_server.add_insecure_port(self._settings.tls_health_bind)
            await self._probe_server.start()

    @asynccontextmanager
    async def serving(self, services: Sequence[Registration]) -> AsyncIterator[None]:
        """Admits calls inside; afterwards none begins, and those in progress get `drain_seconds` to finish."""
        for service in services:
            service.add_to(self._table)  # type: ignore[arg-type]
        self._table.ready = True
        await self._set_health(_SERVING)
        watch = asyncio.create_task(self._watch([s.is_healthy for s in services if s.is_healthy is not None]))
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            await self._health.enter_graceful_shutdown()
            await self._server.stop(self._settings.drain_seconds)

    async def stop(self) -> None:
        await self._server.stop(None)
        await self._probe_server.stop(None)

    async def _set_health(self, state: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
        for name in self._names:
            await self._health.set(name, state)

    async def _watch(self, checks: Sequence[Callable[[], Awaitable[bool]]]) -> None:
        healthy = True
        while checks:
            await asyncio.sleep(_PROBE_PAUSE)
            now = all([await check() for check in checks])
            if now is not healthy:
                healthy = now
                logger.warning("health changed", extra={"healthy": healthy})
                await self._set_health(_SERVING if healthy else _NOT_SERVING)


@asynccontextmanager
async def _listen(settings: ServiceSettings, names: Sequence[str]) -> AsyncIterator[_Listener]:
    listener = _Listener(settings, names)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop()


def _bind(server: grpc.aio.Server, settings: ServiceSettings) -> int:
    credentials = server_credentials(settings)
    try:
        if credentials is None:
            return server.add_insecure_port(settings.bind)
        return server.add_secure_port(settings.bind, credentials)
    except RuntimeError:
        raise SettingsError(f"cannot listen on ZHIYIN_BIND={settings.bind}: the address is taken or not ours") from None


def _options(settings: ServiceSettings) -> list[tuple[str, int]]:
    return [
        # Without it two processes could share a port and each get half of the calls.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.keepalive_time_ms", int(settings.keepalive_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", 5000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # gRPC spreads the age by 10% either way, so that clients do not all come back at once.
        ("grpc.max_connection_age_ms", int(settings.max_connection_age_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", int(settings.max_deadline_seconds * 1000)),
    ]
