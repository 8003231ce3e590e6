"""Visitors: known by a keyed hash, never by the pseudonym that the shop sent."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from services.common.errors import Violation

MAX_VISITOR_ID_LENGTH: Final = 128


@dataclass(frozen=True, slots=True)
class VisitorHash:
    """Stands for a visitor of one catalogue."""

    digest: bytes
    """32 bytes."""
    key_version: int


class VisitorHasher:
    """Makes hashes with one key: HMAC-SHA256 (RFC 2104) of catalogue and visitor id.

    The catalogue takes part, so that the visitors of two shops cannot be matched with one another.
    """

    def __init__(self, key: str, key_version: int) -> None:
        self._key = key.encode()
        self._key_version = key_version

    def hash(self, catalog: str, visitor_id: str) -> VisitorHash:
        """The hash of a visitor. A catalogue's name holds no zero byte, so no two pairs give the same message."""
        message = b"\0".join((catalog.encode(), visitor_id.encode()))
        return VisitorHash(hmac.digest(self._key, message, hashlib.sha256), self._key_version)


def visitor_id_violation(visitor_id: str, field: str) -> Violation | None:
    """What is wrong with a visitor id that is not empty."""
    if len(visitor_id) > MAX_VISITOR_ID_LENGTH:
        return Violation(field, f"must have at most {MAX_VISITOR_ID_LENGTH} characters", "TOO_LONG")
    return None
