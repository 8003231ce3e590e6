"""What may be dropped from a filter that leaves nothing, and in which order.

Availability is never dropped, neither of its own nor with a group: who wants what can be bought now is not helped by
what cannot.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import IntEnum
from typing import Final, NamedTuple

from services.retrieval.filters import ProductFilter, names_availability

_STEPS: Final = (("attributes", "any", "none"), ("rating",), ("price",), ("brands",), ("categories",))


class RelaxationMode(IntEnum):
    """Numbers as in zhiyin.common.v1.RelaxationMode."""

    STRICT = 1
    RELAX_FILTER = 2


class Relaxed(NamedTuple):
    """A weaker filter."""

    wanted: ProductFilter
    dropped: tuple[str, ...]
    """Paths of all that it lacks."""


def relaxations(wanted: ProductFilter) -> list[Relaxed]:
    """Weaker and weaker filters: without attributes and groups, then rating, price, brands, and categories as well."""
    weaker: list[Relaxed] = []
    dropped: tuple[str, ...] = ()
    for step in _STEPS:
        names = [name for name in step if _WITHOUT[name](wanted) != wanted]
        for name in names:
            wanted = _WITHOUT[name](wanted)
        if names:
            dropped += tuple(f"filter.{name}" for name in names)
            weaker.append(Relaxed(wanted, dropped))
    return weaker


def _without_any(wanted: ProductFilter) -> ProductFilter:
    return wanted if any(names_availability(group) for group in wanted.any) else replace(wanted, any=())


def _without_none(wanted: ProductFilter) -> ProductFilter:
    return replace(wanted, none=tuple(group for group in wanted.none if names_availability(group)))


_WITHOUT: Final[Mapping[str, Callable[[ProductFilter], ProductFilter]]] = {
    "attributes": lambda wanted: replace(wanted, attributes=()),
    "any": _without_any,
    "none": _without_none,
    "rating": lambda wanted: replace(wanted, rating=None),
    "price": lambda wanted: replace(wanted, price=None),
    "brands": lambda wanted: replace(wanted, brands=()),
    "categories": lambda wanted: replace(wanted, categories=()),
}
