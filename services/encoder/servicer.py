"""EncoderService over gRPC."""

from typing import Any

import grpc

from services.encoder import convert
from services.encoder.encoding import TextEncoder
from zhiyin.encoder.v1 import encoder_service_pb2 as pb
from zhiyin.encoder.v1 import encoder_service_pb2_grpc as rpc

Context = grpc.aio.ServicerContext[Any, Any]


class EncoderServicer(rpc.EncoderServiceServicer):
    """Convert in, call, convert out."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder

    async def EncodeTexts(self, request: pb.EncodeTextsRequest, context: Context) -> pb.EncodeTextsResponse:
        kind = convert.vector_type(request)
        result = await self._encoder.encode(convert.encode_request(request))
        return convert.encode_response(result, self._encoder.description, kind)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        return convert.model_response(self._encoder.description)
