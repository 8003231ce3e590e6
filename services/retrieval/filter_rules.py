"""What a filter has to be: limits of its size, values that exist, attributes as they are declared."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.common.errors import Violation
from services.retrieval.attributes import AttributeDeclaration, AttributeType, Declarations
from services.retrieval.filters import (
    AttributeCondition,
    NumberRange,
    PriceRange,
    ProductFilter,
    condition_count,
    groups_of,
)
from services.retrieval.units import convert
from services.retrieval.validation import ProductLimits, category_violations, money_violations, too_long, too_many

HIGHEST_RATING: Final = 5.0
_AVAILABILITIES: Final = range(1, 5)


@dataclass(frozen=True, slots=True)
class FilterLimits:
    """How much a filter may hold."""

    depth: int = 3
    """Levels of groups below the filter itself."""
    conditions: int = 100
    values: int = 100
    """Values of one list."""


def filter_violations(
    wanted: ProductFilter, limits: FilterLimits, products: ProductLimits, field: str = "filter"
) -> Iterator[Violation]:
    """Every rule that a filter breaks whatever the catalogue, with the field's path in the request."""
    if _depth(wanted) > limits.depth:
        yield Violation(field, f"must have groups at most {limits.depth} levels deep", "TOO_DEEP")
        return
    if condition_count(wanted) > limits.conditions:
        yield Violation(field, f"must have at most {limits.conditions:,} conditions", "TOO_MANY")
        return
    yield from _violations(wanted, limits, products, field)


def declared_filter(
    wanted: ProductFilter, declarations: Declarations, violations: list[Violation], field: str = "filter"
) -> ProductFilter:
    """The filter with its numbers in the declared units; what the declarations do not allow goes to `violations`."""
    if not (wanted.attributes or wanted.any or wanted.none):
        return wanted
    attributes = [
        _declared(condition, declarations, violations, f"{field}.attributes[{position}]")
        for position, condition in enumerate(wanted.attributes)
    ]
    groups = {path: declared_filter(group, declarations, violations, path) for path, group in groups_of(wanted, field)}
    return replace(
        wanted,
        attributes=attributes,
        any=[groups[f"{field}.any[{position}]"] for position in range(len(wanted.any))],
        none=[groups[f"{field}.none[{position}]"] for position in range(len(wanted.none))],
    )


def in_unit(bounds: NumberRange, unit: str) -> NumberRange | None:
    """A range in another unit; None where its own measures something else, or a bound is too large in it."""
    if not bounds.unit:
        return replace(bounds, unit=unit)
    lowest = None if bounds.lowest is None else convert(bounds.lowest, bounds.unit, unit)
    highest = None if bounds.highest is None else convert(bounds.highest, bounds.unit, unit)
    if (lowest is None) != (bounds.lowest is None) or (highest is None) != (bounds.highest is None):
        return None
    return NumberRange(lowest, highest, unit)


def range_violations(field: str, bounds: NumberRange, *, limit: float = math.inf) -> Iterator[Violation]:
    """The rules of a range: a bound, finite ones, in order, from 0 to `limit` where there is one."""
    given = [("min", bounds.lowest), ("max", bounds.highest)]
    numbers = [(name, bound) for name, bound in given if bound is not None]
    if not numbers:
        yield Violation(field, "must have a lower or an upper bound", "REQUIRED")
    for name, bound in numbers:
        if not math.isfinite(bound):
            yield Violation(f"{field}.{name}", "must be finite", "OUT_OF_RANGE")
        elif limit < math.inf and not 0 <= bound <= limit:
            yield Violation(f"{field}.{name}", f"must be 0 to {limit:g}", "OUT_OF_RANGE")
    if bounds.lowest is not None and bounds.highest is not None and bounds.lowest > bounds.highest:
        yield Violation(f"{field}.max", "must not be below the lower bound", "OUT_OF_RANGE")


def _depth(wanted: ProductFilter) -> int:
    return max((1 + _depth(group) for _, group in groups_of(wanted, "")), default=0)


def _violations(
    wanted: ProductFilter, limits: FilterLimits, products: ProductLimits, field: str
) -> Iterator[Violation]:
    yield from _texts(f"{field}.brands", wanted.brands, limits.values, products.brand_characters)
    yield from too_many(f"{field}.categories", len(wanted.categories), limits.values)
    for position, path in enumerate(wanted.categories[: limits.values]):
        yield from category_violations(f"{field}.categories[{position}]", path, products)
    yield from _availabilities(f"{field}.availabilities", wanted.availabilities)
    if wanted.price is not None:
        yield from _price(f"{field}.price", wanted.price)
    if wanted.rating is not None:
        yield from range_violations(f"{field}.rating", wanted.rating, limit=HIGHEST_RATING)
        if wanted.rating.unit:
            yield Violation(f"{field}.rating.unit", "must be empty: ratings have no unit", "WRONG_UNIT")
    for position, condition in enumerate(wanted.attributes):
        yield from _attribute(f"{field}.attributes[{position}]", condition, limits, products)
    if wanted.any or wanted.none:
        yield from _groups(wanted, limits, products, field)


def _groups(wanted: ProductFilter, limits: FilterLimits, products: ProductLimits, field: str) -> Iterator[Violation]:
    yield from too_many(f"{field}.any", len(wanted.any), limits.values)
    yield from too_many(f"{field}.none", len(wanted.none), limits.values)
    bounded = replace(wanted, any=wanted.any[: limits.values], none=wanted.none[: limits.values])
    for path, group in groups_of(bounded, field):
        # A group without a condition holds for everything: as one of `none` it would leave nothing, surely by mistake.
        if condition_count(group) == 0:
            yield Violation(path, "must hold a condition", "REQUIRED")
        else:
            yield from _violations(group, limits, products, path)


def _texts(field: str, texts: Sequence[str], count: int, characters: int) -> Iterator[Violation]:
    yield from too_many(field, len(texts), count)
    for position, text in enumerate(texts[:count]):
        yield from too_long(f"{field}[{position}]", text, characters)


def _availabilities(field: str, wanted: Sequence[int]) -> Iterator[Violation]:
    yield from too_many(field, len(wanted), len(_AVAILABILITIES) + 1)
    for position, availability in enumerate(wanted[: len(_AVAILABILITIES) + 1]):
        if availability not in _AVAILABILITIES:
            yield Violation(f"{field}[{position}]", "must be a known availability", "OUT_OF_RANGE")


def _price(field: str, price: PriceRange) -> Iterator[Violation]:
    if price.lowest is None and price.highest is None:
        yield Violation(field, "must have a lower or an upper bound", "REQUIRED")
    if price.lowest is not None:
        yield from money_violations(f"{field}.min", price.lowest)
    if price.highest is not None:
        yield from money_violations(f"{field}.max", price.highest)
    if price.lowest is None or price.highest is None:
        return
    if price.lowest.currency != price.highest.currency:
        yield Violation(f"{field}.max.currency_code", "must be the currency of the lower bound", "INVALID")
    elif price.lowest.amount > price.highest.amount:
        yield Violation(f"{field}.max", "must not be below the lower bound", "OUT_OF_RANGE")


def _attribute(
    field: str, condition: AttributeCondition, limits: FilterLimits, products: ProductLimits
) -> Iterator[Violation]:
    if not condition.name:
        yield Violation(f"{field}.name", "must be given", "REQUIRED")
    yield from too_long(f"{field}.name", condition.name, products.attribute_name_characters)
    if condition.texts is not None:
        if not condition.texts:
            yield Violation(f"{field}.texts.values", "must not be empty", "REQUIRED")
        yield from _texts(f"{field}.texts.values", condition.texts, limits.values, products.attribute_characters)
    elif condition.range is not None:
        yield from too_long(f"{field}.range.unit", condition.range.unit, products.attribute_name_characters)
        yield from range_violations(f"{field}.range", condition.range)
    elif condition.flag is None:
        yield Violation(field, "must say what the attribute has to be", "REQUIRED")


def _declared(
    condition: AttributeCondition, declarations: Declarations, violations: list[Violation], field: str
) -> AttributeCondition:
    declaration = declarations.get(condition.name)
    if declaration is None or not declaration.filterable:
        broken = "must be an attribute that the catalogue's settings in force declare as filterable"
        violations.append(Violation(f"{field}.name", broken, "NOT_FILTERABLE"))
    elif _type_of(condition) is not declaration.type:
        broken = f"must compare with what the attribute is declared as: {declaration.type.name}"
        violations.append(Violation(field, broken, "WRONG_TYPE"))
    elif condition.range is not None:
        return _in_declared_unit(condition, condition.range, declaration, violations, field)
    return condition


def _in_declared_unit(
    condition: AttributeCondition,
    bounds: NumberRange,
    declaration: AttributeDeclaration,
    violations: list[Violation],
    field: str,
) -> AttributeCondition:
    converted = in_unit(bounds, declaration.unit)
    if converted is None:
        broken = "must be a unit that measures the same as the declared one, in which no bound is too large"
        violations.append(Violation(f"{field}.range.unit", broken, "WRONG_UNIT"))
        return condition
    return replace(condition, range=converted)


def _type_of(condition: AttributeCondition) -> AttributeType:
    if condition.texts is not None:
        return AttributeType.TEXT
    return AttributeType.NUMBER if condition.range is not None else AttributeType.BOOLEAN
