import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.geometry import centre, similarities


def random_vectors(seed, count, dims=24, unit=True):
    rows = np.random.default_rng(seed).standard_normal((count, dims)) + 1.5
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True) if unit else rows).astype(np.float32)


@given(seed=st.integers(0, 2**32 - 1), unit=st.booleans())
def test_raw_cosine_and_dot_product_follow_from_the_centred_cosine(seed, unit):
    query, mean, *products = random_vectors(seed, 12, unit=unit)
    mean = 0.9 * mean
    centred_query = centre(query, mean)
    centred = [centre(product, mean) for product in products]
    cosines = np.array([float(c.direction @ centred_query.direction) for c in centred])
    found = similarities(
        cosines,
        np.array([c.length for c in centred]),
        np.array([c.centred_length for c in centred]),
        centred_query,
        mean,
    )
    exact = np.array(products, np.float64) @ query.astype(np.float64)
    lengths = np.linalg.norm(np.array(products, np.float64), axis=1) * np.linalg.norm(query.astype(np.float64))
    assert found.dot_product == pytest.approx(exact, rel=1e-4, abs=1e-5)
    assert found.cosine == pytest.approx(exact / lengths, abs=1e-5)


def test_the_kept_direction_is_that_of_the_difference_and_of_length_1():
    centred = centre(np.array([0.6, 0.8], np.float32), np.array([0.6, 0.0], np.float32))
    assert centred.direction == pytest.approx([0.0, 1.0], abs=1e-6)
    assert centred.length == pytest.approx(1.0, abs=1e-6)
    assert centred.centred_length == pytest.approx(0.8, abs=1e-6)


def test_a_zero_vector_and_the_mean_itself_have_no_direction():
    mean = np.array([0.6, 0.8], np.float32)
    assert centre(np.zeros(2, np.float32), mean) is None
    assert centre(mean, mean) is None
