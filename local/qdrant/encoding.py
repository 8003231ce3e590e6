"""Parts of replies as bytes, where building their messages would take most of a search.

Serialised messages that are joined are the message merged of them (protobuf.dev/programming-guides/encoding).
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from google.protobuf.message import Message
from qdrant_client import grpc as pb

from local.qdrant import replies

FIXED_64, LENGTH_DELIMITED, FIXED_32 = 1, 2, 5


def tag(message: type[Message], field: str, wire_type: int) -> bytes:
    """What a field of a message begins with."""
    return varint(message.DESCRIPTOR.fields_by_name[field].number << 3 | wire_type)


@lru_cache(maxsize=4096)
def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


SCORE = tag(pb.ScoredPoint, "score", FIXED_32)
PAYLOAD = tag(pb.ScoredPoint, "payload", LENGTH_DELIMITED)
STRING, DOUBLE = tag(pb.Value, "string_value", LENGTH_DELIMITED), tag(pb.Value, "double_value", FIXED_64)
RESULT = tag(pb.BatchResult, "result", LENGTH_DELIMITED)
"""Of QueryResponse, BatchResult and QueryBatchResponse."""
KEY, VALUE = bytes([1 << 3 | LENGTH_DELIMITED]), bytes([2 << 3 | LENGTH_DELIMITED])
"""Of every entry of a map."""
FLOAT_OF_32, FLOAT_OF_64 = struct.Struct("<f"), struct.Struct("<d")


def result(*parts: bytes) -> tuple[bytes, ...]:
    """The parts of a serialised message, as an element of the field `result` when they are joined."""
    return RESULT, varint(sum(map(len, parts))), *parts


def score(given: float) -> bytes:
    """The score of a ScoredPoint."""
    return SCORE + FLOAT_OF_32.pack(given)


def payload(given: Mapping[str, Any]) -> bytes:
    """The payload of a ScoredPoint."""
    return b"".join(part for name, field in given.items() for part in entry(name, value(field)))


def entry(name: str, encoded: bytes) -> Iterator[bytes]:
    """The parts of one field of a payload."""
    key, length = field_name(name), varint(len(encoded))
    yield PAYLOAD
    yield varint(len(key) + len(VALUE) + len(length) + len(encoded))
    yield key
    yield VALUE
    yield length
    yield encoded


@lru_cache(maxsize=4096)
def field_name(name: str) -> bytes:
    """The key of an entry."""
    encoded = name.encode()
    return KEY + varint(len(encoded)) + encoded


def value(given: Any) -> bytes:
    """A value of a payload. Texts and numbers are most of what results show."""
    return VALUES.get(type(given), any_value)(given)


def any_value(given: Any) -> bytes:
    """A value of any kind."""
    serialised: bytes = replies.value(given).SerializeToString()
    return serialised


def text(given: str) -> bytes:
    """A text."""
    encoded = given.encode()
    return STRING + varint(len(encoded)) + encoded


VALUES: dict[type, Callable[[Any], bytes]] = {
    str: text,
    float: lambda given: DOUBLE + FLOAT_OF_64.pack(given),
}
