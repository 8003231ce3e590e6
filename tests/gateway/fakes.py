"""Retrieval's services for operators, answering what a test has told them to."""

import grpc
from google.protobuf.message_factory import GetMessageClass


class ScriptedService:
    """Every method of a service: keeps the request, then answers `replies[method]`, or the method's empty reply."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self.replies = {}
        self.requests = []
        self.time_left = []
        """Seconds that each call was given."""
        self.error = None

    def add_to(self, server):
        handlers = {method.name: self._handler(method) for method in self._descriptor.methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(self._descriptor.full_name, handlers),))

    def _handler(self, method):
        async def answer(request, context):
            self.requests.append(request)
            self.time_left.append(context.time_remaining())
            if self.error is not None:
                raise self.error
            return self.replies.get(method.name, GetMessageClass(method.output_type)())

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
