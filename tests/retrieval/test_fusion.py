import numpy as np
import pytest

from services.retrieval.fusion import fused


def test_the_order_is_the_weighted_sum_of_z_scores_calculated_by_hand():
    # dense 1, 2, 3: mean 2, deviation 0.81650; lexical 4, 0, 2: mean 2, deviation 1.63299.
    dense, lexical = np.array([1.0, 2.0, 3.0]), np.array([4.0, 0.0, 2.0])
    expected = [0.75 * -1.224745 + 0.25 * 1.224745, 0.25 * -1.224745, 0.75 * 1.224745]
    assert fused(dense, lexical, 0.25) == pytest.approx(expected, abs=1e-5)


def test_a_product_without_a_vector_stands_at_the_mean_of_the_dense_leg():
    dense, lexical = np.array([1.0, np.nan, 3.0]), np.zeros(3)
    assert fused(dense, lexical, 0.5) == pytest.approx([-0.5, 0.0, 0.5])


def test_one_leg_alone_decides_where_the_other_did_not_run():
    assert list(np.argsort(-fused(None, np.array([1.0, 3.0, 2.0]), 0.5))) == [1, 2, 0]
    assert list(np.argsort(-fused(np.array([1.0, 3.0, 2.0]), None, 0.5))) == [1, 2, 0]


def test_equal_scores_say_nothing():
    assert fused(np.array([0.5, 0.5]), None, 0.5) == pytest.approx([0.0, 0.0])
    assert fused(np.array([np.nan, np.nan]), np.array([1.0, 2.0]), 0.5) == pytest.approx([-0.5, 0.5])
