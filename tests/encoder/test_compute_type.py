import numpy as np
import pytest

from services.encoder.compute_type import ComputeTypeError, Measurement, choose, lowest_cosine
from services.encoder.model import ComputeType

FLOAT32, BFLOAT16, FLOAT16 = ComputeType.FLOAT32, ComputeType.BFLOAT16, ComputeType.FLOAT16
EXACT = Measurement(FLOAT32, 0.100, 1.0)


def test_the_faster_type_is_chosen_where_the_cpu_has_units_for_it():
    fast = Measurement(BFLOAT16, 0.030, 0.9997)
    assert choose([EXACT, fast], None) is fast


def test_float32_is_chosen_where_the_reduced_type_is_emulated():
    assert choose([EXACT, Measurement(BFLOAT16, 0.900, 0.9997)], None) is EXACT


def test_a_gain_within_the_noise_does_not_decide():
    assert choose([EXACT, Measurement(BFLOAT16, 0.095, 0.9997)], None) is EXACT


def test_a_fast_type_that_changes_the_vectors_is_not_chosen():
    assert choose([EXACT, Measurement(FLOAT16, 0.010, 0.9989)], None) is EXACT


def test_the_fastest_of_several_is_chosen():
    half = Measurement(FLOAT16, 0.020, 0.9999)
    assert choose([EXACT, Measurement(BFLOAT16, 0.030, 0.9997), half], None) is half


def test_the_operators_choice_is_taken_even_if_slower():
    slow = Measurement(BFLOAT16, 0.900, 0.9997)
    assert choose([EXACT, slow], BFLOAT16) is slow


def test_the_operators_choice_is_refused_below_parity():
    with pytest.raises(ComputeTypeError, match=r"less than 0\.999"):
        choose([EXACT, Measurement(BFLOAT16, 0.030, 0.998)], BFLOAT16)


def test_a_type_that_the_device_does_not_have_is_refused():
    with pytest.raises(ComputeTypeError, match="float16 does not run"):
        choose([EXACT], FLOAT16)


def test_the_lowest_cosine_is_that_of_the_worst_row():
    reference = np.array([[1, 0], [1, 0], [0, 2]], np.float32)
    vectors = np.array([[3, 0], [4, 3], [0, 1]], np.float32)
    assert lowest_cosine(vectors, reference) == pytest.approx(0.8)


def test_vectors_that_are_not_finite_have_no_parity():
    assert lowest_cosine(np.array([[np.nan, 1]], np.float32), np.array([[1, 0]], np.float32)) == -1
