"""Events in Postgres: the ledger says which are new, and those are copied in, all in one transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import asyncpg

from services.common.postgres import Connection, Database
from services.feedback.events import EventOutcome, NewEvent
from services.feedback.ledger import EventKey, first_of_each, outcomes
from services.feedback.partitions import PartitionStore, month_of

# A server or role may be set to acknowledge before a commit is on disk; stricter settings are left alone.
_DURABLE: Final = """
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'
"""
# The keys of those that were added are sent only where some were not.
_LEDGER: Final = """
    WITH added AS (
        INSERT INTO event_ledger (visitor_hash, event_id, digest, arrival_time)
        SELECT new.*, $4::timestamptz FROM unnest($1::bytea[], $2::text[], $3::bytea[]) AS new
        ON CONFLICT DO NOTHING
        RETURNING visitor_hash, event_id
    )
    SELECT count(*) AS count,
        CASE WHEN count(*) < cardinality($1) THEN array_agg(visitor_hash) END AS visitor_hashes,
        CASE WHEN count(*) < cardinality($1) THEN array_agg(event_id) END AS event_ids
    FROM added
"""
_KNOWN: Final = """
    SELECT visitor_hash, event_id, digest
    FROM unnest($1::bytea[], $2::text[]) AS wanted (visitor_hash, event_id)
    JOIN event_ledger USING (visitor_hash, event_id)
"""
_TABLE: Final = "events"
_COLUMNS: Final = NewEvent._fields[:-1]
_ACCOUNTS: Final = """
    INSERT INTO visitor_accounts AS kept (catalog, visitor_hash, user_hash, last_time)
    SELECT new.* FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::timestamptz[])
        AS new (catalog, visitor_hash, user_hash, last_time)
    -- Not a row lock for every event of somebody who is logged in.
    WHERE NOT EXISTS (
        SELECT FROM visitor_accounts AS fresh
        WHERE (fresh.catalog, fresh.visitor_hash, fresh.user_hash) = (new.catalog, new.visitor_hash, new.user_hash)
        AND fresh.last_time > new.last_time - interval '1 hour'
    )
    ON CONFLICT (catalog, visitor_hash, user_hash)
    DO UPDATE SET last_time = greatest(kept.last_time, excluded.last_time)
"""
_FORGET_EVENTS: Final = """
    WITH old AS (
        SELECT visitor_hash, event_id FROM event_ledger WHERE arrival_time < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    DELETE FROM event_ledger USING old
    WHERE (event_ledger.visitor_hash, event_ledger.event_id) = (old.visitor_hash, old.event_id)
"""
_FORGET_ACCOUNTS: Final = """
    WITH old AS (
        SELECT catalog, visitor_hash, user_hash FROM visitor_accounts WHERE last_time < $1 LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM visitor_accounts AS kept USING old
    WHERE (kept.catalog, kept.visitor_hash, kept.user_hash) = (old.catalog, old.visitor_hash, old.user_hash)
"""
_FORGOTTEN_AT_ONCE: Final = 5_000


class ErasedEvents(Protocol):
    """What must not come back: events of visitors that were erased since."""

    async def among(self, connection: Connection, events: Sequence[NewEvent]) -> Collection[EventKey]:
        """Keys of those that an erasure covers; no other erasure takes place until the transaction ends."""
        ...


class PostgresEvents:
    """The tables `events`, `event_ledger` and `visitor_accounts`; an EventStore."""

    def __init__(self, database: Database, partitions: PartitionStore, erased: ErasedEvents) -> None:
        """`partitions` are those of `events`."""
        self._database = database
        self._partitions = partitions
        self._erased = erased

    async def add(self, events: Sequence[NewEvent]) -> Sequence[EventOutcome]:
        """As EventStore."""
        try:
            return await self._add(events)
        except asyncpg.CheckViolationError as exc:
            if exc.constraint_name is not None:
                raise
            # No partition: the clock has jumped, or the upkeep has not come to it yet.
            await self._partitions.make(sorted({month_of(event.arrival_time) for event in events}))
            return await self._add(events)

    async def forget_events(self, before: datetime) -> int:
        """Forget of ledger entries, by their arrival."""
        return await self._forget(_FORGET_EVENTS, before)

    async def forget_accounts(self, before: datetime) -> int:
        """Forget of visitors' accounts, by when they were last used."""
        return await self._forget(_FORGET_ACCOUNTS, before)

    async def _add(self, events: Sequence[NewEvent]) -> Sequence[EventOutcome]:
        async with self._database.transaction() as connection:
            await connection.execute(_DURABLE)
            erased = await self._erased.among(connection, events)
            firsts = {key: event for key, event in first_of_each(events).items() if key not in erased}
            added, known = await _enter(connection, firsts) if firsts else (set[EventKey](), dict[EventKey, bytes]())
            new = _first_of_each_in(added, events)
            if new:
                await _copy(connection, new)
                await _keep_accounts(connection, new)
        return outcomes(events, added, known, erased)

    async def _forget(self, statement: str, before: datetime) -> int:
        async with self._database.transaction() as connection:
            status = await connection.execute(statement, before, _FORGOTTEN_AT_ONCE)
        return int(status.rpartition(" ")[2])


async def _enter(
    connection: Connection, firsts: dict[EventKey, NewEvent]
) -> tuple[Collection[EventKey], dict[EventKey, bytes]]:
    """Enters what is new into the ledger: the keys that were, and the digests of the others."""
    visitor_hashes, event_ids = zip(*firsts, strict=True)
    digests = [event.digest for event in firsts.values()]
    # One time for all: the batches of a commit arrived within moments of one another.
    arrival = max(event.arrival_time for event in firsts.values())
    row: Any = await connection.fetchrow(_LEDGER, visitor_hashes, event_ids, digests, arrival)
    if row["count"] == len(firsts):
        return firsts.keys(), {}
    added = set(zip(row["visitor_hashes"] or (), row["event_ids"] or (), strict=True))
    others = [key for key in firsts if key not in added]
    rows = await connection.fetch(_KNOWN, *zip(*others, strict=True))
    return added, {(row["visitor_hash"], row["event_id"]): row["digest"] for row in rows}


def _first_of_each_in(added: Collection[EventKey], events: Sequence[NewEvent]) -> list[NewEvent]:
    """In the order of the batch, which becomes that of the feed."""
    if len(added) == len(events):
        return list(events)
    wanted = set(added)
    new = []
    for event in events:
        if event.key in wanted:
            wanted.remove(event.key)
            new.append(event)
    return new


async def _copy(connection: Connection, events: Sequence[NewEvent]) -> None:
    await connection.copy_records_to_table(_TABLE, records=(event[:-1] for event in events), columns=_COLUMNS)


async def _keep_accounts(connection: Connection, events: Sequence[NewEvent]) -> None:
    latest: dict[tuple[str, bytes, bytes], datetime] = {}
    for event in events:
        if event.user_hash is not None:
            account = (event.catalog, event.visitor_hash, event.user_hash)
            time = min(event.event_time, event.arrival_time)
            latest[account] = max(time, latest.get(account, time))
    if latest:
        # In the order of the keys, as in the ledger.
        rows = ((*account, time) for account, time in sorted(latest.items()))
        await connection.execute(_ACCOUNTS, *zip(*rows, strict=True))
