"""Where a verification goes on: opaque to callers, checked when it comes back."""

import json
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Final

from services.common.errors import Violation
from services.retrieval.requests import require

_MOST_CHARACTERS: Final = 2_000


class Phase(Enum):
    """What is gone through."""

    POINTS = "points"
    PRODUCTS = "products"


@dataclass(frozen=True, slots=True)
class VerifyPosition:
    """How far a verification is, and what of."""

    catalog: str
    asked: int
    """Number that the request names; 0 = the active version."""
    number: int
    """The version that was active when the verification began, or the one that was named."""
    repairs: bool
    phase: Phase = Phase.POINTS
    last: str = ""
    """Id of the next point, or of the last product; empty = from the beginning."""


def packed(position: VerifyPosition) -> str:
    """The token of a position."""
    fields = {**asdict(position), "phase": position.phase.value}
    return urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode()


def unpacked(token: str, catalog: str, number: int, *, repairs: bool) -> VerifyPosition:
    """The position of a token.

    Raises:
        InvalidArgument: it is none, or that of another verification.
    """
    position = _position(token)
    if position is None:
        require([Violation("page_token", "is none that this service gave", "INVALID_FORMAT")])
        raise AssertionError
    if (position.catalog, position.asked, position.repairs) != (catalog, number, repairs):
        require([Violation("page_token", "belongs to a verification with other fields", "MISMATCH")])
    return position


def _position(token: str) -> VerifyPosition | None:
    if len(token) > _MOST_CHARACTERS:
        return None
    try:
        fields = json.loads(urlsafe_b64decode(token.encode("ascii")))
        sound = _is_sound(fields)
    except (BadBase64, ValueError, TypeError, KeyError, RecursionError):
        return None
    return VerifyPosition(**{**fields, "phase": Phase(fields["phase"])}) if sound else None


def _is_sound(fields: Any) -> bool:
    """Whether parsed JSON holds a position. Raises KeyError, TypeError or ValueError where its form is another."""
    texts, numbers = (fields["catalog"], fields["last"]), (fields["asked"], fields["number"])
    return (
        fields.keys() == VerifyPosition.__dataclass_fields__.keys()
        and all(isinstance(text, str) and "\0" not in text for text in texts)
        and all(type(number) is int and 0 <= number < 2**31 for number in numbers)
        and isinstance(fields["repairs"], bool)
        and (Phase(fields["phase"]) is Phase.PRODUCTS or not fields["last"] or _is_point(fields["last"]))
    )


def _is_point(text: str) -> bool:
    """Whether it is what Qdrant names a point by: a UUID, or a number."""
    try:
        uuid.UUID(text)
    except ValueError:
        return text.isascii() and text.isdigit() and int(text) < 2**64
    return True
