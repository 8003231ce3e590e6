"""What shoppers did, on its way to feedback: attribution tokens read, results in the order of the request."""

from collections.abc import Sequence
from typing import Any, Protocol

from services.common.errors import Violation
from services.gateway.tokens import AttributionTokens


class EventStore(Protocol):
    """Feedback."""

    async def record(self, catalog: str, events: Sequence[tuple[Any, str]]) -> Sequence[Any]:
        """What became of events, each with the id that its token carries, in their order.

        Raises:
            ServiceError: it is not known what was kept; sending the same again is right.
        """
        ...


class EventRecorder:
    """The RecordEvents RPC without its wire format."""

    def __init__(self, store: EventStore, tokens: AttributionTokens) -> None:
        self._store = store
        self._tokens = tokens

    async def record(self, catalog: str, events: Sequence[Any]) -> list[Any | Violation]:
        """For each event what became of it, or the violation for which it never left.

        Raises:
            InvalidArgument: feedback refuses the batch as a whole.
            Unavailable: feedback cannot keep it now, or cannot tell in time whether it did.
        """
        read = [self._read(event.attribution_token) for event in events]
        sent = [(event, one) for event, one in zip(events, read, strict=True) if not isinstance(one, Violation)]
        # An empty batch goes too: what is wrong with it is feedback's to say.
        results = iter(await self._store.record(catalog, sent) if sent or not events else ())
        return [one if isinstance(one, Violation) else next(results) for one in read]

    def _read(self, token: str) -> str | Violation:
        if not token:
            return ""
        attribution_id = self._tokens.read(token)
        if attribution_id is None:
            return Violation("attribution_token", self._tokens.rule, "INVALID_TOKEN")
        return attribution_id
