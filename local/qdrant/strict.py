"""Qdrant's strict mode: what a collection created with it refuses. The engine itself knows no such mode."""

from collections.abc import Iterator, Mapping

from google.protobuf.message import Message
from qdrant_client import grpc as pb

from local.qdrant.refusals import strict

CREATE_INDEX = "Create an index for this key or use a different filter."
# Index types that serve a condition, by the field of Match that it uses.
SERVING = {
    "keyword": ("keyword", "uuid"),
    "keywords": ("keyword", "uuid"),
    "except_keywords": ("keyword", "uuid"),
    "integer": ("integer",),
    "integers": ("integer",),
    "except_integers": ("integer",),
}
ANY_TYPE = ("keyword", "integer", "float", "datetime", "uuid")


def check_query(query: pb.QueryPoints, config: pb.StrictModeConfig, indexed: Mapping[str, str]) -> None:
    """Checks one query. `indexed` maps a field to the type of its index, in lower case.

    Raises:
        RefusedError: The limit, the search parameters or the filter are beyond what the collection allows.
    """
    check_limit("limit", query.limit, config, "max_query_limit")
    check_limit("timeout", query.timeout, config, "max_timeout")
    check_limit("hnsw_ef", query.params.hnsw_ef, config, "search_max_hnsw_ef")
    if query.params.exact and config.enabled and _forbidden(config, "search_allow_exact"):
        raise strict("Exact search is disabled", "Set exact=false.")
    if query.HasField("filter"):
        check_filter(query.filter, config, indexed, "unindexed_filtering_retrieve")


def check_filter(filters: pb.Filter, config: pb.StrictModeConfig, indexed: Mapping[str, str], permission: str) -> None:
    """Checks that every field of a filter is indexed, and its size.

    `permission` is the field of the configuration that would allow a field without index.

    Raises:
        RefusedError: A field has no index of a type that serves the condition, or a limit is exceeded.
    """
    if not config.enabled:
        return
    conditions = list(conditions_of(filters))
    check_limit("filter_max_conditions", len(conditions), config, "filter_max_conditions")
    for key, condition in conditions:
        check_limit("condition_max_size", size_of(condition), config, "condition_max_size")
        types = types_serving(condition)
        if types and _forbidden(config, permission) and indexed.get(key) not in types:
            wanted = ", ".join(types)
            found = f'Index required but not found for "{key}" of one of the following types: [{wanted}]'
            raise strict(found, CREATE_INDEX)


def check_limit(name: str, given: int, config: pb.StrictModeConfig, limit_name: str) -> None:
    """Checks a number against one of the limits of the configuration.

    Raises:
        RefusedError: It is larger.
    """
    if config.enabled and config.HasField(limit_name):  # type: ignore[arg-type]
        limit = getattr(config, limit_name)
        if given > limit:
            raise strict(f'Limit exceeded {given} > {limit} for "{name}"', f'Reduce "{name}" to {limit}.')


def conditions_of(filters: pb.Filter, prefix: str = "") -> Iterator[tuple[str, Message]]:
    """Every condition that filters, with the full name of its field (`offers[].price` inside `offers`)."""
    for part in (*filters.must, *filters.should, *filters.must_not, *filters.min_should.conditions):
        kind = part.WhichOneof("condition_one_of")
        if kind == "nested":
            key = part.nested.key.removesuffix("[]")
            yield from conditions_of(part.nested.filter, f"{prefix}{key}[].")
        elif kind == "filter":
            yield from conditions_of(part.filter, prefix)
        elif kind is not None:
            condition = getattr(part, kind)
            yield prefix + getattr(condition, "key", ""), condition


def types_serving(condition: Message) -> tuple[str, ...]:
    """Types of index that serve a condition; none where it needs no index, as `has_id`."""
    if isinstance(condition, (pb.IsEmptyCondition, pb.IsNullCondition)):
        return ANY_TYPE
    if not isinstance(condition, pb.FieldCondition):
        return ()
    if condition.HasField("range"):
        return ("integer", "float")
    if condition.HasField("datetime_range"):
        return ("datetime",)
    if not condition.HasField("match"):
        return ANY_TYPE
    return SERVING.get(condition.match.WhichOneof("match_value") or "", ())


def size_of(condition: Message) -> int:
    """How many values a condition compares with."""
    if isinstance(condition, pb.HasIdCondition):
        return len(condition.has_id)
    if isinstance(condition, pb.FieldCondition):
        match = condition.match
        texts = len(match.keywords.strings) + len(match.except_keywords.strings)
        return texts + len(match.integers.integers) + len(match.except_integers.integers)
    return 0


def _forbidden(config: pb.StrictModeConfig, permission: str) -> bool:
    return config.HasField(permission) and not getattr(config, permission)  # type: ignore[arg-type]
