"""The import: rows in batches to the gateway, a few batches in flight, the results in the order of the file."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from cli.problems import FieldError, Problem, Severity
from cli.products import problem_of, product_of
from cli.rows import BadRow, Row
from services.common.errors import ResourceExhausted, ServiceError, Unavailable
from zhiyin.common.v1.degradation_pb2 import DegradationKind
from zhiyin.common.v1.product_pb2 import Product
from zhiyin.common.v1.write_pb2 import ProductWriteResult, WriteOutcome
from zhiyin.gateway.v1.gateway_service_pb2 import UpsertProductsResponse

MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
"""A batch is closed before it is longer, well below the 32 MiB that a message may have."""
IN_FLIGHT: Final = 4
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0

WRITTEN: Final = (
    WriteOutcome.WRITE_OUTCOME_CREATED,
    WriteOutcome.WRITE_OUTCOME_UPDATED,
    WriteOutcome.WRITE_OUTCOME_UNCHANGED,
)
"""Outcomes of products that are in."""

Upsert = Callable[[Sequence[Product]], Awaitable[UpsertProductsResponse]]


@dataclass(slots=True)
class Batch:
    """Rows that lie beside one another in the file."""

    rows: list[Row] = field(default_factory=list)
    """Row of each product."""
    products: list[Product] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    """Of the rows that are no products, and warnings of those that are."""
    bad_rows: list[Row | BadRow] = field(default_factory=list)
    """Those that are no products."""
    bytes: int = 0
    position: int = 0
    """How much of the file has been read once the batch is done; see RowFile.size."""

    def is_full_for(self, product: Product, batch_size: int) -> bool:
        """Whether `product` belongs into the next batch. Within a batch an id may occur once."""
        return bool(self.products) and (
            len(self.products) >= batch_size
            or self.bytes + product.ByteSize() > MAX_BATCH_BYTES
            or product.id in self.ids
        )

    def add(self, row: Row, product: Product) -> None:
        """Takes a product in."""
        self.rows.append(row)
        self.problems.extend(warnings_of(row, product.id))
        self.products.append(product)
        self.ids.add(product.id)
        self.bytes += product.ByteSize()


@dataclass(slots=True)
class Summary:
    """What became of the rows so far."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    """Rows that did not go in: unreadable here or refused by the service."""
    warnings: int = 0
    """Values that did not go in, of rows that did."""
    not_yet_searchable: bool = False
    position: int = 0

    @property
    def rows(self) -> int:
        """Rows that are done."""
        return self.created + self.updated + self.unchanged + self.rejected


class ImportStopped(Exception):
    """A batch could not be written, and waiting did not help.

    Attributes:
        line: the first row that is not known to be in. Those before it are done.
    """

    def __init__(self, line: int, cause: ServiceError) -> None:
        super().__init__(f"stopped at line {line}")
        self.line = line
        self.cause = cause


def batches(rows: Iterator[Row | BadRow], position: Callable[[], int], batch_size: int) -> Iterator[Batch]:
    """The rows of a file in batches, at most `batch_size` products and `batch_size` bad rows each."""
    batch = Batch()
    for row in rows:
        made = product_of(row) if isinstance(row, Row) else [row.problem]
        if isinstance(made, Product):
            if batch.is_full_for(made, batch_size):
                yield batch
                batch = Batch()
            batch.add(cast("Row", row), made)
        else:
            batch.problems.extend(made)
            batch.bad_rows.append(row)
        batch.position = position()
        if len(batch.bad_rows) >= batch_size:
            yield batch
            batch = Batch()
    if batch.products or batch.problems:
        yield batch


class Importer:
    """Sends batches and keeps count.

    Batches in flight hold disjoint ids, so that of two rows with one id the later one wins, as in the file.
    """

    def __init__(
        self,
        upsert: Upsert,
        *,
        patience: float,
        report: Callable[[Sequence[Problem]], None],
        progress: Callable[[Summary], None],
        reject: Callable[[Sequence[Row | BadRow]], None],
    ) -> None:
        """Sends through `upsert`, one batch a call.

        Args:
            upsert: writes the products of one batch.
            patience: seconds that one batch is tried again for, while the service is away or overloaded.
            report: is told the problems, in the order of the file.
            progress: is told the counts after each batch.
            reject: is given the rows that did not go in, in the order of the file.
        """
        self.summary = Summary()
        self._upsert = upsert
        self._patience = patience
        self._report = report
        self._progress = progress
        self._reject = reject
        self._in_flight: deque[tuple[Batch, asyncio.Task[UpsertProductsResponse]]] = deque()

    async def run(self, source: Iterator[Batch]) -> Summary:
        """Sends everything.

        Raises:
            ImportStopped: a batch failed for good; later ones may or may not be in. Importing again is harmless.
        """
        try:
            while (batch := await asyncio.to_thread(next, source, None)) is not None:
                while len(self._in_flight) >= IN_FLIGHT or self._overlaps(batch):
                    await self._settle_oldest()
                self._in_flight.append((batch, asyncio.create_task(self._send(batch.products))))
            while self._in_flight:
                await self._settle_oldest()
        finally:
            await self._cancel_rest()
        return self.summary

    def _overlaps(self, batch: Batch) -> bool:
        return any(not batch.ids.isdisjoint(sent.ids) for sent, _ in self._in_flight)

    async def _settle_oldest(self) -> None:
        batch, task = self._in_flight[0]
        try:
            response = await task
        except ServiceError as exc:
            raise ImportStopped(batch.rows[0].line, exc) from exc
        self._in_flight.popleft()
        self._count(batch, response)

    async def _cancel_rest(self) -> None:
        tasks = [task for _, task in self._in_flight]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, products: Sequence[Product]) -> UpsertProductsResponse:
        if not products:
            return UpsertProductsResponse()
        loop = asyncio.get_running_loop()
        end = loop.time() + self._patience
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._upsert(products)
            except (Unavailable, ResourceExhausted) as exc:
                wait = max(exc.retry_after or 0.0, random.uniform(pause / 2, pause))  # noqa: S311 - spreads callers
                if not self._is_worth_waiting(exc) or loop.time() + wait > end:
                    raise
                await asyncio.sleep(wait)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _is_worth_waiting(self, error: ServiceError) -> bool:
        """A server that asks to come back does exist; one that never answered is more likely a wrong address."""
        return error.retry_after is not None or self.summary.rows > 0

    def _count(self, batch: Batch, response: UpsertProductsResponse) -> None:
        problems, rejected = [*batch.problems], [*batch.bad_rows]
        for row, result in zip(batch.rows, response.results, strict=True):
            self._count_one(result)
            if result.outcome not in WRITTEN:
                rejected.append(row)
            problems.extend(_refusals(row, result))
        self.summary.rejected += len(batch.bad_rows)
        self.summary.warnings += sum(problem.severity is Severity.WARNING for problem in problems)
        self.summary.position = batch.position
        self.summary.not_yet_searchable |= is_not_yet_searchable(response)
        self._report(sorted(problems, key=lambda problem: problem.line))
        self._reject(sorted(rejected, key=lambda row: row.line))
        self._progress(self.summary)

    def _count_one(self, result: ProductWriteResult) -> None:
        match result.outcome:
            case WriteOutcome.WRITE_OUTCOME_CREATED:
                self.summary.created += 1
            case WriteOutcome.WRITE_OUTCOME_UPDATED:
                self.summary.updated += 1
            case WriteOutcome.WRITE_OUTCOME_UNCHANGED:
                self.summary.unchanged += 1
            case _:
                self.summary.rejected += 1


def is_not_yet_searchable(response: UpsertProductsResponse) -> bool:
    """Whether the wait was too short; the products are on disk all the same."""
    return any(d.kind == DegradationKind.DEGRADATION_KIND_NOT_YET_SEARCHABLE for d in response.degradations)


def warnings_of(row: Row, product_id: str) -> Iterator[Problem]:
    """What a row goes in without."""
    return (problem_of(row, product_id, warning, Severity.WARNING) for warning in row.warnings)


def _refusals(row: Row, result: ProductWriteResult) -> Iterator[Problem]:
    for violation in result.violations:
        yield problem_of(row, result.product_id, FieldError(violation.field, violation.description, violation.reason))
