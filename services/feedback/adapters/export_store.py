"""All that is kept of a person, as JSON that Postgres makes of whole rows: a new column is in it of itself."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from services.common.postgres import Connection, Database
from services.feedback.adapters.person_visitors import visitors_of
from services.feedback.events import EventType
from services.feedback.export import Kind, Line, Place
from services.feedback.impressions import Surface
from services.feedback.persons import Person

# The keys of lines tell nothing: they travel in tokens.
_VISITORS: Final = """
    SELECT encode(sha256(hash), 'hex') AS place, jsonb_build_object(
        'kind', 'visitor', 'catalog', $1::text, 'visitor_hash', encode(hash, 'hex'),
        'state', (SELECT to_jsonb(states) FROM visitor_states AS states
            WHERE (catalog, visitor_hash) = ($1::text, hash)),
        'accounts', (SELECT coalesce(jsonb_agg(to_jsonb(accounts)), '[]') FROM visitor_accounts AS accounts
            WHERE (catalog, visitor_hash) = ($1::text, hash))
    )::text AS line
    FROM unnest($2::bytea[]) AS hash
    WHERE EXISTS (SELECT FROM visitor_states WHERE (catalog, visitor_hash) = ($1::text, hash))
    OR EXISTS (SELECT FROM visitor_accounts WHERE (catalog, visitor_hash) = ($1::text, hash))
"""
_EVENTS: Final = """
    SELECT lpad(tx::text, 20, '0') || '.' || lpad(seq::text, 19, '0') AS place,
        (to_jsonb(events) - '{tx,seq}'::text[]
            || jsonb_build_object('kind', 'event', 'type', coalesce(($4::text[])[type], type::text)))::text AS line
    FROM events WHERE catalog = $1 AND visitor_hash = ANY($2::bytea[])
"""
_IMPRESSIONS: Final = """
    SELECT impression_id::text AS place,
        (to_jsonb(impressions) - '{tx,seq}'::text[]
            || jsonb_build_object('kind', 'impression', 'surface', coalesce(($4::text[])[surface], surface::text))
        )::text AS line
    FROM impressions WHERE catalog = $1 AND visitor_hash = ANY($2::bytea[])
"""
_EXAMPLES: Final = """
    SELECT impression_id::text AS place,
        (to_jsonb(training_feed) - '{tx,seq}'::text[] || jsonb_build_object('kind', 'training_example'))::text AS line
    FROM training_feed WHERE catalog = $1 AND impression_id IN (
        SELECT impression_id FROM impressions WHERE catalog = $1 AND visitor_hash = ANY($2::bytea[])
    )
"""
_STATEMENTS: Final = {
    Kind.VISITOR: (_VISITORS, (), 100),
    Kind.EVENT: (_EVENTS, [kind.name for kind in EventType], 500),
    # Some hundred products with their features each.
    Kind.IMPRESSION: (_IMPRESSIONS, [surface.name for surface in Surface], 20),
    Kind.TRAINING_EXAMPLE: (_EXAMPLES, (), 500),
}
"""Statement, names of a number, lines at once."""


class PostgresExports:
    """An ExportStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lines(self, catalog: str, person: Person, after: Place) -> AsyncIterator[Line]:
        """As ExportStore."""
        async with self._database.connection() as connection:
            visitors = await visitors_of(connection, catalog, person)
        kinds = list(Kind)
        for kind in kinds[kinds.index(after.kind) :]:
            key = after.after if kind is after.kind else ""
            while True:
                page = await self._page(kind, catalog, visitors, key)
                for key, line in page:
                    yield Line(Place(kind, key), line)
                if not page:
                    break

    async def _page(self, kind: Kind, catalog: str, visitors: Sequence[bytes], after: str) -> Sequence[tuple[str, str]]:
        async with self._database.connection() as connection:
            return await _page(connection, kind, (catalog, visitors, after))


async def _page(connection: Connection, kind: Kind, values: tuple[str, Sequence[bytes], str]) -> list[tuple[str, str]]:
    statement, names, limit = _STATEMENTS[kind]
    paged = f"""
        SELECT place, line FROM ({statement}) AS lines
        WHERE place COLLATE "C" > $3 AND cardinality($4::text[]) >= 0 ORDER BY place COLLATE "C" LIMIT {limit}
    """  # noqa: S608 - only the constants of this file
    return [(row["place"], row["line"]) for row in await connection.fetch(paged, *values, names)]
