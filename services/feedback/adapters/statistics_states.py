"""What is kept of each visitor for counting."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.common.postgres import Connection
from services.feedback.bots import BotReason, Conduct
from services.feedback.co_occurrence import Sequence
from services.feedback.counting import Visitor, VisitorKind, VisitorState

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_READ: Final = """
    SELECT states.* FROM visitor_states AS states
    JOIN unnest($1::text[], $2::bytea[]) AS wanted (catalog, visitor_hash) USING (catalog, visitor_hash)
"""
_KEEP: Final = """
    INSERT INTO visitor_states AS kept (
        catalog, visitor_hash, chosen_times, chosen_products, is_cut, minute, minute_events, day, day_views, has_bought,
        event_count, last_time, reason, kind
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT (catalog, visitor_hash) DO UPDATE SET
        chosen_times = excluded.chosen_times, chosen_products = excluded.chosen_products, is_cut = excluded.is_cut,
        minute = excluded.minute, minute_events = excluded.minute_events, day = excluded.day,
        day_views = excluded.day_views, has_bought = excluded.has_bought, event_count = excluded.event_count,
        last_time = excluded.last_time, last_arrival = now(), reason = excluded.reason, kind = excluded.kind
"""


async def states_of(connection: Connection, visitors: Collection[Visitor]) -> dict[Visitor, VisitorState]:
    """States of those visitors that have one."""
    catalogs, digests = [visitor[0] for visitor in visitors], [visitor[1] for visitor in visitors]
    rows = await connection.fetch(_READ, catalogs, digests)
    return {(row["catalog"], row["visitor_hash"]): _state(row) for row in rows}


async def keep_states(connection: Connection, states: Mapping[Visitor, VisitorState]) -> None:
    """Keeps states, those that were there before in their place."""
    await connection.executemany(_KEEP, [_row(visitor, state) for visitor, state in sorted(states.items(), key=_key)])


def _key(item: tuple[Visitor, VisitorState]) -> Visitor:
    return item[0]


def _state(row: Any) -> VisitorState:
    return VisitorState(
        Sequence(row["chosen_times"], row["chosen_products"], row["is_cut"]),
        Conduct(row["minute"], row["minute_events"], row["day"], row["day_views"], row["has_bought"]),
        row["event_count"],
        (row["last_time"] - _EPOCH) // _MICROSECOND,
        BotReason(row["reason"]) if row["reason"] is not None else None,
        VisitorKind(row["kind"]),
    )


def _row(visitor: Visitor, state: VisitorState) -> tuple[Any, ...]:
    chosen, conduct = state.chosen, state.conduct
    return (
        *visitor,
        chosen.times,
        chosen.product_ids,
        chosen.is_cut,
        conduct.minute,
        conduct.minute_events,
        conduct.day,
        conduct.day_views,
        conduct.has_bought,
        state.event_count,
        _EPOCH + timedelta(microseconds=state.last_time),
        state.reason,
        int(state.kind),
    )
