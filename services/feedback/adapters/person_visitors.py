"""Which visitors belong to a person."""

from typing import Final

from services.common.postgres import Connection
from services.feedback.persons import Person

_VISITORS: Final = """
    SELECT unnest($2::bytea[]) AS visitor_hash
    UNION SELECT visitor_hash FROM visitor_accounts WHERE catalog = $1 AND user_hash = ANY($3::bytea[])
    UNION SELECT visitor_hash FROM events WHERE catalog = $1 AND user_hash = ANY($3::bytea[])
    ORDER BY visitor_hash
"""


async def visitors_of(connection: Connection, catalog: str, person: Person) -> list[bytes]:
    """Hashes of the visitor that was named, and of all that were ever logged in to the account."""
    rows = await connection.fetch(_VISITORS, catalog, person.visitors, person.users)
    return [row["visitor_hash"] for row in rows]
