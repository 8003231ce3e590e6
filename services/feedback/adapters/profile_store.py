"""What a person did, read from the events themselves in one statement."""

from collections.abc import Iterable
from typing import Any, Final

from services.common.postgres import Database
from services.feedback.behaviours import PastEvent
from services.feedback.events import EventType
from services.feedback.persons import Person
from services.feedback.profiles import Choice, History, HistoryLimits

_HISTORY: Final = "SELECT * FROM person_history($1, $2, $3, $4, $5, $6)"
_RECENT: Final = 0


class PostgresHistories:
    """The tables `events`, `visitor_accounts` and `visitor_states`; a HistoryStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def history(self, catalog: str, person: Person, limits: HistoryLimits) -> History:
        """As HistoryStore."""
        values = (catalog, person.visitors, person.users, limits.events, limits.purchases, limits.visitors)
        async with self._database.connection() as connection:
            rows = await connection.fetch(_HISTORY, *values)
        # Of somebody of whom nothing is kept there is one row without an event.
        return History(
            [PastEvent(*row[2:]) for row in rows if row["part"] == _RECENT],
            _choices(rows, EventType.PURCHASE_COMPLETE),
            _choices(rows, EventType.DISMISS),
            rows[0]["is_bot"],
        )


def _choices(rows: Iterable[Any], part: int) -> list[Choice]:
    return [Choice(row["time"], row["product_ids"]) for row in rows if row["part"] == part]
