"""Erasing in Postgres: one transaction takes everything away, in the tables and in what was counted."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from services.common.postgres import Connection, Database
from services.feedback.adapters.person_visitors import visitors_of
from services.feedback.adapters.statistics_turns import open_turn
from services.feedback.erasure import ErasedStore, Erasure, ErasureLog, LoggedErasure, mark_of
from services.feedback.persons import Person
from services.feedback.statistics_turn import Contributions, Turn

_DURABLE: Final = """
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'
"""
_TRAINING_TURN: Final = "SELECT FROM cursors WHERE name = 'training' FOR UPDATE"
# Waits for all who write, and holds off others: what they bring then is compared with what was erased.
_ALONE: Final = "SELECT pg_advisory_xact_lock(hashtextextended('zhiyin.feedback.erasures', 0))"
_NOW: Final = "SELECT clock_timestamp() AS time, pg_current_xact_id() AS transaction"
_EVENTS: Final = """
    WITH gone AS (DELETE FROM events WHERE catalog = $1 AND visitor_hash = ANY($2) RETURNING event_time)
    SELECT count(*) AS events, max(event_time) AS last_time FROM gone
"""
_LEDGER: Final = "DELETE FROM event_ledger WHERE visitor_hash = ANY($1)"
_STATES: Final = "DELETE FROM visitor_states WHERE catalog = $1 AND visitor_hash = ANY($2)"
_ACCOUNTS: Final = "DELETE FROM visitor_accounts WHERE catalog = $1 AND visitor_hash = ANY($2)"
# An example that was listed before is listed once more, as erased.
_IMPRESSIONS: Final = """
    WITH gone AS (
        DELETE FROM impressions WHERE catalog = $1 AND visitor_hash = ANY($2) RETURNING impression_id, show_time
    ), ids AS (
        DELETE FROM impression_ledger
        WHERE catalog = $1 AND impression_id IN (SELECT impression_id FROM gone)
        RETURNING impression_id
    ), examples AS (
        UPDATE training_feed
        SET is_erased = true, change_time = now(), tx = pg_current_xact_id(), seq = nextval('training_seq')
        WHERE catalog = $1 AND NOT is_erased AND impression_id IN (SELECT impression_id FROM gone)
        RETURNING impression_id
    )
    SELECT (SELECT count(*) FROM gone) AS impressions, (SELECT count(*) FROM ids) AS impression_ledger,
        (SELECT count(*) FROM examples) AS training_examples,
        (SELECT max(least(show_time, clock_timestamp() + interval '5 minutes')) FROM gone) AS last_time
"""
_MARKS: Final = """
    INSERT INTO erased_visitors AS kept (mark, erase_time) SELECT unnest($1::bytea[]), $2
    ON CONFLICT (mark) DO UPDATE SET erase_time = greatest(kept.erase_time, excluded.erase_time)
"""
_NOTE: Final = "INSERT INTO erasures (erasure_id, erase_time, counts) VALUES ($1, $2, $3)"
_IS_NOTED: Final = "SELECT EXISTS (SELECT FROM erasures WHERE erasure_id = $1)"
# After a restore only: no index leads from a mark to a visitor.
_MARKED: Final = """
    SELECT DISTINCT catalog, visitor_hash FROM (
        SELECT catalog, visitor_hash FROM events
        UNION SELECT catalog, visitor_hash FROM impressions WHERE visitor_hash IS NOT NULL
        UNION SELECT catalog, visitor_hash FROM visitor_accounts
        UNION SELECT catalog, visitor_hash FROM visitor_states
    ) AS kept
    WHERE sha256(visitor_hash) = ANY($1) ORDER BY catalog, visitor_hash
"""
# Of a visitor whose events have run out the ledger may be all that is left.
_MARKED_LEDGER: Final = "DELETE FROM event_ledger WHERE sha256(visitor_hash) = ANY($1)"


class PostgresErasures:
    """All tables of feedback; an ErasureStore."""

    def __init__(
        self, database: Database, contributions: Contributions, log: ErasureLog, statement_seconds: float
    ) -> None:
        """`statement_seconds` is the longest time of one statement: a program may have left millions of events."""
        self._database = database
        self._contributions = contributions
        self._log = log
        self._seconds = statement_seconds

    async def erase(self, catalog: str, person: Person) -> Erasure:
        """As ErasureStore."""
        async with self._database.transaction() as connection:
            await connection.execute(_DURABLE)
            turn = await open_turn(connection)
            await connection.execute(_TRAINING_TURN)
            visitors = await visitors_of(connection, catalog, person)
            counted = await self._take_out(turn, catalog, visitors)
            await connection.execute(_ALONE)
            late = sorted({*await visitors_of(connection, catalog, person)} - {*visitors})
            counted += await self._take_out(turn, catalog, late)
            row: Any = await connection.fetchrow(_NOW)
            counts, last_time = await self._delete(connection, catalog, [*visitors, *late], row["time"])
            counts["statistics"] = counted
            logged = LoggedErasure(uuid4(), row["time"], [mark_of(visitor) for visitor in (*visitors, *late)])
            await _note(connection, logged, counts, last_time)
            # Before the commit: an erasure that is noted and did not take place is asked for again.
            await self._log.append(logged)
        stores = [ErasedStore(*store) for store in counts.items()]
        return Erasure(logged.erasure_id, logged.erase_time, stores, row["transaction"])

    async def replay(self, logged: LoggedErasure) -> bool:
        """Erases again what was erased after the moment that this database was restored to.

        Returns whether there was anything to do: an erasure that the database knows of is passed over.

        Raises:
            Unavailable: it cannot be told whether it took place; replaying again is harmless.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_DURABLE)
            turn = await open_turn(connection)
            await connection.execute(_TRAINING_TURN)
            if await connection.fetchval(_IS_NOTED, logged.erasure_id):
                return False
            await connection.execute(_ALONE)
            counts = {"statistics": 0}
            for catalog, visitor in await connection.fetch(_MARKED, logged.marks):
                counts["statistics"] += await self._take_out(turn, catalog, [visitor])
                found, _ = await self._delete(connection, catalog, [visitor], logged.erase_time)
                counts = {name: counts.get(name, 0) + found.get(name, 0) for name in {*counts, *found}}
            await connection.execute(_MARKED_LEDGER, logged.marks)
            await _note(connection, logged, counts, logged.erase_time)
        return True

    async def _delete(
        self, connection: Connection, catalog: str, visitors: Sequence[bytes], now: datetime
    ) -> tuple[dict[str, int], datetime]:
        """Takes the rows away: how many by store, and the time up to which nothing may come back."""
        events: Any = await connection.fetchrow(_EVENTS, catalog, visitors, timeout=self._seconds)
        impressions: Any = await connection.fetchrow(_IMPRESSIONS, catalog, visitors, timeout=self._seconds)
        counts = {
            "events": events["events"],
            "ledger": _rows(await connection.execute(_LEDGER, visitors, timeout=self._seconds)),
            "impressions": impressions["impressions"],
            "impression_ledger": impressions["impression_ledger"],
            "training_examples": impressions["training_examples"],
            "visitor_states": _rows(await connection.execute(_STATES, catalog, visitors)),
            "visitor_accounts": _rows(await connection.execute(_ACCOUNTS, catalog, visitors)),
        }
        # A shopper's or a replica's clock may be ahead; what lies ahead of ours was erased as well.
        return counts, max(filter(None, (now, events["last_time"], impressions["last_time"])))

    async def _take_out(self, turn: Turn, catalog: str, visitors: Sequence[bytes]) -> int:
        return sum([await self._contributions.remove(turn, (catalog, visitor)) for visitor in visitors])


async def _note(connection: Connection, erasure: LoggedErasure, counts: dict[str, int], last_time: datetime) -> None:
    await connection.execute(_MARKS, erasure.marks, last_time)
    await connection.execute(_NOTE, erasure.erasure_id, erasure.erase_time, json.dumps(counts))


def _rows(status: str) -> int:
    return int(status.rpartition(" ")[2])
