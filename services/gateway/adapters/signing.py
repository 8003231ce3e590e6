"""Signatures by itsdangerous: HMAC-SHA-256, a key per purpose, and the key before the last rotation still verified."""

import hashlib
from datetime import UTC, datetime
from typing import Final

from itsdangerous import BadSignature, TimestampSigner
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.exc import BadData

from services.common.settings import SigningSettings

PURPOSES: Final = ("page", "similar-page", "recommend-page", "product-page", "attribution")
"""`page` is that of Search: tokens that callers hold outlive a release."""
_CLOCK_SKEW_SECONDS: Final = 60.0
"""By how much the clocks of two replicas may differ."""


class TokenSigner:
    """A `tokens.Signer`."""

    def __init__(self, settings: SigningSettings) -> None:
        previous = settings.previous_signing_key
        # Oldest first: itsdangerous signs with the last key and verifies with all.
        keys = [] if previous is None else [previous.get_secret_value()]
        keys.append(settings.signing_key.get_secret_value())
        self._signers = {
            purpose: TimestampSigner(keys, salt=f"zhiyin.{purpose}", digest_method=hashlib.sha256)
            for purpose in PURPOSES
        }

    def sign(self, purpose: str, data: bytes) -> str:
        """As in `tokens.Signer`."""
        return self._signers[purpose].sign(base64_encode(data)).decode()

    def verify(self, purpose: str, token: str, max_age: int | None) -> bytes | None:
        """As in `tokens.Signer`."""
        try:
            data, signed = self._signers[purpose].unsign(token, return_timestamp=True)
            # Not max_age of itsdangerous: it refuses the token of a replica whose clock is a moment ahead of ours.
            age = (datetime.now(UTC) - signed).total_seconds()
            expired = max_age is not None and not -_CLOCK_SKEW_SECONDS <= age <= max_age
            return None if expired else base64_decode(data)
        except (BadSignature, BadData, UnicodeEncodeError):
            return None
