"""The first phase of an import: the whole file is read, and nothing is sent."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cli.importing import warnings_of
from cli.problems import FieldError, Problem, Severity
from cli.products import problem_of, product_of
from cli.rows import BadRow, Row, RowFile
from cli.seen_ids import SeenIds
from zhiyin.common.v1.product_pb2 import Product

Rules = Callable[[Product], Iterator[FieldError]]
_STEP: Final = 500
"""Rows between two looks at the progress."""


@dataclass(slots=True)
class Checked:
    """What was found so far."""

    rows: int = 0
    rejected: int = 0
    """Rows that would not go in."""
    errors: Counter[str] = field(default_factory=Counter)
    """Number of errors by code."""
    warnings: Counter[str] = field(default_factory=Counter)
    """Number of warnings by code."""
    position: int = 0


def check(
    file: RowFile,
    rules: Rules,
    *,
    report: Callable[[Sequence[Problem]], None],
    reject: Callable[[Sequence[Row | BadRow]], None],
    progress: Callable[[Checked], None],
) -> Checked:
    """Reads a file to its end.

    Args:
        file: the file.
        rules: what a product has to fulfil beyond what its fields can hold.
        report: is told the problems, in the order of the file.
        reject: is given the rows with errors, in the order of the file.
        progress: is told the counts now and then.
    """
    checked, seen = Checked(), SeenIds()
    for row in file.rows:
        problems = _problems(row, rules, seen)
        is_bad = any(problem.severity is Severity.ERROR for problem in problems)
        checked.rows += 1
        checked.rejected += is_bad
        for problem in problems:
            (checked.errors if problem.severity is Severity.ERROR else checked.warnings)[problem.reason] += 1
        report(problems)
        if is_bad:
            reject([row])
        if checked.rows % _STEP == 0:
            checked.position = file.position()
            progress(checked)
    checked.position = file.position()
    progress(checked)
    return checked


def service_rules() -> Rules:
    """The rules of the service for products, with its default limits; an installation may have others."""
    # Loaded here, because an import without a check needs nothing of the service.
    from services.retrieval import convert  # noqa: PLC0415
    from services.retrieval.validation import ProductLimits, product_violations  # noqa: PLC0415

    limits = ProductLimits()

    def rules(product: Product) -> Iterator[FieldError]:
        for violation in product_violations(convert.product(product), limits):
            yield FieldError(violation.field, violation.description, violation.reason)

    return rules


def _problems(row: Row | BadRow, rules: Rules, seen: SeenIds) -> list[Problem]:
    if isinstance(row, BadRow):
        return [row.problem]
    made = product_of(row)
    if isinstance(made, list):
        return made
    problems = [problem_of(row, made.id, error) for error in rules(made)]
    problems.extend(warnings_of(row, made.id))
    if not seen.add(made.id):
        again = FieldError("id", "has occurred before in the file; the last row of an id wins", "DUPLICATE_ID")
        problems.append(problem_of(row, made.id, again, Severity.WARNING))
    return problems
