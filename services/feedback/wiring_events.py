"""How the recording of events is put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.common.postgres import Database
from services.feedback.adapters.erased_visitors import PostgresErasedVisitors
from services.feedback.adapters.event_store import PostgresEvents
from services.feedback.adapters.partition_store import PostgresPartitions
from services.feedback.config_events import EventSettings
from services.feedback.group_commit import open_group_commit
from services.feedback.recording_events import EventRecorder
from services.feedback.retention import KeptMonths, KeptRows
from services.feedback.visitors import VisitorHasher


@dataclass(frozen=True, slots=True)
class EventParts:
    """What keeps events, and for how long they are kept."""

    recorder: EventRecorder
    months: tuple[KeptMonths, ...]
    rows: tuple[KeptRows, ...]


@asynccontextmanager
async def open_events(
    settings: EventSettings, database: Database, hasher: VisitorHasher, on_kept: Callable[[], None]
) -> AsyncIterator[EventParts]:
    """The recording of events on feedback's database; what waits when it is left is still written."""
    partitions = PostgresPartitions(database, "events")
    store = PostgresEvents(database, partitions, PostgresErasedVisitors())
    months = KeptMonths(partitions, settings.event_retention_days)
    ledger = KeptRows(store.forget_events, settings.ledger_retention_days)
    accounts = KeptRows(store.forget_accounts, settings.event_retention_days)
    async with open_group_commit(store, settings.group_limits()) as group_commit:
        recorder = EventRecorder(group_commit, hasher, settings.event_limits(), on_kept)
        yield EventParts(recorder, (months,), (ledger, accounts))
