"""What a benchmark says: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

_WIDTH: Final = 150
"""Columns where the output is no terminal."""
OUT: Final = Path(__file__).parent / "out"


class Better(Enum):
    """Which way a figure improves."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should reach: a bound on the ratio to the baseline, or on the figure itself."""

    value: float
    of_ratio: bool = False

    def text(self, better: Better) -> str:
        """`>= 2.5x`, `<= 4.5`."""
        if self.of_ratio:
            return f">= {self.value:g}x"
        return f"{'>=' if better is Better.HIGHER else '<='} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    unit: str
    ours: float
    baseline: float | None = None
    better: Better = Better.HIGHER
    target: Target | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times as good as the baseline, whichever way the figure improves; None without a baseline."""
        if self.baseline is None or 0.0 in {self.ours, self.baseline}:
            return None
        return self.ours / self.baseline if self.better is Better.HIGHER else self.baseline / self.ours

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target."""
        if self.target is None:
            return None
        if self.target.of_ratio:
            return self.ratio is not None and self.ratio >= self.target.value
        return self.ours >= self.target.value if self.better is Better.HIGHER else self.ours <= self.target.value

    def as_json(self) -> dict[str, object]:
        """The row as programs read it."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "baseline": self.baseline,
            "ratio": self.ratio,
            "target": self.target.text(self.better) if self.target else None,
            "met": self.met,
            "note": self.note,
        }


def publish(benchmark: str, title: str, machine: str, rows: Sequence[Row]) -> Path:
    """Prints the table and writes `out/<benchmark>.json`, whose path is returned.

    The file holds one list, and the machine in a file beside it, because figures without a machine say nothing.
    """
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    console.print(_table(title, rows))
    console.print(machine, style="dim", markup=False)
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{benchmark}.json"
    path.write_text(json.dumps([row.as_json() for row in rows], indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    path.with_suffix(".machine.txt").write_text(machine + "\n", encoding="utf-8")
    console.print(f"written to {path}", style="dim", markup=False)
    return path


def _table(title: str, rows: Sequence[Row]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("figure", no_wrap=True)
    table.add_column("unit")
    for heading in ("ours", "baseline", "ratio", "target"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("met", justify="center")
    table.add_column("note")
    for row in rows:
        target = row.target.text(row.better) if row.target else ""
        met = {True: "[green]yes", False: "[red]no", None: ""}[row.met]
        figures = (_figure(row.ours), _figure(row.baseline), f"{row.ratio:.2f}x" if row.ratio else "")
        table.add_row(row.name, row.unit, *figures, target, met, row.note)
    return table


def _figure(value: float | None) -> str:
    """Three digits that say something, more where the value is large or near 1."""
    if value is None:
        return ""
    if 0.9 < abs(value) < 1:
        return f"{value:.5f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
