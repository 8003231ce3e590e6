"""Sends the offers of a file in batches, and keeps count."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cli.offer_rows import fields_of, update_of
from cli.patience import Patience
from cli.problems import Problem
from cli.rows import BadRow, Row
from zhiyin.common.v1.degradation_pb2 import DegradationKind
from zhiyin.common.v1.write_pb2 import OfferUpdate, OfferWriteResult, WriteOutcome
from zhiyin.gateway.v1.gateway_service_pb2 import UpdateOffersResponse

BATCH: Final = 1_000
_OUTCOMES: Final = {
    WriteOutcome.WRITE_OUTCOME_CREATED: "created",
    WriteOutcome.WRITE_OUTCOME_UPDATED: "updated",
    WriteOutcome.WRITE_OUTCOME_UNCHANGED: "unchanged",
    WriteOutcome.WRITE_OUTCOME_DELETED: "removed",
}
REJECTED: Final = "rejected"
OUTCOMES: Final = (*_OUTCOMES.values(), REJECTED)
Send = Callable[[Sequence[OfferUpdate], Sequence[str]], Awaitable[UpdateOffersResponse]]
"""Writes these fields of offers, each product and region once."""


@dataclass(slots=True)
class OfferSummary:
    """What was done so far."""

    rows: int = 0
    outcomes: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(OUTCOMES, 0)))
    """By name, all of OUTCOMES."""
    not_yet_searchable: bool = False
    position: int = 0


@dataclass(slots=True)
class _Batch:
    fields: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    updates: list[OfferUpdate] = field(default_factory=list)
    places: set[tuple[str, str]] = field(default_factory=set)

    def takes(self, update: OfferUpdate, fields: tuple[str, ...]) -> bool:
        """One batch writes the same fields of each offer, and each offer once: of two rows the later one wins."""
        has_room = len(self.updates) < BATCH
        return has_room and fields == self.fields and _place(update) not in self.places

    def add(self, row: Row, update: OfferUpdate) -> None:
        self.rows.append(row)
        self.updates.append(update)
        self.places.add(_place(update))


class OfferImport:
    """One file; batches go one after the other, in the order of the file."""

    def __init__(
        self,
        send: Send,
        columns: tuple[str, ...] | None,
        patience: Patience,
        report: Callable[[Sequence[Problem]], None],
        progress: Callable[[OfferSummary], None],
    ) -> None:
        """Sends through `send`.

        Args:
            send: writes one batch; may be called again with the same one.
            columns: those of a table, which all rows speak of; None where each row has its own.
            patience: repeats a batch while the service is away.
            report: is told the problems.
            progress: is told the counts after each batch.
        """
        self.summary = OfferSummary()
        self._send = send
        self._columns = columns
        self._patience = patience
        self._report = report
        self._progress = progress
        self._problems: list[Problem] = []

    async def run(self, rows: Iterator[Row | BadRow], position: Callable[[], int]) -> OfferSummary:
        """Sends everything. Raises ServiceError where a batch failed for good; those before it are in."""
        batch = _Batch(())
        for row in rows:
            self.summary.rows += 1
            found = [row.problem] if isinstance(row, BadRow) else update_of(row)
            if isinstance(row, BadRow) or isinstance(found, list):
                self._refuse(found)  # type: ignore[arg-type]
                continue
            fields = fields_of(self._columns if self._columns is not None else row.values)
            if not batch.takes(found, fields):
                await self._write(batch, position())
                batch = _Batch(fields)
            batch.add(row, found)
        await self._write(batch, position())
        return self.summary

    async def _write(self, batch: _Batch, position: int) -> None:
        if batch.updates:
            reply = await self._patience.call(lambda: self._send(batch.updates, batch.fields))
            for row, result in zip(batch.rows, reply.results, strict=True):
                self._count(row, result)
            self.summary.not_yet_searchable |= any(
                each.kind == DegradationKind.DEGRADATION_KIND_NOT_YET_SEARCHABLE for each in reply.degradations
            )
        self._flush()
        self.summary.position = position
        self._progress(self.summary)

    def _count(self, row: Row, result: OfferWriteResult) -> None:
        if result.outcome in _OUTCOMES:
            self.summary.outcomes[_OUTCOMES[result.outcome]] += 1
        else:
            self._refuse(list(refusals(row.line, result)))

    def _refuse(self, problems: Sequence[Problem]) -> None:
        self.summary.outcomes[REJECTED] += 1
        self._problems.extend(problems)
        if len(self._problems) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        self._report(sorted(self._problems, key=lambda problem: problem.line))
        self._problems.clear()


def refusals(line: int, result: OfferWriteResult) -> Iterator[Problem]:
    """Why an offer did not go in."""
    if result.outcome == WriteOutcome.WRITE_OUTCOME_NOT_FOUND:
        yield Problem(line, result.product_id, "product_id", "NOT_FOUND", "there is no such product")
    for each in result.violations:
        yield Problem(line, result.product_id, each.field.removeprefix("offer."), each.reason, each.description)


def _place(update: OfferUpdate) -> tuple[str, str]:
    return update.product_id, update.offer.region
