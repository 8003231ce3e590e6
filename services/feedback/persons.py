"""Persons: whom a request about kept behaviour means, by every hash under which something of them may be kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import InvalidArgument, Violation
from services.feedback.visitors import VisitorHasher, visitor_id_violation


@dataclass(frozen=True, slots=True)
class Person:
    """A visitor, an account, or both, of one catalogue."""

    visitors: tuple[bytes, ...]
    """The visitor's hash under each key; empty = no visitor was named."""
    users: tuple[bytes, ...]
    """The account's."""


class PersonHasher:
    """Finds persons also by what was kept under the key before."""

    def __init__(self, hashers: Sequence[VisitorHasher]) -> None:
        """`hashers` of all keys, the present one first."""
        self._hashers = tuple(hashers)

    def person(self, catalog: str, visitor_id: str, user_id: str) -> Person:
        """The person that a request names.

        Raises:
            InvalidArgument: neither id is there, or one is too long.
        """
        if not visitor_id and not user_id:
            raise InvalidArgument([Violation("visitor_id", "is required where there is no user_id", "REQUIRED")])
        ids = (("visitor_id", visitor_id), ("user_id", user_id))
        if violations := [found for field, text in ids if (found := visitor_id_violation(text, field))]:
            raise InvalidArgument(violations)
        return Person(
            tuple(one.hash(catalog, visitor_id).digest for one in self._hashers) if visitor_id else (),
            tuple(one.hash_user(catalog, user_id).digest for one in self._hashers) if user_id else (),
        )
