import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.frozen_list import FactorSchema, FrozenList, Place, UnreadableListError, pack, unpack

numbers = st.floats(allow_nan=False)
names = st.lists(st.text(min_size=1, max_size=20), max_size=6)


@st.composite
def frozen_lists(draw):
    schema_names = tuple(draw(names))
    schema = FactorSchema(
        draw(st.text(max_size=10)), schema_names, tuple(draw(st.integers(0, 3)) for _ in schema_names)
    )
    ids = draw(st.lists(st.text(min_size=1, max_size=128), max_size=30))
    places = [
        Place(i, draw(numbers), tuple(draw(numbers) for _ in schema_names), draw(st.integers(0, 2**31 - 1)))
        for i in ids
    ]
    return FrozenList(
        draw(st.text(max_size=64)), draw(st.text(max_size=64)), schema, draw(st.integers(1, 500)), 500, places
    )


@given(frozen_lists())
def test_unpacking_gives_back_what_was_packed_to_the_last_bit(frozen):
    assert unpack(pack(frozen)) == frozen


@given(frozen_lists(), st.lists(st.integers(1, 7), min_size=1, max_size=40))
def test_pages_of_any_sizes_are_disjoint_and_complete(frozen, sizes):
    shown, rest, index = [], frozen, 0
    while rest is not None:
        assert rest.first_position == frozen.first_position + len(shown)
        places, rest = rest.page(sizes[index % len(sizes)])
        rest = None if rest is None else unpack(pack(rest))
        shown += places
        index += 1
    assert shown == list(frozen.places)


@given(st.binary(max_size=200))
def test_other_bytes_are_unreadable_and_nothing_else(data):
    with pytest.raises(UnreadableListError):
        unpack(data)


@given(frozen_lists(), st.data())
def test_damaged_bytes_never_give_a_crash(frozen, data):
    packed = bytearray(pack(frozen))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(UnreadableListError):
        unpack(bytes(packed))


def test_a_factor_that_is_not_known_stays_so():
    schema = FactorSchema("formula", ("sales",), (1,))
    (place,) = unpack(pack(FrozenList("a", "p", schema, 1, 1, [Place("x", 1.0, (math.nan,))]))).places
    assert math.isnan(place.factors[0])


def test_five_hundred_places_with_sixteen_factors_stay_well_below_a_mebibyte():
    schema = FactorSchema("formula", tuple(f"factor_{n}" for n in range(16)), (2,) * 16)
    places = [Place(f"product-{n}" * 8, n / 7, tuple(n / (m + 3) for m in range(16))) for n in range(500)]
    assert len(pack(FrozenList("a", "p", schema, 1, 500, places))) < 256 * 1024
