"""Parts of replies as bytes, where building their messages would take most of a search.

Serialised messages that are joined are the message merged of them (protobuf.dev/programming-guides/encoding).
"""

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from qdrant_client import grpc as pb

from local.qdrant import replies

VARINT, FIXED_64, LENGTH_DELIMITED, FIXED_32 = 0, 1, 2, 5


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


ID, UUID_TEXT = tag(pb.ScoredPoint, "id", LENGTH_DELIMITED), tag(pb.PointId, "uuid", LENGTH_DELIMITED)
VERSION = tag(pb.ScoredPoint, "version", VARINT)
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


def identity(identifier: UUID | int | str, version: int) -> bytes:
    """The id and the version of a ScoredPoint."""
    if isinstance(identifier, int):
        inside: bytes = pb.PointId(num=identifier).SerializeToString()
    else:
        encoded = str(identifier).encode()
        inside = UUID_TEXT + varint(len(encoded)) + encoded
    return ID + varint(len(inside)) + inside + VERSION + varint(version)


def score(given: float) -> bytes:
    """The score of a ScoredPoint."""
    return SCORE + FLOAT_OF_32.pack(given)


def payload(given: Mapping[str, Any]) -> bytes:
    """The payload of a ScoredPoint."""
    return b"".join([entry(name, value(field)) for name, field in given.items()])


def entry(name: str, encoded: bytes) -> bytes:
    """One field of a payload."""
    inside = field_name(name) + varint(len(encoded)) + encoded
    return PAYLOAD + varint(len(inside)) + inside


@lru_cache(maxsize=4096)
def field_name(name: str) -> bytes:
    """The key of an entry, and what its value begins with."""
    encoded = name.encode()
    return KEY + varint(len(encoded)) + encoded + VALUE


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
