"""The one error tree.

ServiceError
├── InvalidArgument      the request breaks a rule; names the fields
├── NotFound             the named thing does not exist
├── FailedPrecondition   right request, wrong state; repeating it changes nothing
├── Aborted              somebody else changed the thing meanwhile
├── ResourceExhausted    too much at once; repeat after `retry_after`
├── Unavailable          a part is away; repeat after `retry_after`
│   └── PeerTimeout      it is there, but slower than it may be
├── DeadlineExceeded     the caller's time was over
└── Internal             our fault; the caller learns only the request id

Domain code and adapters raise these; `interceptors` alone turns them into a gRPC status. A message names fields and
limits, never the value that a shopper sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MAX_VIOLATIONS: Final = 16
"""Violations that one error carries: they travel in HTTP/2 trailers, which gRPC limits to 8 KiB."""
_IN_MESSAGE: Final = 3


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a field of the request broke."""

    field: str
    """Path of the field: `page_size`, `products[3].title`."""
    description: str
    """What is wrong and which limit holds. Never the value."""
    reason: str = "INVALID"
    """UPPER_SNAKE_CASE: `REQUIRED`, `TOO_LONG`, ..."""


class ServiceError(Exception):
    """A call that ends with a status other than OK.

    Attributes:
        reason: UPPER_SNAKE_CASE, stable, for programs (google.rpc.ErrorInfo.reason).
        metadata: every dynamic value of the message (google.rpc.ErrorInfo.metadata).
        retry_after: seconds after which a retry may help; None where none does.
    """

    reason = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after


class InvalidArgument(ServiceError):
    """The request breaks one or more rules."""

    reason = "INVALID_ARGUMENT"

    def __init__(self, violations: Sequence[Violation], *, reason: str | None = None) -> None:
        """Keeps the first `MAX_VIOLATIONS`; the message tells how many there were."""
        shown, hidden = violations[:_IN_MESSAGE], len(violations) - _IN_MESSAGE
        parts = [f"{v.field}: {v.description}" for v in shown]
        parts += [f"and {hidden} more"] if hidden > 0 else []
        super().__init__("; ".join(parts), reason=reason)
        self.violations = tuple(violations[:MAX_VIOLATIONS])


class NotFound(ServiceError):
    """The named thing does not exist."""

    reason = "NOT_FOUND"


class FailedPrecondition(ServiceError):
    """The state of the system does not allow the call, and repeating it changes nothing."""

    reason = "FAILED_PRECONDITION"


class Aborted(ServiceError):
    """Somebody else changed the thing meanwhile; read it again and repeat."""

    reason = "ABORTED"


class ResourceExhausted(ServiceError):
    """A queue or quota is full."""

    reason = "RESOURCE_EXHAUSTED"


class Unavailable(ServiceError):
    """A part that the call cannot do without is away."""

    reason = "UNAVAILABLE"


class PeerTimeout(Unavailable):
    """A peer did not answer in the time that it was given; it is there, but too slow."""

    reason = "PEER_TIMEOUT"


class DeadlineExceeded(ServiceError):
    """The caller's time was over before the work was done."""

    reason = "DEADLINE_EXCEEDED"


class Internal(ServiceError):
    """A fault of ours. The caller is told the request id and nothing else."""

    reason = "INTERNAL"


def invalid(field: str, description: str, reason: str = "INVALID") -> InvalidArgument:
    """An InvalidArgument about one field."""
    return InvalidArgument([Violation(field, description, reason)])
