"""Variants of one product: shown as one result or each by itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from services.retrieval.product_index import Hit


class VariantMode(IntEnum):
    """Numbers as in zhiyin.common.v1.VariantMode."""

    COLLAPSED = 1
    SEPARATE = 2


@dataclass(slots=True)
class Result:
    """A product that is shown, and how many more of its variants are in the result set."""

    hit: Hit
    other_variants: int = 0


def results_of(hits: Iterable[Hit], mode: VariantMode) -> list[Result]:
    """Results in the order of the products: where variants collapse, the first one of each stands for the others."""
    if mode is VariantMode.SEPARATE:
        return [Result(hit) for hit in hits]
    results: dict[str, Result] = {}
    for hit in hits:
        known = results.get(hit.group)
        if known is None:
            results[hit.group] = Result(hit)
        else:
            known.other_variants += 1
    return list(results.values())
