"""The gRPC server: one place where requests are parsed, and one where errors become statuses."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import grpc
from google.protobuf.message import DecodeError

from local.qdrant.collections import Collections
from local.qdrant.methods import Method, methods
from local.qdrant.refusals import RefusedError, bad_input, engine_errors, not_served

# A batch of 500 products with vectors of 1,024 dimensions is 3 MB; a reply of 500 with them, the same.
MESSAGE_BYTES = 64 * 1024 * 1024
CONCURRENT_CALLS = 256

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"  # generic in the stubs only


class Front(grpc.GenericRpcHandler):
    """Finds the method of a call; a call of any other is answered UNIMPLEMENTED, with the way out."""

    def __init__(self, served: dict[str, Method], writable: asyncio.Event) -> None:
        self._handlers = {name: handler(method, writable) for name, method in served.items()}

    def service(self, call: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        """The handler of a call."""
        served = self._handlers.get(call.method)
        return served if served is not None else grpc.unary_unary_rpc_method_handler(refusal(call.method))


def handler(method: Method, writable: asyncio.Event) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """Takes and returns bytes, so that bytes which do not parse are refused like any bad request.

    The engine is called on the event loop: it holds the interpreter's lock in every call, so a thread would
    change nothing but the cost. The process has nothing else to do.
    """

    async def call(given: bytes, context: Context) -> bytes:
        left: float | None = context.time_remaining()  # None without a deadline, whatever the stubs say
        if left is not None and left <= 0:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed while the call waited")
        if method.writes:
            await writable.wait()
        try:
            return answer(method, given)
        except RefusedError as refused:
            await context.abort(refused.code, refused.message)
            raise AssertionError("abort returned") from refused

    return grpc.unary_unary_rpc_method_handler(call)


def answer(method: Method, given: bytes) -> bytes:
    """Parses, answers, serialises.

    Raises:
        RefusedError: The request was refused, or the engine failed.
    """
    started = time.perf_counter()
    with engine_errors():
        try:
            request = method.request.FromString(given)
        except DecodeError as exc:
            raise bad_input("the request is not a message of this method") from exc
        reply = method.answer(request)
    serialised: bytes = reply if isinstance(reply, bytes) else reply.SerializeToString()
    if "time" not in method.reply.DESCRIPTOR.fields_by_name:
        return serialised
    taken: bytes = method.reply(time=time.perf_counter() - started).SerializeToString()
    return serialised + taken


def refusal(name: str) -> Callable[[bytes, Context], Awaitable[bytes]]:
    """The handler of a method that is not on the list."""

    async def call(_: bytes, context: Context) -> bytes:
        refused = not_served(name.lstrip("/"))
        await context.abort(refused.code, refused.message)
        raise AssertionError("abort returned")

    return call


async def open_server(collections: Collections, host: str, port: int) -> tuple[grpc.aio.Server, int]:
    """Starts a server on open collections and returns it with its port.

    Raises:
        RuntimeError: The port is taken.
    """
    options = [
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.max_send_message_length", MESSAGE_BYTES),
    ]
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=CONCURRENT_CALLS)
    server.add_generic_rpc_handlers((Front(methods(collections), collections.writable),))
    bound = server.add_insecure_port(f"{host}:{port}")
    await server.start()
    return server, bound
