"""Between the encoder's protobuf and its domain."""

from collections.abc import Mapping
from typing import Final, TypeAlias, TypeVar

from google.protobuf.duration_pb2 import Duration

from services.common.errors import invalid
from services.encoder.batching import Lane
from services.encoder.encoding import EncodeRequest, EncodeResult, OverLength
from services.encoder.model import ModelDescription, ModelIdentity, Purpose, Vectors
from zhiyin.common.v1 import model_pb2, vector_pb2
from zhiyin.encoder.v1 import encoder_service_pb2 as pb

V = TypeVar("V")
VectorType: TypeAlias = "vector_pb2.VectorType.ValueType"

_PURPOSES: Final[Mapping[int, Purpose]] = {pb.PURPOSE_QUERY: Purpose.QUERY, pb.PURPOSE_DOCUMENT: Purpose.DOCUMENT}
_LANES: Final[Mapping[int, Lane]] = {
    pb.LANE_UNSPECIFIED: Lane.INTERACTIVE,
    pb.LANE_INTERACTIVE: Lane.INTERACTIVE,
    pb.LANE_BULK: Lane.BULK,
}
_OVER_LENGTHS: Final[Mapping[int, OverLength]] = {
    pb.OVER_LENGTH_UNSPECIFIED: OverLength.TRUNCATE,
    pb.OVER_LENGTH_TRUNCATE: OverLength.TRUNCATE,
    pb.OVER_LENGTH_REFUSE: OverLength.REFUSE,
}
_VECTOR_TYPES: Final[Mapping[int, VectorType]] = {
    vector_pb2.VECTOR_TYPE_UNSPECIFIED: vector_pb2.VECTOR_TYPE_FLOAT32,
    vector_pb2.VECTOR_TYPE_FLOAT32: vector_pb2.VECTOR_TYPE_FLOAT32,
    vector_pb2.VECTOR_TYPE_FLOAT16: vector_pb2.VECTOR_TYPE_FLOAT16,
}
_DTYPES: Final[Mapping[int, str]] = {
    vector_pb2.VECTOR_TYPE_FLOAT32: "<f4",
    vector_pb2.VECTOR_TYPE_FLOAT16: "<f2",
}


def encode_request(request: pb.EncodeTextsRequest) -> EncodeRequest:
    """Reads a request.

    Raises:
        InvalidArgument: an enum has no or an unknown value.
    """
    return EncodeRequest(
        texts=tuple(request.texts),
        purpose=_known("purpose", _PURPOSES, request.purpose),
        lane=_known("lane", _LANES, request.lane),
        over_length=_known("over_length", _OVER_LENGTHS, request.over_length),
        model_revision=request.model_revision,
    )


def vector_type(request: pb.EncodeTextsRequest) -> VectorType:
    """Element type of the reply.

    Raises:
        InvalidArgument: it is unknown.
    """
    return _known("vector_type", _VECTOR_TYPES, request.vector_type)


def encode_response(result: EncodeResult, model: ModelDescription, kind: VectorType) -> pb.EncodeTextsResponse:
    """Writes a reply."""
    usage = model_pb2.ModelUsage(
        model=_identity(model.identity),
        tokens=result.tokens,
        queue_time=_duration(result.queue_seconds),
        compute_time=_duration(result.compute_seconds),
    )
    encodings = [
        pb.TextEncoding(token_count=e.token_count, truncated=e.truncated, empty=e.empty) for e in result.encodings
    ]
    return pb.EncodeTextsResponse(vectors=_block(result.vectors, kind), encodings=encodings, usage=usage)


def model_response(model: ModelDescription) -> pb.GetModelResponse:
    """Writes what there is to know of the model."""
    return pb.GetModelResponse(
        model=_identity(model.identity),
        max_tokens=model.max_tokens,
        pooling=model.pooling.value,
        normalised=model.normalised,
        query_prompt=model.query_prompt,
        document_prompt=model.document_prompt,
        mean_vector=_block(model.mean_vector[None, :], vector_pb2.VECTOR_TYPE_FLOAT32),
        device=model.device,
        compute_type=model.compute_type.value,
        parity_cosine=model.parity_cosine,
    )


def _known(field: str, values: Mapping[int, V], value: int) -> V:
    if value not in values:
        raise invalid(field, "must be set" if value == 0 else "unknown value", "REQUIRED" if value == 0 else "UNKNOWN")
    return values[value]


def _block(vectors: Vectors, kind: VectorType) -> vector_pb2.VectorBlock:
    data = vectors.astype(_DTYPES[kind], copy=False).tobytes()
    return vector_pb2.VectorBlock(data=data, type=kind, dims=vectors.shape[1])


def _identity(identity: ModelIdentity) -> model_pb2.ModelIdentity:
    return model_pb2.ModelIdentity(name=identity.name, revision=identity.revision, dims=identity.dims)


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration
