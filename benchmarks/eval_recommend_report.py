"""Tables of how well lists of recommendations name what visitors chose next, and by how much they differ."""

import json
import math
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev

from rich.console import Console
from rich.table import Table

from benchmarks.recommend_metrics import ndcg, quality
from benchmarks.report import OUT

_WIDTH = 150


@dataclass(frozen=True, slots=True)
class Line:
    """One method over one sample."""

    data: str
    question: str
    """What was to be predicted, for whom."""
    method: str
    visitors: int
    ndcg: float
    ndcg_error: float
    """Standard error of the mean."""
    recall: float
    less_than_served: float | None
    """Mean over visitors of the served NDCG@10 less this one's; None for the served one itself."""
    difference_error: float | None
    """Standard error of that difference, paired by visitor."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What was aimed at."""

    text: str
    value: float
    is_met: bool


def lines_of(
    data: str,
    question: str,
    targets: Sequence[Collection[int]],
    lists: Mapping[str, Sequence[Sequence[int]]],
    served: str,
) -> list[Line]:
    """A line per method; the method `served` is what the others are compared with."""
    gains = {name: gains_of(each, targets) for name, each in lists.items()}
    return [_line(data, question, name, lists[name], targets, gains, served) for name in lists]


def gains_of(lists: Sequence[Sequence[int]], targets: Sequence[Collection[int]]) -> list[float]:
    """NDCG@10 of each list."""
    return [ndcg(ranked, relevant) for ranked, relevant in zip(lists, targets, strict=True)]


def paired(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Mean of the differences and its standard error, 0 for fewer than two."""
    differences = [a - b for a, b in zip(first, second, strict=True)]
    error = stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
    return fmean(differences), error


def _line(
    data: str,
    question: str,
    name: str,
    lists: Sequence[Sequence[int]],
    targets: Sequence[Collection[int]],
    gains: Mapping[str, Sequence[float]],
    served: str,
) -> Line:
    found = quality(list(zip(lists, targets, strict=True)))
    difference, error = (None, None) if name == served else paired(gains[served], gains[name])
    return Line(data, question, name, found.visitors, found.ndcg, found.ndcg_error, found.recall, difference, error)


def publish(lines: Sequence[Line], goals: Sequence[Goal], remarks: Sequence[str], machine: str) -> Path:
    """Prints everything and writes `out/eval-recommend.json`, whose path is returned."""
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    for data in dict.fromkeys(line.data for line in lines):
        console.print(_table(data, [line for line in lines if line.data == data]))
    for goal in goals:
        console.print(f"{'met' if goal.is_met else 'MISSED'}: {goal.text} ({goal.value:+.4f})", markup=False)
    for text in (*remarks, machine):
        console.print(text, style="dim", markup=False)
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "eval-recommend.json"
    report = {
        "lines": [asdict(line) for line in lines],
        "goals": [asdict(goal) for goal in goals],
        "remarks": list(remarks),
        "machine": machine,
    }
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(f"written to {path}", style="dim", markup=False)
    return path


def _table(data: str, lines: Sequence[Line]) -> Table:
    table = Table(title=data, title_justify="left", title_style="bold")
    for heading in ("to be predicted", "method"):
        table.add_column(heading)
    for heading in ("visitors", "NDCG@10", "Recall@10", "served is better by"):
        table.add_column(heading, justify="right", no_wrap=True)
    question = ""
    for line in lines:
        if question and line.question != question:
            table.add_section()
        shown = line.question if line.question != question else ""
        question = line.question
        better = "" if line.less_than_served is None else _with_error(line.less_than_served, line.difference_error)
        figures = (f"{line.visitors:,}", f"{line.ndcg:.4f} ±{line.ndcg_error:.4f}", f"{line.recall:.4f}", better)
        table.add_row(shown, line.method, *figures)
    return table


def _with_error(value: float, error: float | None) -> str:
    return f"{value:+.4f} ±{error or 0.0:.4f}"
