"""Facets: how many results have which values. Exact over a result set: they count what is in it, one by one."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from services.retrieval import categories
from services.retrieval.attributes import ATTRIBUTE_FIELD, AttributeType, Declarations
from services.retrieval.filter_rules import in_unit
from services.retrieval.filters import NumberRange
from services.retrieval.prices import currency_of_most
from services.retrieval.product_index import AVAILABILITY, BRAND, CATEGORY, PRICE, RATING, Facts, Hit
from services.retrieval.variants import VariantMode

FIELDS: Final = frozenset({BRAND, CATEGORY, AVAILABILITY, PRICE, RATING})
NUMBERS: Final = frozenset({PRICE, RATING})
AVAILABILITY_NAMES: Final = {1: "IN_STOCK", 2: "OUT_OF_STOCK", 3: "PREORDER", 4: "BACKORDER"}
Values = Iterable[str] | Iterable[float]


class FacetScope(IntEnum):
    """Numbers as in zhiyin.common.v1.FacetScope."""

    RESULTS = 1
    WITHOUT_OWN_FILTER = 2


@dataclass(frozen=True, slots=True)
class FacetSpec:
    """A facet that a caller asks for."""

    field: str
    limit: int = 0
    ranges: Sequence[NumberRange] = ()
    scope: int = FacetScope.RESULTS
    parent_category: str = ""


@dataclass(frozen=True, slots=True)
class Facet:
    """Counts of one facet."""

    spec: FacetSpec
    values: Sequence[tuple[str, int]]
    """Highest count first, ties by value."""
    ranges: Sequence[int]
    """In the order asked for."""
    observed: tuple[float, float] | None
    """Lowest and highest number."""
    unit: str
    currency: str
    missing: int
    distinct: int


def counted(spec: FacetSpec, hits: Sequence[Hit], declarations: Declarations, limit: int, mode: VariantMode) -> Facet:
    """A facet over the products of a result set. A result has every value that one of its variants has.

    `limit` is the number of values at most.
    """
    currency = currency_of_most(hits) if spec.field == PRICE else ""
    by_result = _values_by_result(hits, _reader(spec, currency), mode)
    missing = sum(not values for values in by_result.values())
    if not is_number(spec.field, declarations):
        counts = Counter(value for values in by_result.values() for value in values)
        top = sorted(((str(value), count) for value, count in counts.items()), key=lambda pair: (-pair[1], pair[0]))
        return Facet(spec, top[:limit], (), None, "", "", missing, len(counts))
    numbers = [{float(value) for value in values} for values in by_result.values()]
    distinct = set[float]().union(*numbers)
    unit = _unit(spec.field, declarations)
    ranges = [_in_range(bounds, unit, numbers) for bounds in spec.ranges]
    observed = (min(distinct), max(distinct)) if distinct else None
    return Facet(spec, (), ranges, observed, unit, currency, missing, len(distinct))


def is_number(field: str, declarations: Declarations) -> bool:
    """Whether a facet is of numbers."""
    declaration = declarations.get(field.removeprefix(ATTRIBUTE_FIELD))
    return field in NUMBERS or (
        field not in FIELDS and declaration is not None and declaration.type is AttributeType.NUMBER
    )


def _values_by_result(
    hits: Iterable[Hit], read: Callable[[Facts], Values], mode: VariantMode
) -> Mapping[str, set[str | float]]:
    results: defaultdict[str, set[str | float]] = defaultdict(set)
    for hit in hits:
        results[hit.group if mode is VariantMode.COLLAPSED else hit.product_id].update(read(hit.facts))
    return results


def _reader(spec: FacetSpec, currency: str) -> Callable[[Facts], Values]:
    """What reads a facet's values from a product's facts."""
    match spec.field:
        case "brand":
            return lambda facts: [facts.brand] if facts.brand else []
        case "category":
            return _children_of(spec.parent_category)
        case "availability":
            return lambda facts: [AVAILABILITY_NAMES[facts.availability]] if facts.availability else []
        case "price":
            return lambda facts: [facts.price] if facts.currency and facts.currency == currency else []
        case "rating":
            return lambda facts: [] if facts.rating is None else [facts.rating]
        case _:
            name = spec.field.removeprefix(ATTRIBUTE_FIELD)
            return lambda facts: facts.attributes.get(name, ())


def _children_of(parent: str) -> Callable[[Facts], Values]:
    """The paths right below a path; the first levels where it is empty."""
    prefix = f"{categories.normalise(parent)}{categories.SEPARATOR}" if parent else ""

    def children(facts: Facts) -> Values:
        below = [path for path in facts.categories if path.startswith(prefix)]
        return [path for path in below if categories.SEPARATOR not in path[len(prefix) :]]

    return children


def _in_range(bounds: NumberRange, unit: str, numbers: Iterable[set[float]]) -> int:
    """Results with a number within a range. A bound belongs to the range that begins with it."""
    converted = in_unit(bounds, unit) or bounds
    lowest = float("-inf") if converted.lowest is None else converted.lowest
    highest = float("inf") if converted.highest is None else converted.highest
    return sum(any(lowest <= number < highest for number in values) for values in numbers)


def _unit(field: str, declarations: Declarations) -> str:
    declaration = None if field in FIELDS else declarations.get(field.removeprefix(ATTRIBUTE_FIELD))
    return "" if declaration is None else declaration.unit
