"""What operators take visitors for."""

from services.common.errors import invalid
from services.feedback.catalogs import catalog_named
from services.feedback.counting import VisitorKind
from services.feedback.persons import PersonHasher
from services.feedback.statistics_turn import VisitorKinds


class Kinds:
    """Kinds of visitors by their pseudonyms."""

    def __init__(self, kinds: VisitorKinds, hasher: PersonHasher) -> None:
        self._kinds = kinds
        self._hasher = hasher

    async def set(self, catalog: str, visitor_id: str, kind: int) -> tuple[bool, int]:
        """Takes a visitor for something, under every key.

        Returns whether it counts as a program now, and how many events were taken out of the statistics or put back.

        Raises:
            InvalidArgument: names the field.
            Unavailable: the database is away.
        """
        catalog = catalog_named(catalog)
        if not visitor_id:
            raise invalid("visitor_id", "is required", "REQUIRED")
        if kind not in set(VisitorKind):
            raise invalid("kind", "must be BY_RULES, PERSON or BOT", "NOT_ALLOWED" if kind else "REQUIRED")
        person = self._hasher.person(catalog, visitor_id, "")
        found = [await self._kinds.set((catalog, visitor), VisitorKind(kind)) for visitor in person.visitors]
        return found[0][0], sum(count for _, count in found)
