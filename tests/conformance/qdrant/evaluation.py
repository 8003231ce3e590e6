"""What a filter of Qdrant's API means, evaluated one product at a time: a second implementation.

After qdrant.tech/documentation/concepts/filtering: a condition on a field holds where it holds for any of its
values, a nested filter where one object meets all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from qdrant_client import grpc as pb


@dataclass(frozen=True)
class Stored:
    """A product as it was stored. Payloads hold no nulls inside lists."""

    identifier: str
    payload: dict = field(default_factory=dict)
    vectors: frozenset[str] = frozenset()


def holds(filters: pb.Filter, stored: Stored) -> bool:
    """Whether a product is left by a filter."""
    minimum = filters.min_should
    return (
        all(meets(part, stored) for part in filters.must)
        and not any(meets(part, stored) for part in filters.must_not)
        and (not filters.should or any(meets(part, stored) for part in filters.should))
        and (
            not filters.HasField("min_should")
            or sum(meets(part, stored) for part in minimum.conditions) >= minimum.min_count
        )
    )


def meets(condition: pb.Condition, stored: Stored) -> bool:
    return MEETS[condition.WhichOneof("condition_one_of")](condition, stored)


def nested_meets(nested: pb.NestedCondition, payload: dict) -> bool:
    return any(holds(nested.filter, Stored("", element)) for element in payload.get(nested.key) or [])


MEETS: dict[str, Callable[[pb.Condition, Stored], bool]] = {
    "filter": lambda condition, stored: holds(condition.filter, stored),
    "nested": lambda condition, stored: nested_meets(condition.nested, stored.payload),
    "has_id": lambda condition, stored: stored.identifier in {one.uuid for one in condition.has_id.has_id},
    "has_vector": lambda condition, stored: condition.has_vector.has_vector in stored.vectors,
    "is_empty": lambda condition, stored: not values(stored.payload, condition.is_empty.key),
    "is_null": lambda condition, stored: is_null(stored.payload, condition.is_null.key),
    "field": lambda condition, stored: field_meets(condition.field, stored.payload),
}


def field_meets(condition: pb.FieldCondition, payload: dict) -> bool:
    given = values(payload, condition.key)
    if condition.HasField("match"):
        return any(map(matches(condition.match), given))
    if condition.HasField("range"):
        return any(within(condition.range, value) for value in given)
    if condition.HasField("datetime_range"):
        bounds = {one.name: bound.ToDatetime() for one, bound in condition.datetime_range.ListFields()}
        moments = [datetime.fromisoformat(value).replace(tzinfo=None) for value in given]
        return any(between(bounds, moment) for moment in moments)
    if condition.HasField("values_count"):
        return within(condition.values_count, len(given))
    if condition.HasField("is_empty"):
        return condition.is_empty == (not given)
    return condition.is_null == is_null(payload, condition.key)


def values(payload: dict, key: str) -> list:
    """The values of a field: of a list, its elements; of every object of a list, where the key says `[]`."""
    head, inside, rest = key.partition("[].")
    given = payload.get(head)
    if inside:
        return [value for element in given or [] for value in values(element, rest)]
    return [] if given is None else given if isinstance(given, list) else [given]


def is_null(payload: dict, key: str) -> bool:
    head, inside, rest = key.partition("[].")
    if inside:
        return any(is_null(element, rest) for element in payload.get(head) or [])
    return key in payload and payload[key] is None


def matches(match: pb.Match) -> Callable[[object], bool]:
    kind = match.WhichOneof("match_value")
    wanted = getattr(match, kind)
    if kind in {"keyword", "integer"}:
        return lambda value: value == wanted
    listed = set(wanted.strings if kind.endswith("keywords") else wanted.integers)
    if kind.startswith("except"):
        return lambda value: value not in listed
    return lambda value: value in listed


def within(bounds, value: float) -> bool:
    return between({one.name: bound for one, bound in bounds.ListFields()}, value)


def between(bounds: dict, value) -> bool:
    return all(
        {"lt": value < bound, "lte": value <= bound, "gt": value > bound, "gte": value >= bound}[name]
        for name, bound in bounds.items()
    )
