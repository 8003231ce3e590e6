"""What a facet that is asked for has to be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.common.errors import Violation
from services.retrieval.attributes import ATTRIBUTE_FIELD, Declarations
from services.retrieval.facets import FIELDS, NUMBERS, FacetScope, FacetSpec, is_number
from services.retrieval.filter_rules import in_unit, range_violations
from services.retrieval.filters import NumberRange
from services.retrieval.product_index import CATEGORY
from services.retrieval.validation import ProductLimits, category_violations, too_long, too_many

_NOT_FACETABLE: Final = "must be an attribute that the catalogue's settings in force declare as facetable"


@dataclass(frozen=True, slots=True)
class FacetLimits:
    """How many facets a request may ask for, and how much of each."""

    facets: int = 50
    default_values: int = 20
    values: int = 100
    ranges: int = 50

    def values_of(self, spec: FacetSpec) -> int:
        """Values of one facet at most."""
        return min(spec.limit or self.default_values, self.values)


def facet_violations(specs: Sequence[FacetSpec], limits: FacetLimits, products: ProductLimits) -> Iterator[Violation]:
    """Every rule that facets break whatever the catalogue."""
    yield from too_many("facets", len(specs), limits.facets)
    for position, spec in enumerate(specs[: limits.facets]):
        yield from _spec(f"facets[{position}]", spec, limits, products)


def undeclared_facets(specs: Sequence[FacetSpec], declarations: Declarations) -> Iterator[Violation]:
    """Facets of attributes that are not declared as facetable, or not as what their ranges are of."""
    for position, spec in enumerate(specs):
        field = f"facets[{position}]"
        if spec.field in FIELDS:
            continue
        declaration = declarations.get(spec.field.removeprefix(ATTRIBUTE_FIELD))
        if declaration is None or not declaration.facetable:
            yield Violation(f"{field}.field", _NOT_FACETABLE, "NOT_FACETABLE")
        elif spec.ranges and not is_number(spec.field, declarations):
            yield Violation(f"{field}.ranges", "must be empty: the attribute has no numbers", "WRONG_TYPE")
        else:
            yield from _units(field, spec.ranges, declaration.unit)


def _spec(field: str, spec: FacetSpec, limits: FacetLimits, products: ProductLimits) -> Iterator[Violation]:
    yield from _name(f"{field}.field", spec.field, products)
    if spec.limit < 0:
        yield Violation(f"{field}.limit", "must not be negative", "OUT_OF_RANGE")
    if spec.scope not in set(FacetScope):
        yield Violation(f"{field}.scope", "must be a known scope", "OUT_OF_RANGE")
    if spec.parent_category and spec.field != CATEGORY:
        yield Violation(f"{field}.parent_category", "belongs to the field `category` only", "INVALID")
    elif spec.parent_category:
        yield from category_violations(f"{field}.parent_category", spec.parent_category, products)
    yield from too_many(f"{field}.ranges", len(spec.ranges), limits.ranges)
    if spec.ranges and spec.field in FIELDS - NUMBERS:
        yield Violation(f"{field}.ranges", "must be empty: the field has no numbers", "WRONG_TYPE")
    for position, bounds in enumerate(spec.ranges[: limits.ranges]):
        yield from _range(f"{field}.ranges[{position}]", bounds, products)
    if spec.field in FIELDS:
        yield from _units(field, spec.ranges[: limits.ranges], "")


def _name(field: str, name: str, products: ProductLimits) -> Iterator[Violation]:
    attribute = name.removeprefix(ATTRIBUTE_FIELD)
    if not name:
        yield Violation(field, "must be given", "REQUIRED")
    elif name not in FIELDS and (attribute == name or not attribute):
        known = ", ".join(sorted(FIELDS))
        yield Violation(field, f"must be one of {known}, or attributes.NAME", "INVALID")
    else:
        yield from too_long(field, attribute, products.attribute_name_characters)


def _range(field: str, bounds: NumberRange, products: ProductLimits) -> Iterator[Violation]:
    yield from range_violations(field, bounds)
    yield from too_long(f"{field}.unit", bounds.unit, products.attribute_name_characters)
    if bounds.lowest is not None and bounds.lowest == bounds.highest:
        yield Violation(f"{field}.max", "must be above the lower bound, to which the upper one is not equal", "EMPTY")


def _units(field: str, ranges: Sequence[NumberRange], unit: str) -> Iterator[Violation]:
    for position, bounds in enumerate(ranges):
        if bounds.unit and in_unit(bounds, unit) is None:
            broken = "must be a unit that measures the same as the field's own"
            yield Violation(f"{field}.ranges[{position}].unit", broken, "WRONG_UNIT")
