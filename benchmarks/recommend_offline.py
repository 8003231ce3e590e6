"""`python -m benchmarks.recommend_offline`: what the sources and their fusion reach without any service.

Prints Recall@10 and NDCG@10 for groceries and, where ZHIYIN_EVAL_DATA names a folder that has it, for amazon_beauty.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.recommend_data import (
    BehaviourSet,
    Visitor,
    amazon_beauty,
    completejourney,
    shorten_visitors,
    withhold_products,
)
from benchmarks.recommend_interests import Vectors
from benchmarks.recommend_metrics import Quality, quality
from benchmarks.recommend_reference import FusionRules, Method, Reference, lists_for
from benchmarks.recommend_vectors import centred_titles

DATA_VARIABLE: Final = "ZHIYIN_EVAL_DATA"
COLD_SHARE: Final = 0.1
SEED: Final = 11
NEWCOMERS: Final = (0.0, 0.2, 0.36)
"""Strengths with which products without behaviour inherit."""
REPEATS: Final = 4.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One method on one group of visitors."""

    group: str
    method: str
    quality: Quality

    def text(self) -> str:
        """As a line of the table."""
        q = self.quality
        return f"{self.group:44} {self.method:26} {q.ndcg:.4f} ±{q.ndcg_error:.4f}  {q.recall:.4f}  {q.visitors:6}"


def main(arguments: Sequence[str]) -> int:
    """Prints all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="measure every n-th visitor; all are learned from")
    every = parser.parse_args(arguments).every
    print(f"{'visitors':44} {'method':26} NDCG@10 ±error  Recall@10  visitors")
    for make in _sets():
        data = make()
        for figure in figures(data, centred_titles(data.titles), every):
            print(figure.text(), flush=True)
    return 0


def _sets() -> Iterator[Callable[[], BehaviourSet]]:
    folder = os.environ.get(DATA_VARIABLE)
    if folder and (Path(folder) / "amazon_beauty").is_dir():
        yield lambda: amazon_beauty(Path(folder) / "amazon_beauty")
    yield completejourney


def figures(data: BehaviourSet, vectors: Vectors, every: int) -> Iterator[Figure]:
    """All figures of one set."""
    reference = Reference(data, vectors)
    asked = [visitor for visitor in data.visitors if visitor.targets][::every]
    unseen = [replace(v, targets=v.targets - v.seen) for v in asked if v.targets - v.seen]
    yield from _measured(f"{data.name}, new to the visitor", unseen, _methods(reference))
    if again := [replace(v, targets=v.targets & v.seen) for v in asked if v.targets & v.seen]:
        repeats = Reference(data, vectors, fusion=FusionRules(bought=REPEATS))
        yield from _measured(f"{data.name}, bought before", again, _methods(repeats, repeated=True))
        yield from _measured(f"{data.name}, whole basket", asked, {"without repeats": reference.fused})
        yield from _measured(f"{data.name}, whole basket", asked, _methods(repeats, repeated=True))
    yield from _cold_products(data, vectors, every)
    yield from _cold_visitors(data, vectors, every)


def _methods(reference: Reference, *, repeated: bool = False) -> dict[str, Method]:
    methods: dict[str, Method] = {
        "popularity": reference.popular,
        "co-occurrence": reference.together,
        "content, plain mean": reference.alike_on_average,
        "content, recency mean": reference.alike_lately,
        "content, interests": reference.alike,
        "fusion": reference.fused,
    }
    return methods | {"bought before": reference.bought_before} if repeated else methods


def _cold_products(data: BehaviourSet, vectors: Vectors, every: int) -> Iterator[Figure]:
    cold, withheld = withhold_products(data, COLD_SHARE, SEED)
    groups: dict[str, list[Visitor]] = {"cold targets": [], "other targets": []}
    for visitor in cold.visitors:
        targets = visitor.targets - visitor.seen
        if visitor.history and targets & withheld:
            groups["cold targets"].append(replace(visitor, targets=targets & withheld))
        elif visitor.history and targets:
            groups["other targets"].append(replace(visitor, targets=targets))
    for strength in NEWCOMERS:
        reference = Reference(cold, vectors, fusion=FusionRules(newcomer=strength))
        method: dict[str, Method] = {f"fusion, newcomers {strength}": reference.fused}
        for name, visitors in groups.items():
            yield from _measured(f"{data.name}, {name}", visitors[::every], method)


def _cold_visitors(data: BehaviourSet, vectors: Vectors, every: int) -> Iterator[Figure]:
    short, chosen = shorten_visitors(data, COLD_SHARE, SEED)
    visitors = [v for v in short.visitors if v.visitor_id in chosen and v.targets - v.seen]
    unseen = [replace(visitor, targets=visitor.targets - visitor.seen) for visitor in visitors][::every]
    methods = _methods(Reference(short, vectors))
    names = ("popularity", "co-occurrence", "content, interests", "fusion")
    yield from _measured(f"{data.name}, visitors of one choice", unseen, {name: methods[name] for name in names})


def _measured(group: str, visitors: Sequence[Visitor], methods: dict[str, Method]) -> Iterator[Figure]:
    for name, method in methods.items():
        yield Figure(group, name, quality(lists_for(visitors, method)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
