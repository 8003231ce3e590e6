"""What is known of a visitor."""

from dataclasses import dataclass
from typing import Protocol

from services.common.errors import InvalidArgument, Violation
from services.feedback.catalogs import catalog_named
from services.feedback.visitors import VisitorHash, VisitorHasher, visitor_id_violation


@dataclass(frozen=True, slots=True)
class UserProfile:
    """A visitor's recent behaviour: nothing yet, as no events are recorded."""

    is_known: bool
    """Whether anything was ever shown to this visitor."""


class VisitorStore(Protocol):
    """What was kept of visitors."""

    async def has_seen(self, catalog: str, visitor: VisitorHash) -> bool:
        """Whether anything was shown to this visitor.

        Raises:
            Unavailable: the store is away.
        """
        ...


class Profiles:
    """Profiles of the visitors of all catalogues."""

    def __init__(self, store: VisitorStore, hasher: VisitorHasher) -> None:
        self._store = store
        self._hasher = hasher

    async def profile(self, catalog: str, visitor_id: str) -> UserProfile:
        """The profile of a visitor; an empty one for a visitor not seen before.

        Raises:
            InvalidArgument: names the field.
            Unavailable: the store is away.
        """
        catalog = catalog_named(catalog)
        if not visitor_id:
            raise InvalidArgument([Violation("visitor_id", "is required", "REQUIRED")])
        if violation := visitor_id_violation(visitor_id, "visitor_id"):
            raise InvalidArgument([violation])
        return UserProfile(await self._store.has_seen(catalog, self._hasher.hash(catalog, visitor_id)))
