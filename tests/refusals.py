"""What a refused call says, read by the standard library for it (grpcio-status), not by our own code."""

from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@dataclass(frozen=True)
class Refusal:
    code: grpc.StatusCode
    message: str
    reason: str
    domain: str
    metadata: dict[str, str]
    fields: dict[str, str]
    """Field path -> reason."""
    descriptions: dict[str, str]
    retry_seconds: float | None


def refusal(error: grpc.aio.AioRpcError) -> Refusal:
    status = rpc_status.from_call(_Call(error))
    assert status is not None, f"no google.rpc.Status came with {error.code()}: {error.details()}"
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    kinds = [detail.type_url for detail in status.details]
    assert len(kinds) == len(set(kinds)), "each kind of detail at most once (AIP-193)"
    for detail in status.details:
        for target in (info, bad, retry):
            detail.Unpack(target)
    return Refusal(
        error.code(),
        status.message,
        info.reason,
        info.domain,
        dict(info.metadata),
        {v.field: v.reason for v in bad.field_violations},
        {v.field: v.description for v in bad.field_violations},
        retry.retry_delay.ToNanoseconds() / 1e9 if retry.HasField("retry_delay") else None,
    )


class _Call:
    """The synchronous face that grpcio-status expects."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self._error = error

    def trailing_metadata(self):
        return self._error.trailing_metadata()

    def code(self):
        return self._error.code()

    def details(self):
        return self._error.details()
