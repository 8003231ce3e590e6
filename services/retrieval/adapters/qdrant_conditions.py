"""Filters as Qdrant's conditions, and the payload index of every field that a condition names."""

from collections.abc import Mapping, Sequence
from typing import Final

from qdrant_client import grpc as q

from services.retrieval import categories
from services.retrieval.adapters.qdrant_fields import (
    BRAND,
    CATEGORY_PATHS,
    GROUP,
    OFFER_AVAILABILITY,
    OFFER_CURRENCY,
    OFFER_PRICE,
    OFFER_REGION,
    OFFERS,
    RATING,
    attribute_field,
)
from services.retrieval.attributes import AttributeType, Declarations
from services.retrieval.filters import AttributeCondition, NumberRange, ProductFilter

_KEYWORD, _FLOAT, _INTEGER = q.FieldType.FieldTypeKeyword, q.FieldType.FieldTypeFloat, q.FieldType.FieldTypeInteger
_ALWAYS: Final[Mapping[str, "q.FieldType.ValueType"]] = {
    BRAND: _KEYWORD,
    CATEGORY_PATHS: _KEYWORD,
    GROUP: _KEYWORD,
    RATING: _FLOAT,
    f"{OFFERS}[].{OFFER_REGION}": _KEYWORD,
    f"{OFFERS}[].{OFFER_CURRENCY}": _KEYWORD,
    f"{OFFERS}[].{OFFER_PRICE}": _FLOAT,
    f"{OFFERS}[].{OFFER_AVAILABILITY}": _INTEGER,
}
_OF_TYPE: Final[Mapping[AttributeType, "q.FieldType.ValueType"]] = {
    AttributeType.TEXT: _KEYWORD,
    AttributeType.NUMBER: _FLOAT,
    AttributeType.BOOLEAN: _KEYWORD,
}


def payload_indexes(declarations: Declarations) -> dict[str, "q.FieldType.ValueType"]:
    """Every field that a filter may name, with its index. Strict mode refuses any other, here as in production."""
    declared = {
        attribute_field(name): _OF_TYPE[declaration.type]
        for name, declaration in declarations.items()
        if declaration.filterable
    }
    return {**_ALWAYS, **declared}


def condition_of(wanted: ProductFilter, region: str, without_groups: Sequence[str] = ()) -> q.Filter | None:
    """A filter in Qdrant's terms, products of some groups left out; None where everything may be found.

    Its attributes are declared ones, and its numbers in the declared units.
    """
    excluded = [_keywords(GROUP, without_groups)] if without_groups else []
    excluded += [q.Condition(filter=_filter(group, region)) for group in wanted.none]
    must = _conditions(wanted, region)
    return q.Filter(must=must, must_not=excluded) if must or excluded else None


def only_points(points: Sequence[str]) -> q.Filter:
    """The given points and no others."""
    ids = q.HasIdCondition(has_id=[q.PointId(uuid=point) for point in points])
    return q.Filter(must=[q.Condition(has_id=ids)])


def _filter(wanted: ProductFilter, region: str) -> q.Filter:
    return condition_of(wanted, region) or q.Filter()


def _conditions(wanted: ProductFilter, region: str) -> list[q.Condition]:
    must: list[q.Condition] = []
    if wanted.brands:
        must.append(_keywords(BRAND, wanted.brands))
    if wanted.categories:
        must.append(_keywords(CATEGORY_PATHS, [categories.normalise(path) for path in wanted.categories]))
    if wanted.price is not None or wanted.availabilities:
        must.append(_offer_condition(wanted, region))
    if wanted.rating is not None:
        must.append(_field(RATING, range=_range(wanted.rating)))
    must += [_attribute(condition) for condition in wanted.attributes]
    if wanted.any:
        groups = [q.Condition(filter=_filter(group, region)) for group in wanted.any]
        must.append(q.Condition(filter=q.Filter(should=groups)))
    return must


def _offer_condition(wanted: ProductFilter, region: str) -> q.Condition:
    """One offer has to meet all of it: the price of one region says nothing of another one's stock."""
    must = [_field(OFFER_REGION, match=q.Match(keyword=region))]
    price = wanted.price
    if price is not None:
        must.append(_field(OFFER_CURRENCY, match=q.Match(keyword=price.currency)))
        lowest = None if price.lowest is None else price.lowest.amount
        highest = None if price.highest is None else price.highest.amount
        must.append(_field(OFFER_PRICE, range=_range(NumberRange(lowest, highest))))
    if wanted.availabilities:
        known = q.RepeatedIntegers(integers=list(wanted.availabilities))
        must.append(_field(OFFER_AVAILABILITY, match=q.Match(integers=known)))
    return q.Condition(nested=q.NestedCondition(key=OFFERS, filter=q.Filter(must=must)))


def _attribute(condition: AttributeCondition) -> q.Condition:
    field = attribute_field(condition.name)
    if condition.range is not None:
        return _field(field, range=_range(condition.range))
    if condition.flag is not None:
        return _keywords(field, ["true" if condition.flag else "false"])
    return _keywords(field, condition.texts or ())


def _range(bounds: NumberRange) -> q.Range:
    given = q.Range()
    if bounds.lowest is not None:
        given.gte = bounds.lowest
    if bounds.highest is not None:
        given.lte = bounds.highest
    return given


def _keywords(key: str, values: Sequence[str]) -> q.Condition:
    return _field(key, match=q.Match(keywords=q.RepeatedStrings(strings=values)))


def _field(key: str, *, match: q.Match | None = None, range: q.Range | None = None) -> q.Condition:  # noqa: A002
    return q.Condition(field=q.FieldCondition(key=key, match=match, range=range))
