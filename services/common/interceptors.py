"""What happens around every unary call that a server answers, in one place and in this order.

1. A request that does not parse is refused as INVALID_ARGUMENT (grpc.aio alone would answer UNKNOWN).
2. Beyond `max_concurrent_calls` a call is refused as RESOURCE_EXHAUSTED.
3. The caller's deadline becomes the context's deadline; a call without one gets the default.
4. A server span under the caller's trace, named `package.Service/Method`.
5. The servicer's method.
6. A `ServiceError` becomes a google.rpc.Status; anything else becomes INTERNAL with a request id, its cause only in
   the log.
7. Status and duration go to the span and to `rpc.server.call.duration`.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import grpc
from google.protobuf.message import DecodeError
from opentelemetry import metrics, propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from services.common import errors, status
from services.common.deadlines import deadline_after
from services.common.settings import ServiceSettings
from services.common.telemetry import DURATION_BUCKETS

logger = logging.getLogger(__name__)
_SERVER_FAULTS: Final = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
"""Codes that mark a server span as failed (OpenTelemetry's RPC conventions); the others are the caller's doing."""

Method = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[Any]]
UnaryContext = grpc.aio.ServicerContext
_Handler = Any
"""grpc.RpcMethodHandler; the stubs give its callables no common type that holds for both APIs."""
_UNTOUCHED: Final = "/grpc."
"""Health and reflection: probes would fill the traces."""


class _Unparsable:
    """Stands for a request whose bytes are no message of the declared type."""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every unary method once and keeps the wrapped handler."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._default_deadline = settings.default_deadline_seconds
        self._max_deadline = settings.max_deadline_seconds
        self._max_calls = settings.max_concurrent_calls
        self._calls = 0
        self._handlers: dict[str, tuple[_Handler, _Handler]] = {}
        self._tracer = trace.get_tracer(__name__)
        self._durations = metrics.get_meter(__name__).create_histogram(
            "rpc.server.call.duration", unit="s", explicit_bucket_boundaries_advisory=DURATION_BUCKETS
        )

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        """Hands out the wrapped handler of the method that is called."""
        name = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None or name.startswith(_UNTOUCHED):
            return handler
        known = self._handlers.get(name)
        if known is not None and known[0] is handler:
            return known[1]
        wrapped = grpc.unary_unary_rpc_method_handler(
            self._around(name.lstrip("/"), handler.unary_unary),
            request_deserializer=_parser(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )
        self._handlers[name] = (handler, wrapped)
        return wrapped

    def _around(self, name: str, method: Method) -> Method:
        attributes = {"rpc.system.name": "grpc", "rpc.method": name}

        async def call(request: Any, context: "UnaryContext[Any, Any]") -> Any:
            parent = propagate.extract(_text_metadata(context))
            started = time.perf_counter()
            with self._tracer.start_as_current_span(
                name,
                parent,
                SpanKind.SERVER,
                attributes,
                record_exception=False,
                set_status_on_exception=False,
            ) as span:
                code = "OK"
                self._calls += 1
                try:
                    with deadline_after(self._seconds(context)):
                        self._admit()
                        return await _answer(method, request, context)
                except errors.ServiceError as error:
                    code = status.code_of(error).name
                    await _refuse(context, error, span)
                except asyncio.CancelledError:
                    code = "CANCELLED"
                    raise
                finally:
                    self._calls -= 1
                    span.set_attribute("rpc.response.status_code", code)
                    if code in _SERVER_FAULTS:
                        span.set_status(Status(StatusCode.ERROR))
                        span.set_attribute("error.type", code)
                    self._durations.record(
                        time.perf_counter() - started, {**attributes, "rpc.response.status_code": code}
                    )

        return call

    def _admit(self) -> None:
        if self._calls > self._max_calls:
            raise errors.ResourceExhausted(
                f"more than {self._max_calls} calls in progress", reason="TOO_MANY_CALLS", retry_after=0.1
            )

    def _seconds(self, context: "UnaryContext[Any, Any]") -> float:
        # The stubs promise a number; grpc.aio gives None where the caller set no deadline.
        left = cast("float | None", context.time_remaining())
        return self._default_deadline if left is None else min(left, self._max_deadline)


async def _answer(method: Method, request: Any, context: "UnaryContext[Any, Any]") -> Any:
    if isinstance(request, _Unparsable):
        raise errors.invalid("request", "the bytes are not a message of the declared type", "MALFORMED")
    try:
        return await method(request, context)
    except errors.ServiceError:
        raise
    except Exception:  # the seam where an unforeseen fault becomes a status
        request_id = uuid.uuid4().hex
        logger.exception("unhandled error", extra={"request_id": request_id})
        raise errors.Internal("internal error", metadata={"request_id": request_id}) from None


async def _refuse(context: "UnaryContext[Any, Any]", error: errors.ServiceError, span: trace.Span) -> None:
    message = error.message
    if isinstance(error, errors.Internal):
        request_id = error.metadata.setdefault("request_id", uuid.uuid4().hex)
        message = f"internal error, request id {request_id}"
        error.message = message
    span.set_attribute("zhiyin.error.reason", error.reason)
    await context.abort(status.code_of(error), message, status.trailing_metadata(error))


def _parser(deserializer: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    if deserializer is None:
        return None

    def parse(data: bytes) -> Any:
        try:
            return deserializer(data)
        except DecodeError:
            return _Unparsable()

    return parse


def _text_metadata(context: "UnaryContext[Any, Any]") -> dict[str, str]:
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
