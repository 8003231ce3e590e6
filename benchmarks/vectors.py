"""An encoder that makes vectors up: for figures in which no text is encoded, or in which encoding is not the point."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, Final

import numpy as np

from services.common.server import Registration, open_server
from services.common.settings import ServiceSettings
from zhiyin.common.v1 import vector_pb2
from zhiyin.encoder.v1 import encoder_service_pb2 as pb
from zhiyin.encoder.v1 import encoder_service_pb2_grpc as rpc

DIMS: Final = 384
"""Those of the default model."""
_SERVICE: Final = "zhiyin.encoder.v1.EncoderService"
_NAME, _REVISION = "made-up", "0" * 40


class MadeUpEncoder(rpc.EncoderServiceServicer):
    """Every text has a direction of its own; like a real model's, all of them share one large part."""

    def __init__(self) -> None:
        self._mean = np.full(DIMS, 0.9 / np.sqrt(DIMS), np.float32)

    async def EncodeTexts(self, request: pb.EncodeTextsRequest, context: Any) -> pb.EncodeTextsResponse:  # noqa: ARG002, N802
        half = request.vector_type == vector_pb2.VECTOR_TYPE_FLOAT16
        rows = np.stack([self._vector(text) for text in request.texts]).astype("<f2" if half else "<f4")
        reply = pb.EncodeTextsResponse(encodings=[pb.TextEncoding(token_count=1) for _ in request.texts])
        reply.vectors.data, reply.vectors.type, reply.vectors.dims = rows.tobytes(), request.vector_type, DIMS
        reply.usage.model.name, reply.usage.model.revision, reply.usage.model.dims = _NAME, _REVISION, DIMS
        return reply

    async def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.GetModelResponse:  # noqa: ARG002, N802
        reply = pb.GetModelResponse(normalised=True)
        reply.model.name, reply.model.revision, reply.model.dims = _NAME, _REVISION, DIMS
        reply.mean_vector.data, reply.mean_vector.dims = self._mean.tobytes(), DIMS
        reply.mean_vector.type = vector_pb2.VECTOR_TYPE_FLOAT32
        return reply

    def _vector(self, text: str) -> "np.ndarray[Any, np.dtype[np.float32]]":
        seed = int.from_bytes(sha256(text.encode()).digest()[:8], "little")
        own = np.random.default_rng(seed).standard_normal(DIMS).astype(np.float32)
        vector = self._mean + 0.4 * own / np.linalg.norm(own)
        return vector / np.linalg.norm(vector)


@asynccontextmanager
async def made_up_vectors() -> AsyncIterator[str]:
    """The encoder within this process; yields host:port."""
    encoder = MadeUpEncoder()
    registration = Registration(_SERVICE, lambda server: rpc.add_EncoderServiceServicer_to_server(encoder, server))
    settings = ServiceSettings(bind="127.0.0.1:0", drain_seconds=0.1)
    async with open_server(settings, [registration]) as address:
        yield address
