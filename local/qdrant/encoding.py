"""Parts of replies as bytes, where building their messages would take most of a search.

Serialised messages that are joined are the message merged of them (protobuf.dev/programming-guides/encoding).
"""

import struct
from collections.abc import Mapping
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


@lru_cache(maxsize=16384)
def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


VERSION = tag(pb.ScoredPoint, "version", VARINT)
SCORE = tag(pb.ScoredPoint, "score", FIXED_32)
PAYLOAD = tag(pb.ScoredPoint, "payload", LENGTH_DELIMITED)
STRING, DOUBLE = tag(pb.Value, "string_value", LENGTH_DELIMITED), tag(pb.Value, "double_value", FIXED_64)
RESULT = tag(pb.BatchResult, "result", LENGTH_DELIMITED)
"""Of QueryResponse, BatchResult and QueryBatchResponse."""
KEY, VALUE = bytes([1 << 3 | LENGTH_DELIMITED]), bytes([2 << 3 | LENGTH_DELIMITED])
"""Of every entry of a map."""
FLOAT_OF_32, FLOAT_OF_64 = struct.Struct("<f").pack, struct.Struct("<d").pack
DOUBLE_SIZE = 9
UUID_LENGTH = 36
UUID_ID = b"".join(
    [
        tag(pb.ScoredPoint, "id", LENGTH_DELIMITED),
        varint(UUID_LENGTH + 2),
        tag(pb.PointId, "uuid", LENGTH_DELIMITED),
        varint(UUID_LENGTH),
    ]
)
"""What the id of a ScoredPoint begins with where it is a UUID."""


def result(*parts: bytes) -> tuple[bytes, ...]:
    """The parts of a serialised message, as an element of the field `result` when they are joined."""
    return RESULT, varint(sum(map(len, parts))), *parts


def identity(identifier: UUID | int | str, version: int) -> bytes:
    """The id and the version of a ScoredPoint."""
    if isinstance(identifier, int):
        encoded: bytes = pb.ScoredPoint(id=pb.PointId(num=identifier)).SerializeToString()
    else:
        encoded = UUID_ID + str(identifier).encode()
    return encoded + VERSION + varint(version)


def score(given: float) -> bytes:
    """The score of a ScoredPoint."""
    return SCORE + FLOAT_OF_32(given)


def payload(given: Mapping[str, Any]) -> bytes:
    """The payload of a ScoredPoint.

    Texts and numbers are most of what results show, and joined as they are: a function for each would take as long.
    """
    parts: list[bytes] = []
    for name, field in given.items():
        key, kind = field_name(name), type(field)
        if kind is str:
            text = field.encode()
            length = varint(len(text))
            size = len(STRING) + len(length) + len(text)
            parts += (PAYLOAD, entry_size(key, size), key, varint(size), STRING, length, text)
        elif kind is float:
            parts += (PAYLOAD, entry_size(key, DOUBLE_SIZE), key, varint(DOUBLE_SIZE), DOUBLE, FLOAT_OF_64(field))
        else:
            encoded: bytes = replies.value(field).SerializeToString()
            parts += (PAYLOAD, entry_size(key, len(encoded)), key, varint(len(encoded)), encoded)
    return b"".join(parts)


def entry_size(key: bytes, size: int) -> bytes:
    """The size of an entry of the payload whose value has `size` bytes."""
    return varint(len(key) + len(varint(size)) + size)


@lru_cache(maxsize=4096)
def field_name(name: str) -> bytes:
    """The key of an entry, and what its value begins with."""
    encoded = name.encode()
    return KEY + varint(len(encoded)) + encoded + VALUE
