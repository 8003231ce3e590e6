"""Filters of Qdrant's gRPC API -> filters of the engine."""

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge
from google.protobuf.message import Message
from qdrant_client import grpc as pb

from local.qdrant.identifiers import point_id
from local.qdrant.refusals import bad_input, not_served, refuse_fields


def filters(message: pb.Filter) -> edge.Filter:
    """A filter with all it contains."""
    must = [condition(part) for part in message.must]
    if message.min_should.min_count > len(message.min_should.conditions):
        # Nothing meets two of one condition, but qdrant-edge-py 0.9.0 forgets such a demand beside any other clause.
        must.append(edge.HasIdCondition(set()))
    return edge.Filter(
        must=must or None,
        should=[condition(part) for part in message.should] or None,
        must_not=[condition(part) for part in message.must_not] or None,
        min_should=min_should(message.min_should) if message.HasField("min_should") else None,
    )


def min_should(message: pb.MinShould) -> edge.MinShould:
    """Conditions of which some number must hold."""
    return edge.MinShould([condition(part) for part in message.conditions], message.min_count)


def condition(message: pb.Condition) -> "edge.ConditionType":
    """One condition of a filter.

    Raises:
        RefusedError: It is empty, or of a kind that is not on the list.
    """
    kind = message.WhichOneof("condition_one_of")
    if kind is None:
        raise bad_input("a condition is empty")
    if kind not in CONDITIONS:
        raise not_served(f"Condition.{kind}")
    return CONDITIONS[kind](message)


def nested(message: pb.NestedCondition) -> edge.NestedCondition:
    """A filter that one object of a list must meet.

    Raises:
        RefusedError: It asks for the presence of a field. qdrant-edge-py 0.9.0 answers that from the index of the
            field, for all objects of the list together.
    """
    refuse_presence(message.filter)
    return edge.NestedCondition(message.key, filters(message.filter))


def refuse_presence(message: pb.Filter) -> None:
    """Refuses conditions on the presence of a field, however deep.

    Raises:
        RefusedError: There is one.
    """
    for part in (*message.must, *message.should, *message.must_not, *message.min_should.conditions):
        if part.HasField("filter"):
            refuse_presence(part.filter)
        if part.HasField("is_empty") or part.HasField("is_null"):
            raise not_served("NestedCondition with is_empty or is_null")
        refuse_fields(part.field, "is_empty", "is_null", "values_count")


def field_condition(message: pb.FieldCondition) -> edge.FieldCondition:
    """A condition on a field of the payload: one of match, range, number of values, presence.

    Raises:
        RefusedError: It compares nothing, or is of a kind that is not on the list.
    """
    refuse_fields(message, "geo_bounding_box", "geo_radius", "geo_polygon")
    if message.HasField("match"):
        return edge.FieldCondition(message.key, match=match(message.match))
    if message.HasField("range"):
        return edge.FieldCondition(message.key, range=edge.RangeFloat(**bounds(message.range)))
    if message.HasField("datetime_range"):
        moments = {field.name: bound.ToJsonString() for field, bound in message.datetime_range.ListFields()}
        return edge.FieldCondition(message.key, range=edge.RangeDateTime(**moments))
    if message.HasField("values_count"):
        return edge.FieldCondition(message.key, values_count=edge.ValuesCount(**bounds(message.values_count)))
    if message.HasField("is_empty"):
        return edge.FieldCondition(message.key, is_empty=message.is_empty)
    if message.HasField("is_null"):
        return edge.FieldCondition(message.key, is_null=message.is_null)
    raise bad_input("a condition on a field needs a match, a range, a number of values, is_empty or is_null")


def match(message: pb.Match) -> "edge.MatchType":
    """A comparison with one value or several.

    Raises:
        RefusedError: It is of a kind that is not on the list.
    """
    kind = message.WhichOneof("match_value")
    if kind not in MATCHES:
        raise not_served(f"Match.{kind}")
    return MATCHES[kind](message)


def bounds(message: Message) -> dict[str, Any]:
    """The bounds that are given, by name."""
    return {field.name: bound for field, bound in message.ListFields()}


CONDITIONS: dict[str, Callable[[pb.Condition], "edge.ConditionType"]] = {
    "field": lambda message: field_condition(message.field),
    "nested": lambda message: nested(message.nested),
    "has_id": lambda message: edge.HasIdCondition({point_id(one) for one in message.has_id.has_id}),
    "filter": lambda message: filters(message.filter),
    "is_empty": lambda message: edge.IsEmptyCondition(message.is_empty.key),
    "is_null": lambda message: edge.IsNullCondition(message.is_null.key),
    "has_vector": lambda message: edge.HasVectorCondition(message.has_vector.has_vector),
}

# No "boolean": qdrant-edge-py 0.9.0 takes True for the integer 1, so that the match finds nothing. Store a keyword.
MATCHES: dict[str, Callable[[pb.Match], "edge.MatchType"]] = {
    "keyword": lambda message: edge.MatchValue(message.keyword),
    "integer": lambda message: edge.MatchValue(message.integer),
    "keywords": lambda message: edge.MatchAny(list(message.keywords.strings)),
    "integers": lambda message: edge.MatchAny(list(message.integers.integers)),
    "except_keywords": lambda message: edge.MatchExcept(list(message.except_keywords.strings)),
    "except_integers": lambda message: edge.MatchExcept(list(message.except_integers.integers)),
}
