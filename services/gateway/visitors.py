"""Visitors of requests, and what feedback knows of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.common.errors import ServiceError
from services.gateway.ranked_lists import Missing


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks; both pseudonyms may be empty."""

    visitor_id: str
    user_id: str = ""

    @property
    def is_known(self) -> bool:
        """Whether anything can be known of it."""
        return bool(self.visitor_id or self.user_id)


@dataclass(frozen=True, slots=True)
class Profile:
    """What a visitor did, and what it does not want to see again."""

    behaviours: Sequence[Any] = ()
    """Newest first, as messages of the API."""
    purchased: Sequence[str] = ()
    """Ids of products bought lately, newest first."""
    dismissed: Sequence[str] = ()
    repeated: Sequence[tuple[str, float]] = ()
    """Ids of products bought again and again, with the number of purchases, each halved for every 90 days of age."""


@dataclass(frozen=True, slots=True)
class Known:
    """A profile, as far as it could be had."""

    profile: Profile = field(default_factory=Profile)
    missing: Sequence[Missing] = ()


class ProfileSource(Protocol):
    """Knows what visitors did."""

    async def profile(self, catalog: str, visitor: Visitor, *, is_all: bool = False) -> Profile:
        """The visitor's recent behaviour; `is_all` = the reply is about nothing else, and worth a longer wait.

        Raises:
            ServiceError: feedback cannot tell in time.
        """
        ...


async def known(profiles: ProfileSource, catalog: str, visitor: Visitor, *, is_all: bool = False) -> Known:
    """The visitor's profile; empty, and said so, where it cannot be had in time."""
    if not visitor.is_known:
        return Known()
    try:
        return Known(await profiles.profile(catalog, visitor, is_all=is_all))
    except ServiceError as error:
        return Known(missing=[Missing("NOT_PERSONALISED", "feedback", error.reason)])
