"""ServiceError to google.rpc.Status and back: the only place that knows both.

A refused call carries ErrorInfo always, BadRequest where fields are at fault, RetryInfo where a retry helps
(AIP-193), all in the standard `grpc-status-details-bin` trailer.
"""

from typing import Final

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from services.common import errors

DOMAIN: Final = "zhiyin"
DETAILS_KEY: Final = "grpc-status-details-bin"
PUSHBACK_KEY: Final = "grpc-retry-pushback-ms"

_CODES: Final[dict[type[errors.ServiceError], grpc.StatusCode]] = {
    errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Aborted: grpc.StatusCode.ABORTED,
    errors.ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Internal: grpc.StatusCode.INTERNAL,
}
_RECONNECT_SECONDS: Final = 1.0
"""When to come back to a peer that could not be reached: by then the channel has tried to connect again."""
_TYPES: Final = {code: error for error, code in _CODES.items()}

Metadata = tuple[tuple[str, str | bytes], ...]


def code_of(error: errors.ServiceError) -> grpc.StatusCode:
    """The gRPC code of an error."""
    return next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)


def trailing_metadata(error: errors.ServiceError) -> Metadata:
    """Trailers of a refused call: the packed google.rpc.Status, and for the client's retry policy a push-back.

    The push-back is negative ("do not retry") for everything that this server decided itself. Only a call that no
    server has answered is retried, at one layer, so attempts never multiply from hop to hop.
    """
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)]
    if isinstance(error, errors.InvalidArgument):
        details.append(_bad_request(error))
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code_of(error).value[0], message=error.message)
    status.details.extend(_pack(detail) for detail in details)
    return ((DETAILS_KEY, status.SerializeToString()), (PUSHBACK_KEY, "-1"))


def from_rpc_error(exc: grpc.aio.AioRpcError, peer: str) -> errors.ServiceError:
    """What a failed call to `peer` means for the service that made it.

    Reason, metadata and field violations that the peer gave are kept. A code outside the tree (UNKNOWN, UNIMPLEMENTED,
    DATA_LOSS, ...) is a fault between our own parts, hence Internal. CANCELLED from a peer means that it is going
    away, and DEADLINE_EXCEEDED that it is slower than it may be: for our own caller both are a part that is away.
    """
    code = exc.code()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.PeerTimeout(
            f"{peer} did not answer in time",
            reason=f"{peer.upper()}_TIMEOUT",
            metadata={"peer": peer},
            retry_after=_RECONNECT_SECONDS,
        )
    if code is grpc.StatusCode.CANCELLED:
        code = grpc.StatusCode.UNAVAILABLE
    error_type = _TYPES.get(code, errors.Internal)
    info, bad_request, retry = _details(exc)
    if error_type is errors.InvalidArgument:
        violations = [
            errors.Violation(v.field, v.description, v.reason or "INVALID") for v in bad_request.field_violations
        ]
        return errors.InvalidArgument(
            violations or [errors.Violation(peer, "refused the request")], reason=info.reason or None
        )
    retry_after = retry.retry_delay.ToNanoseconds() / 1e9 if retry.HasField("retry_delay") else None
    metadata = {**info.metadata, "peer": info.metadata.get("peer", peer)}
    if info.reason:
        return error_type(
            exc.details() or f"{peer} refused", reason=info.reason, metadata=metadata, retry_after=retry_after
        )
    if error_type is errors.Unavailable and retry_after is None:
        retry_after = _RECONNECT_SECONDS
    # No ErrorInfo: the answer is gRPC's own or a foreign server's, whose text may hold what must not leave.
    return error_type(
        f"{peer}: {code.name}",
        reason=f"{peer.upper()}_{code.name}",
        metadata=metadata,
        retry_after=retry_after,
    )


def _bad_request(error: errors.InvalidArgument) -> error_details_pb2.BadRequest:
    bad_request = error_details_pb2.BadRequest()
    for violation in error.violations:
        bad_request.field_violations.add(
            field=violation.field, description=violation.description, reason=violation.reason
        )
    return bad_request


def _details(
    exc: grpc.aio.AioRpcError,
) -> tuple[error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo]:
    info, bad_request, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    status = status_pb2.Status()
    for key, value in exc.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                status.ParseFromString(value)
            except DecodeError:
                break
    for packed in status.details:
        for target in (info, bad_request, retry):
            packed.Unpack(target)
    return info, bad_request, retry


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
