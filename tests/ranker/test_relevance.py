import random
from statistics import fmean, pstdev

import numpy as np
import pytest

from services.common.errors import InvalidArgument
from services.ranker.relevance import relevance
from services.ranker.search_policy import RelevancePolicy
from tests.ranker.columns import candidates

NAN = float("nan")


def policy(*, metric="cosine", calibration="centred", power=1.0, similarity=0.25, lexical=0.75, visitor=0.0, reach=3.0):
    return RelevancePolicy.model_validate(
        {
            "reach": reach,
            "similarity": {
                "metric": metric,
                "calibration": calibration,
                "power": power,
                "least_spread": 0.02,
                "weight": similarity,
            },
            "lexical": {"least_spread": 0.05, "weight": lexical},
            "visitor": {"least_spread": 0.02, "weight": visitor},
        }
    )


def test_both_legs_are_stretched_around_the_mean_of_the_set():
    # By hand: mean 5 and deviation 5, so z = -1 and 1; reach 3 makes 1/2 -+ 1/6 of it. Cosines: 0.4 and 0.2.
    legs = relevance(policy(), candidates(2, lexical=[0, 10], centred_cosine=[0.6, 0.2]))
    assert legs.lexical == pytest.approx([1 / 3, 2 / 3])
    assert legs.similarity == pytest.approx([2 / 3, 1 / 3])
    assert legs.lexical_term == pytest.approx([0.75 / 3, 0.75 * 2 / 3])
    assert legs.similarity_term == pytest.approx([0.25 * 2 / 3, 0.25 / 3])


def test_weights_are_shares_of_their_sum():
    given = candidates(2, lexical=[0, 10], centred_cosine=[0.6, 0.2])
    small, large = (
        relevance(policy(similarity=0.25, lexical=0.75), given),
        relevance(policy(similarity=1, lexical=3), given),
    )
    assert large.lexical_term == pytest.approx(small.lexical_term)
    assert large.similarity_term == pytest.approx(small.similarity_term)


def test_the_order_is_that_of_the_weighted_sum_of_z_scores():
    source = random.Random(9)
    lexical = [source.expovariate(0.3) for _ in range(200)]
    cosine = [source.uniform(0.05, 0.8) for _ in range(200)]
    legs = relevance(policy(similarity=0.3, lexical=0.7), candidates(200, lexical=lexical, centred_cosine=cosine))
    total = legs.similarity_term + legs.lexical_term

    def z(values):
        return [(value - fmean(values)) / pstdev(values) for value in values]

    z_sum = [0.7 * word + 0.3 * meaning for word, meaning in zip(z(lexical), z(cosine), strict=True)]
    assert np.argsort(-total).tolist() == sorted(range(200), key=lambda row: -z_sum[row])
    assert total.min() >= 0
    assert total.max() <= 1


def test_one_far_outlier_is_not_clipped():
    lexical = [1.0] * 99 + [100.0]
    legs = relevance(policy(), candidates(100, lexical=lexical))
    # The z-score of one among n equal ones is the root of n - 1.
    assert legs.lexical[-1] == pytest.approx(1.0)
    assert legs.lexical[0] == pytest.approx(0.5 - (1 / 99**0.5) / (2 * 99**0.5))


def test_a_leg_that_did_not_run_leaves_the_other_the_whole_weight():
    words_only = relevance(policy(), candidates(2, lexical=[0, 10]))
    assert words_only.lexical_term == pytest.approx([1 / 3, 2 / 3])
    assert words_only.similarity_term.tolist() == [0, 0]
    meaning_only = relevance(policy(), candidates(2, centred_cosine=[0.6, 0.2]))
    assert meaning_only.similarity_term == pytest.approx([2 / 3, 1 / 3])
    assert meaning_only.lexical_term.tolist() == [0, 0]


def test_a_candidate_without_a_vector_is_judged_by_its_words_alone():
    legs = relevance(policy(), candidates(3, lexical=[0, 5, 10], centred_cosine=[0.6, NAN, 0.2]))
    assert legs.lexical_term[1] == legs.lexical[1] == pytest.approx(0.5)
    assert legs.similarity_term[1] == 0
    assert np.isnan(legs.similarity[1])
    assert legs.similarity[[0, 2]] == pytest.approx([2 / 3, 1 / 3])


def test_near_equal_candidates_stay_near_equal():
    legs = relevance(policy(), candidates(2, lexical=[10.0, 10.001], centred_cosine=[0.5, 0.5001]))
    assert abs(legs.lexical[0] - legs.lexical[1]) < 0.001
    assert abs(legs.similarity[0] - legs.similarity[1]) < 0.001


@pytest.mark.parametrize("lexical", [[7.0], [0.0], [0.0, 0.0], [3.0, 3.0, 3.0]])
def test_scores_that_do_not_differ_lie_in_the_middle(lexical):
    assert relevance(policy(), candidates(len(lexical), lexical=lexical)).lexical == pytest.approx([0.5] * len(lexical))


def test_a_negative_centred_cosine_counts_as_none():
    below = relevance(policy(), candidates(3, centred_cosine=[-0.5, 0.0, 0.5]))
    assert below.similarity[0] == below.similarity[1]


def test_the_power_stretches_the_top():
    legs = relevance(policy(power=2.0), candidates(3, centred_cosine=[0.2, 0.4, 0.6]))
    # Squares 0.04, 0.16, 0.36: the upper gap is 20/12 of the lower one.
    low, middle, high = legs.similarity
    assert (high - middle) / (middle - low) == pytest.approx(20 / 12)


def test_plain_cosines_serve_where_no_centred_ones_are_known():
    legs = relevance(policy(), candidates(2, cosine=[0.8, 0.9]))
    assert legs.similarity == pytest.approx([1 / 3, 2 / 3])


def test_plain_and_centred_cosines_are_never_mixed():
    # The second has a plain cosine only, which is far above any centred one: its words decide.
    given = candidates(3, centred_cosine=[0.2, NAN, 0.6], cosine=[NAN, 0.9, NAN], lexical=[0, 5, 10])
    assert np.isnan(relevance(policy(), given).similarity[1])


@pytest.mark.parametrize(("metric", "expected"), [("cosine", [-0.5, 0.9]), ("dot_product", [12.0, -3.0])])
def test_without_calibration_the_similarity_enters_as_it_is(metric, expected):
    plain = policy(metric=metric, calibration="off", similarity=1.0, lexical=0.0)
    legs = relevance(plain, candidates(2, cosine=[-0.5, 0.9], dot_product=[12.0, -3.0], lexical=[3.0, 4.0]))
    assert legs.similarity_term.tolist() == expected
    assert legs.lexical_term.tolist() == [0, 0]


def test_a_policy_of_similarity_alone_still_serves_when_only_words_ran():
    plain = policy(calibration="off", similarity=1.0, lexical=0.0)
    assert relevance(plain, candidates(2, lexical=[0, 10])).lexical_term == pytest.approx([1 / 3, 2 / 3])


def test_a_candidate_with_no_score_that_the_policy_uses_is_named():
    with pytest.raises(InvalidArgument) as refused:
        relevance(policy(), candidates(2, centred_cosine=[0.5, NAN], dot_product=[NAN, 3.0]))
    assert [(v.field, v.reason) for v in refused.value.violations] == [("candidates[1].scores", "UNUSABLE")]


def test_the_visitors_interests_take_their_share_of_the_others():
    # By hand: z of the words -1 and 1, of the visitor 1 and -1; reach 3 makes 1/3 and 2/3 of them. A fifth is personal.
    given = candidates(2, lexical=[0, 10], visitor=[0.6, 0.2])
    legs = relevance(policy(similarity=0.25, lexical=0.75, visitor=0.25), given)
    assert legs.visitor == pytest.approx([2 / 3, 1 / 3])
    assert legs.visitor_term == pytest.approx([0.2 * 2 / 3, 0.2 / 3])
    assert legs.lexical_term == pytest.approx([0.8 / 3, 0.8 * 2 / 3])
    assert legs.personal_share == pytest.approx(0.2)


def test_a_visitor_who_is_not_known_changes_nothing_to_the_last_bit():
    columns = {"lexical": [0.3, 10, 4], "centred_cosine": [0.6, NAN, 0.1]}
    without = relevance(policy(visitor=0.0), candidates(3, **columns))
    unknown = relevance(policy(visitor=0.5), candidates(3, **columns))
    assert unknown.lexical_term.tolist() == without.lexical_term.tolist()
    assert unknown.similarity_term.tolist() == without.similarity_term.tolist()
    assert unknown.visitor_term.tolist() == [0.0, 0.0, 0.0]
    assert unknown.personal_share == 0.0


def test_a_policy_without_a_weight_for_the_visitor_does_not_look_at_it():
    columns = {"lexical": [0.3, 10, 4], "centred_cosine": [0.6, 0.2, 0.1]}
    without = relevance(policy(), candidates(3, **columns))
    ignored = relevance(policy(), candidates(3, visitor=[1.0, -1.0, 0.0], **columns))
    assert ignored.lexical_term.tolist() == without.lexical_term.tolist()
    assert ignored.personal_share == 0.0


def test_a_candidate_without_the_visitors_score_is_judged_by_the_others_alone():
    given = candidates(3, lexical=[0, 10, 5], visitor=[0.6, 0.2, NAN])
    legs = relevance(policy(visitor=1.0), given)
    assert legs.lexical_term[2] == pytest.approx(0.5)
    assert legs.visitor_term[2] == 0.0
