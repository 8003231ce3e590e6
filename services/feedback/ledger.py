"""The ledger: which events are known. An event is the same one where visitor and id are, and is kept once."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from services.feedback.events import EventOutcome, Money, NewEvent, SentEvent

DIGEST_BYTES: Final = 16
EventKey: TypeAlias = tuple[bytes, str]
"""Hash of the visitor, and id of the event."""


def content_digest(event: SentEvent, quantities: Sequence[int], user: bytes | None, session: bytes | None) -> str:
    """What an event says, in one text, its parts apart by a character that none of them holds.

    Left out is what may differ when the same event is sent again: its arrival, and the list that it is joined with,
    whose token may have expired since.
    """
    who = f"{user.hex() if user else ''}\0{session.hex() if session else ''}"
    said = f"{event.type}\0{event.event_time}\0{who}\0{event.rating}\0{event.query}\0{event.comment}"
    products = "\0".join((*event.product_ids, *map(str, quantities)))
    content = f"{said}\0{len(quantities)}\0{products}"
    if event.revenue is None and not any(event.prices):
        return content
    return "\0".join((content, *map(_amount_text, (event.revenue, *event.prices))))


def _amount_text(amount: Money | None) -> str:
    return f"{amount.currency} {amount.total_nanos}" if amount else ""


class EventDigester:
    """Makes digests with one key: BLAKE2b (RFC 7693), so that nobody can try out what an event may have said."""

    def __init__(self, key: bytes) -> None:
        # Copied for each: taking in the key anew takes longer.
        self._begun = hashlib.blake2b(digest_size=DIGEST_BYTES, key=key)

    def digest(self, content: str) -> bytes:
        """16 bytes."""
        mac = self._begun.copy()
        mac.update(content.encode())
        return mac.digest()


def first_of_each(events: Sequence[NewEvent]) -> dict[EventKey, NewEvent]:
    """The events to be kept where none was known: of those with one key the first, in the order of the keys.

    Two batches that share keys, written at once in the same order, never wait for one another in a circle.
    """
    # Backwards, so that the first one stays.
    firsts = {(event.visitor_hash, event.event_id): event for event in reversed(events)}
    return {key: firsts[key] for key in sorted(firsts)}


def outcomes(
    events: Sequence[NewEvent],
    added: Collection[EventKey],
    known: Mapping[EventKey, bytes],
    erased: Collection[EventKey] = (),
) -> list[EventOutcome]:
    """What became of each event: `added` are the keys that were new, `known` the digests of the others.

    Those of `erased` are refused.
    """
    if len(added) == len(events):
        return [EventOutcome.ACCEPTED] * len(events)
    firsts: dict[EventKey, bytes] = {}
    found = []
    for event in events:
        key = event.key
        if key in erased:
            found.append(EventOutcome.REJECTED)
            continue
        if key in added and key not in firsts:
            firsts[key] = event.digest
            found.append(EventOutcome.ACCEPTED)
            continue
        # A key that was known and is gone was erased or ran out meanwhile: what it said cannot be told any more.
        kept = firsts.get(key) or known.get(key, event.digest)
        found.append(EventOutcome.DUPLICATE if kept == event.digest else EventOutcome.CONFLICT)
    return found
