"""Visitors: known by a keyed hash, never by the pseudonym that the shop sent."""

import hmac
from dataclasses import dataclass
from typing import Final

from services.common.errors import Violation

MAX_VISITOR_ID_LENGTH: Final = 128
# No catalogue's name holds a capital letter: an account or a visit never has the hash of a visitor.
_USER: Final = "USER"
_SESSION: Final = "SESSION"
_EVENT_DIGEST: Final = b"EVENT DIGEST"


@dataclass(frozen=True, slots=True)
class VisitorHash:
    """Stands for a visitor of one catalogue."""

    digest: bytes
    """32 bytes."""
    key_version: int


class VisitorHasher:
    """Makes hashes with one key: HMAC-SHA256 (RFC 2104) of catalogue and id.

    The catalogue takes part, so that the visitors of two shops cannot be matched with one another; accounts and visits
    have a prefix of their own, so that equal ids of two kinds have different hashes.
    """

    def __init__(self, key: str, key_version: int) -> None:
        self._key = key.encode()
        self._key_version = key_version

    @property
    def key_version(self) -> int:
        """Number of the key."""
        return self._key_version

    @property
    def event_key(self) -> bytes:
        """Key of the digests of what events say, 32 bytes."""
        return hmac.digest(self._key, _EVENT_DIGEST, "sha256")

    def hash(self, catalog: str, visitor_id: str) -> VisitorHash:
        """The hash of a visitor. A catalogue's name holds no zero byte, so no two pairs give the same message."""
        return VisitorHash(self.visitors(catalog)[visitor_id], self._key_version)

    def hash_user(self, catalog: str, user_id: str) -> VisitorHash:
        """The hash of an account."""
        return VisitorHash(self.users(catalog)[user_id], self._key_version)

    def hash_session(self, catalog: str, session_id: str) -> VisitorHash:
        """The hash of a visit."""
        return VisitorHash(self.sessions(catalog)[session_id], self._key_version)

    def visitors(self, catalog: str) -> "Hashes":
        """Digests of the visitors of a catalogue, as `hash` makes them."""
        return Hashes(self._key, f"{catalog}\0")

    def users(self, catalog: str) -> "Hashes":
        """Digests of its accounts, as `hash_user` makes them."""
        return Hashes(self._key, f"{_USER}\0{catalog}\0")

    def sessions(self, catalog: str) -> "Hashes":
        """Digests of its visits, as `hash_session` makes them."""
        return Hashes(self._key, f"{_SESSION}\0{catalog}\0")


class Hashes(dict[str, bytes]):
    """Digests by pseudonym, each made when first asked for: the events of a batch are often of few visitors."""

    def __init__(self, key: bytes, prefix: str) -> None:
        super().__init__()
        # Copied for each: taking in the key anew costs more than all the rest.
        self._begun = hmac.new(key, prefix.encode(), "sha256")

    def __missing__(self, pseudonym: str) -> bytes:
        mac = self._begun.copy()
        mac.update(pseudonym.encode())
        digest = self[pseudonym] = mac.digest()
        return digest


def visitor_id_violation(visitor_id: str, field: str) -> Violation | None:
    """What is wrong with a visitor id that is not empty."""
    if len(visitor_id) > MAX_VISITOR_ID_LENGTH:
        return Violation(field, f"must have at most {MAX_VISITOR_ID_LENGTH} characters", "TOO_LONG")
    return None
