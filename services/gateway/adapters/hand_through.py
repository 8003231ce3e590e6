"""RPCs of the public API that another service answers under the same name.

Their messages are field for field those of that service (held by `tests/contract`), so the public message itself is
what travels: nothing is copied. Fields that the public message lacks are dropped on both ways: the public API is what
its protos say, whatever version the other service has.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from services.common.channels import Peer
from services.common.deadlines import deadline_after, detached

Context = grpc.aio.ServicerContext[Any, Any]
LONGEST_SECONDS: Final = 120.0
"""Of one call; the caller's own deadline is always shorter."""


class HandedThrough:
    """Some methods of one public service, called at another service."""

    def __init__(self, peer: Peer, methods: Sequence[Any], at: str, reserve_seconds: float) -> None:
        """Prepares the calls.

        Args:
            peer: the service that answers.
            methods: descriptors of the public methods.
            at: full name of the service that answers them.
            reserve_seconds: the caller's time that is kept back for the reply.
        """
        self._reserve = reserve_seconds
        self._calls = {
            method.name: peer.unary(
                f"/{at}/{method.name}", GetMessageClass(method.input_type), GetMessageClass(method.output_type)
            )
            for method in methods
        }

    @property
    def names(self) -> Sequence[str]:
        """Names of the methods."""
        return list(self._calls)

    async def call(self, name: str, request: Message) -> Any:
        """The other service's reply to a method.

        Raises:
            ServiceError: its own refusal, unchanged, or Unavailable where it gave none in the caller's time.
        """
        request.DiscardUnknownFields()
        reply = await self._calls[name](request, at_most=LONGEST_SECONDS, reserve=self._reserve)
        reply.DiscardUnknownFields()
        return reply


class AdminService:
    """A whole public service that is handed through. Its calls may take longer than a shopper's."""

    def __init__(
        self,
        descriptor: ServiceDescriptor,
        handed: Sequence[HandedThrough],
        deadline_seconds: float,
    ) -> None:
        """Prepares the methods.

        Args:
            descriptor: the public service.
            handed: what answers its methods, each of them once.
            deadline_seconds: time of a call whose caller set no deadline.
        """
        self.name: str = descriptor.full_name
        self._methods = descriptor.methods
        self._deadline = deadline_seconds
        self._handed = {name: one for one in handed for name in one.names}

    def add_to(self, server: grpc.aio.Server) -> None:
        """Has a server answer the methods."""
        handlers = {method.name: self._handler(method) for method in self._methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(self.name, handlers),))

    def _handler(self, method: Any) -> "grpc.RpcMethodHandler[Any, Any]":
        handed = self._handed[method.name]

        async def answer(request: Message, context: Context) -> Any:
            # The stubs promise a number; grpc.aio gives None where the caller set no deadline.
            if cast("float | None", context.time_remaining()) is not None:
                return await handed.call(method.name, request)
            with detached(), deadline_after(self._deadline):
                return await handed.call(method.name, request)

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
