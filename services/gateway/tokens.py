"""What the gateway's tokens say. How they are signed is `adapters/signing.py`.

A page token holds a frozen list and a digest of the request that made it. An attribution token names the list, so that
what a shopper does later can be joined with what was shown; it holds nothing about the shopper.
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


class Tokens:
    """Issues and reads tokens."""

    def __init__(self, signer: Signer, page_token_seconds: int) -> None:
        self._signer = signer
        self._page_token_seconds = page_token_seconds

    def next_page(self, rest: FrozenList | None, request_digest: bytes) -> str:
        """Token of the page that begins with `rest`; empty where nothing is left.

        Args:
            rest: the places not yet shown.
            request_digest: 16 bytes that differ when another argument of the request does.
        """
        return "" if rest is None else self._signer.sign("page", request_digest + pack(rest))

    def page(self, token: str, request_digest: bytes) -> FrozenList:
        """The list that a page token holds.

        Raises:
            InvalidArgument: the token is not ours, too old, or other arguments changed with it.
        """
        data = self._signer.verify("page", token, self._page_token_seconds)
        if data is None:
            raise _refused(f"is not a token of this service, or older than {self._page_token_seconds} seconds")
        if data[:_DIGEST_BYTES] != request_digest:
            raise _refused("belongs to a request with other arguments; only page_size may change")
        try:
            return unpack(data[_DIGEST_BYTES:])
        except UnreadableListError as exc:
            raise _refused("was made by another version of this service; begin with the first page") from exc

    def attribution(self, attribution_id: str) -> str:
        """Token that names a list."""
        return self._signer.sign("attribution", attribution_id.encode())


def new_attribution_id() -> str:
    """A name for a list that no other one has."""
    return uuid.uuid4().hex


def _refused(description: str) -> InvalidArgument:
    return invalid("page_token", description, "INVALID_PAGE_TOKEN")
