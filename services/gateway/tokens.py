"""What the gateway's tokens say. How they are signed is `adapters/signing.py`.

A page token holds where its page begins (for a ranked list, the rest of the frozen list) and a digest of the request
that made it. An attribution token names the list, so that what a shopper does later can be joined with what was shown;
it holds nothing about the shopper.
"""

import uuid
from typing import Final, Protocol

from services.common.errors import InvalidArgument, invalid
from services.gateway.frozen_list import FrozenList, UnreadableListError, pack, unpack

_DIGEST_BYTES: Final = 16


class Signer(Protocol):
    """Signs bytes and verifies them again; any replica with the same key can."""

    def sign(self, purpose: str, data: bytes) -> str:
        """The data with a signature and the time, as URL-safe text. A token of one purpose is void for another."""
        ...

    def verify(self, purpose: str, token: str, max_age: int | None) -> bytes | None:
        """The data; None when the token is not ours, of another purpose, or older than `max_age` seconds."""
        ...


class PageTokens:
    """Page tokens of one RPC."""

    def __init__(self, signer: Signer, purpose: str, max_age_seconds: int) -> None:
        self._signer = signer
        self._purpose = purpose
        self._max_age_seconds = max_age_seconds

    def issue(self, start: bytes, request_digest: bytes) -> str:
        """Token of the page that begins at `start`.

        Args:
            start: what the RPC needs to make the page.
            request_digest: 16 bytes that differ when another argument of the request does.
        """
        return self._signer.sign(self._purpose, request_digest + start)

    def read(self, token: str, request_digest: bytes) -> bytes:
        """Where the token's page begins.

        Raises:
            InvalidArgument: the token is not ours, of another RPC, too old, or other arguments changed with it.
        """
        data = self._signer.verify(self._purpose, token, self._max_age_seconds)
        if data is None:
            raise _refused(f"is not a token of this method, or older than {self._max_age_seconds} seconds")
        if data[:_DIGEST_BYTES] != request_digest:
            raise _refused("belongs to a request with other arguments; only page_size may change")
        return data[_DIGEST_BYTES:]


class ListTokens:
    """Tokens of the ranked lists of one RPC."""

    def __init__(self, signer: Signer, pages: PageTokens) -> None:
        self._signer = signer
        self._pages = pages

    def next_page(self, rest: FrozenList | None, request_digest: bytes) -> str:
        """Token of the page that begins with `rest`, the places not yet shown; empty where nothing is left."""
        return "" if rest is None else self._pages.issue(pack(rest), request_digest)

    def page(self, token: str, request_digest: bytes) -> FrozenList:
        """The list that a page token holds.

        Raises:
            InvalidArgument: as in `PageTokens.read`, or the list was packed by another version of this service.
        """
        data = self._pages.read(token, request_digest)
        try:
            return unpack(data)
        except UnreadableListError as exc:
            raise _refused("was made by another version of this service; begin with the first page") from exc

    def attribution(self, attribution_id: str) -> str:
        """Token that names a list."""
        return self._signer.sign("attribution", attribution_id.encode())


class AttributionTokens:
    """Reads attribution tokens."""

    def __init__(self, signer: Signer, max_age_seconds: int) -> None:
        self._signer = signer
        self._max_age_seconds = max_age_seconds

    @property
    def rule(self) -> str:
        """What a token has to be."""
        return f"must be a token of a list that was shown, at most {self._max_age_seconds} seconds old"

    def read(self, token: str) -> str | None:
        """The name of the list; None where the token is not ours or too old."""
        data = self._signer.verify("attribution", token, self._max_age_seconds)
        return None if data is None else data.decode()


def new_attribution_id() -> str:
    """A name for a list that no other one has."""
    return uuid.uuid4().hex


def _refused(description: str) -> InvalidArgument:
    return invalid("page_token", description, "INVALID_PAGE_TOKEN")
