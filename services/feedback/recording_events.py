"""Keeping what shoppers did."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from services.common.errors import Violation, invalid
from services.feedback.catalogs import catalog_named
from services.feedback.event_rules import EventLimits, EventRules
from services.feedback.events import EventBatch, EventOutcome, EventResult, NewEvent, SentEvent
from services.feedback.group_commit import GroupCommit
from services.feedback.ledger import EventDigester, content_digest
from services.feedback.visitors import VisitorHasher

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BREATH: Final = 250
"""Events after which other calls get their turn: a thousand take more than ten milliseconds."""


_ERASED: Final = (Violation("event_time", "must lie after the erasure of this visitor", "ERASED"),)


def _microseconds_now() -> int:
    return time.time_ns() // 1_000


class EventRecorder:
    """Checks events, takes the pseudonyms away and keeps the rest."""

    def __init__(
        self,
        group_commit: GroupCommit,
        hasher: VisitorHasher,
        limits: EventLimits,
        on_kept: Callable[[], None],
        clock: Callable[[], int] = _microseconds_now,
    ) -> None:
        """`on_kept` is called when events were accepted; `clock` tells Unix microseconds."""
        self._group_commit = group_commit
        self._hasher = hasher
        self._digester = EventDigester(hasher.event_key)
        self._limits = limits
        self._rules = EventRules(limits)
        self._on_kept = on_kept
        self._clock = clock

    @property
    def max_products(self) -> int:
        """Products in one event at most; more need not be read to be refused."""
        return self._limits.max_products

    async def record(self, catalog: str, batch: EventBatch) -> Sequence[EventResult]:
        """What became of each event; those that were accepted are on disk when this returns.

        Raises:
            InvalidArgument: the catalogue's name or the size of the batch breaks a rule; nothing is kept.
            ResourceExhausted: too much waits to be written.
            Unavailable: as `GroupCommit.add`.
        """
        form = _KeptForm(catalog_named(catalog), self._hasher, self._digester, self._clock())
        self._check_size(batch)
        results, events = await self._checked(batch, form)
        outcomes = await self._group_commit.add(events, batch.size) if events else ()
        if EventOutcome.ACCEPTED in outcomes:
            self._on_kept()
        kept = map(_result, events, outcomes)
        return [result or next(kept) for result in results]

    async def _checked(
        self, batch: EventBatch, form: "_KeptForm"
    ) -> tuple[Sequence[EventResult | None], Sequence[NewEvent]]:
        """Results of those that are refused, None for the others, and these as they are to be kept."""
        results: list[EventResult | None] = []
        events: list[NewEvent] = []
        for number, event in enumerate(batch.events):
            if number % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
            if violations := self._rules.violations(event, form.now):
                results.append(EventResult(event.event_id, EventOutcome.REJECTED, violations))
            else:
                results.append(None)
                events.append(form.of(event))
        return results, events

    def _check_size(self, batch: EventBatch) -> None:
        limits = self._limits
        if not 0 < batch.count <= limits.max_events:
            reason = "TOO_MANY" if batch.count else "REQUIRED"
            raise invalid("events", f"must be 1 to {limits.max_events:,}", reason)
        if batch.size > limits.max_batch_bytes:
            raise invalid("events", f"must have at most {limits.max_batch_bytes:,} bytes together", "TOO_LARGE")


def _result(event: NewEvent, outcome: EventOutcome) -> EventResult:
    return EventResult(event.event_id, outcome, _ERASED if outcome is EventOutcome.REJECTED else ())


class _KeptForm:
    """Makes what is kept out of what was sent, for one batch."""

    def __init__(self, catalog: str, hasher: VisitorHasher, digester: EventDigester, now: int) -> None:
        self.now = now
        self._catalog = catalog
        self._key_version = hasher.key_version
        self._digester = digester
        self._visitors = hasher.visitors(catalog)
        self._users = hasher.users(catalog)
        self._sessions = hasher.sessions(catalog)
        self._arrival = _EPOCH + timedelta(microseconds=now)

    def of(self, event: SentEvent) -> NewEvent:
        user = self._users[event.user_id] if event.user_id else None
        session = self._sessions[event.session_id] if event.session_id else None
        quantities = event.quantities if all(event.quantities) else [quantity or 1 for quantity in event.quantities]
        prices, amount = None, event.revenue
        if any(event.prices):
            prices = [price and price.amount for price in event.prices]
            amount = next(filter(None, event.prices))
        return NewEvent(
            self._catalog,
            self._visitors[event.visitor_id],
            user,
            session,
            self._key_version,
            event.event_id,
            event.type,
            self._arrival if event.event_time is None else _EPOCH + timedelta(0, 0, event.event_time),
            self._arrival,
            event.attribution_id or None,
            event.product_ids,
            quantities,
            prices,
            event.revenue.amount if event.revenue else None,
            amount.currency if amount else None,
            event.rating,
            event.query or None,
            event.comment or None,
            self._digester.digest(content_digest(event, quantities, user, session)),
        )
