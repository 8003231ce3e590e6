import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client import grpc as pb

from local.qdrant import encoding
from tests.conformance.qdrant.catalogue import value

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=300)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@settings(database=None, deadline=None)
@given(
    st.one_of(st.uuids(), st.integers(0, 2**64 - 1)),
    st.integers(0, 2**64 - 1),
    st.floats(width=32, allow_nan=False),
    st.dictionaries(st.text(max_size=200), VALUES, max_size=5),
)
def test_joined_parts_are_the_message_that_protobuf_makes_of_them(identifier, version, score, payload):
    is_uuid = isinstance(identifier, uuid.UUID)
    expected = pb.ScoredPoint(
        id=pb.PointId(uuid=str(identifier)) if is_uuid else pb.PointId(num=identifier),
        version=version,
        score=score,
        payload={name: value(given) for name, given in payload.items()},
    )
    parts = encoding.identity(identifier, version) + encoding.payload(payload), encoding.score(score)
    assert pb.ScoredPoint.FromString(b"".join(parts)) == expected
    for reply in (pb.QueryResponse, pb.BatchResult):
        assert list(reply.FromString(b"".join(encoding.result(*parts))).result) == [expected]


@pytest.mark.parametrize("number", [1, 127, 128, 300, 2**32, 2**64 - 1])
def test_a_varint_is_the_one_of_protobuf(number):
    # The first byte of the message is its field's tag.
    assert encoding.varint(number) == pb.ScoredPoint(version=number).SerializeToString()[1:]
