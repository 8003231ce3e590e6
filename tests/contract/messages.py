"""Hypothesis strategies for any protobuf message: valid on the wire, as odd as the types allow."""

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

F = FieldDescriptor
WORDS = st.sampled_from(
    [
        "",
        " ",
        "milk",
        "牛奶",
        "\x00",
        "a" * 300,
        "<b>x</b>",
        "&amp;lt;",
        "😀" * 50,
        "default",
        "../..",
        "'; DROP",
        "A > B",
        "-1",
    ]
)
TEXTS = st.one_of(WORDS, st.text(max_size=40))
SMALL = st.sampled_from([0, 1, -1, 2, 20, 500, 2**31 - 1, -(2**31)])
LARGE = st.one_of(SMALL, st.sampled_from([2**63 - 1, -(2**63)]))
SCALARS = {
    F.TYPE_STRING: TEXTS,
    F.TYPE_BYTES: st.binary(max_size=40),
    F.TYPE_BOOL: st.booleans(),
    F.TYPE_DOUBLE: st.floats(),
    F.TYPE_FLOAT: st.floats(width=32),
    F.TYPE_INT32: SMALL,
    F.TYPE_INT64: LARGE,
    F.TYPE_UINT32: st.integers(0, 2**32 - 1),
    F.TYPE_UINT64: st.integers(0, 2**64 - 1),
    # Numbers that no value of the enum has are legal on the wire.
    F.TYPE_ENUM: st.sampled_from([0, 1, 2, 3, 4, 5, 99, -7]),
}

PLAUSIBLE = {
    "catalog": st.just("fuzzed"),
    "id": st.sampled_from(["p1", "p2", "p3"]),
    "product_id": st.sampled_from(["p1", "p2", "p3"]),
    "product_ids": st.sampled_from(["p1", "p2", "p3"]),
    "excluded_product_ids": st.sampled_from(["p1", "p2", "p3"]),
    "after_product_id": st.just(""),
    "title": st.sampled_from(["milk", "牛奶", "<b>tea</b>"]),
    "query": st.sampled_from(["milk", "牛奶"]),
    "texts": st.sampled_from(["milk", "牛奶"]),
    "purpose": st.sampled_from([1, 2]),
    "visitor_id": st.just("v1"),
    "attribution_id": st.just("a1"),
    "impression_id": st.binary(min_size=16, max_size=16),
    "surface": st.just(1),
    "show_time": None,
    "seconds": st.integers(1_600_000_000, 1_800_000_000),
    "nanos": st.integers(0, 999_999_999),
    "impressions": None,
    "products": None,
    "updates": None,
    "offer": None,
    "settings": None,
    "candidates": None,
    "scores": None,
    "dims": st.just(2),
    "data": st.binary(min_size=8, max_size=8),
    "limit": st.sampled_from([0, 1, 5]),
    "field": st.sampled_from(["brand", "category", "price"]),
    "number": st.sampled_from([0, 1, 2]),
    "score": st.floats(-1, 1),
    "propensity": st.floats(0.01, 1),
    "features": st.just(b""),
    "feature_schema": st.just(0),
    "position": st.integers(1, 3),
    "model": st.just(""),
    "policy": st.sampled_from(["", "default", "article"]),
    "page_token": st.just(""),
    "model_revision": st.just(""),
    "after_offset": st.just(""),
    "cosine": st.floats(-1, 1),
    "centred_cosine": st.floats(-1, 1),
    "dot_product": st.floats(-1, 1),
    "lexical": st.floats(0, 50),
}
"""Values of fields, by name, that a service accepts: without them nothing odd gets past the first check.

None = a message that has to be there."""


BOUNDED = {"wait_milliseconds": st.sampled_from([0, 1, -1])}
"""Fields that make a call wait: not for long."""


def messages(message_class, depth=4):
    """Messages of a class; fields are filled or left out at random.

    In half of them every field with a plausible value has one: where there are many, hardly anything else would pass.
    """
    descriptor = message_class.DESCRIPTOR
    values = st.one_of(_values(descriptor, depth, is_careful=True), _values(descriptor, depth, is_careful=False))
    return values.map(lambda chosen: _build(message_class, chosen))


def _values(descriptor, depth, *, is_careful):
    fields = {field.name: _field(field, depth, is_careful=is_careful) for field in descriptor.fields}
    fields = {name: strategy for name, strategy in fields.items() if strategy is not None}
    always = {name: fields.pop(name) for name in list(fields) if name in PLAUSIBLE}
    return st.fixed_dictionaries(always, optional=fields)


def _field(field, depth, *, is_careful):
    if _is_map(field):
        key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
        if not depth:
            return None
        keys, entries = (_single(each, depth - 1, is_careful=is_careful) for each in (key, value))
        return st.dictionaries(keys, entries, max_size=2)
    single = _single(field, depth, is_careful=is_careful)
    if single is None:
        return None
    return st.lists(single, max_size=3) if field.is_repeated else single


def _single(field, depth, *, is_careful):
    if field.type == F.TYPE_MESSAGE:
        return _values(field.message_type, depth - 1, is_careful=is_careful) if depth else None
    if field.name in BOUNDED:
        return BOUNDED[field.name]
    odd = SCALARS[field.type]
    if field.name not in PLAUSIBLE:
        return odd
    plausible = PLAUSIBLE[field.name]
    return plausible if is_careful else st.one_of(plausible, plausible, plausible, odd)


def _is_map(field):
    return field.type == F.TYPE_MESSAGE and field.message_type.GetOptions().map_entry


def _build(message_class, values):
    message = message_class()
    for name, value in values.items():
        _set(message, message_class.DESCRIPTOR.fields_by_name[name], value)
    return message


def _set(message, field, value):
    target = getattr(message, field.name)
    if _is_map(field):
        value_field = field.message_type.fields_by_name["value"]
        for key, item in value.items():
            if value_field.type == F.TYPE_MESSAGE:
                target[key].CopyFrom(_build(GetMessageClass(value_field.message_type), item))
            else:
                target[key] = item
    elif field.type == F.TYPE_MESSAGE:
        built = [
            _build(GetMessageClass(field.message_type), item) for item in (value if field.is_repeated else [value])
        ]
        if field.is_repeated:
            target.extend(built)
        else:
            target.CopyFrom(built[0])
    elif field.is_repeated:
        target.extend(value)
    else:
        setattr(message, field.name, value)
