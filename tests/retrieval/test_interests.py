import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.interests import InterestRules, Signal, interests_of, visitor_scores

RULES = InterestRules(most=4, threshold=0.5, dislike=0.5)


def unit(*numbers):
    vector = np.array(numbers, np.float64)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def signals(*weighted):
    return [Signal(place, direction, weight) for place, (direction, weight) in enumerate(weighted)]


def test_one_behaviour_is_an_interest_of_its_own_direction():
    (interest,) = interests_of(signals((unit(3, 4), 0.2)), RULES)
    assert interest.direction == pytest.approx([0.6, 0.8])
    assert (interest.share, interest.places) == (1.0, (0,))


def test_behaviours_that_differ_stay_apart_and_like_ones_are_summed_by_weight():
    found = interests_of(signals((unit(1, 0, 0), 1), (unit(0, 1, 0), 2), (unit(3, 0, 4), 1), (unit(0, 4, 3), 4)), RULES)
    # Cosine of (1,0,0) and (.6,0,.8) is .6; of (0,1,0) and (0,.8,.6) it is .8: two interests of 6/8 and 2/8.
    assert [interest.share for interest in found] == [0.75, 0.25]
    assert [interest.places for interest in found] == [(3, 1), (0, 2)]
    assert found[0].direction == pytest.approx(unit(0, 2 + 4 * 0.8, 4 * 0.6), abs=1e-6)
    assert found[1].direction == pytest.approx(unit(1.6, 0, 0.8), abs=1e-6)


def test_beyond_the_most_interests_the_closest_takes_it():
    found = interests_of(
        signals(*[(unit(*row), 1) for row in np.eye(4)], (unit(1, 0, 0.2, 0), 1)), InterestRules(most=2)
    )
    assert sorted(place for interest in found for place in interest.places) == [0, 1, 2, 3, 4]
    assert len(found) == 2


def test_what_is_not_wanted_pushes_only_the_interest_that_it_is_close_to():
    plain = interests_of(signals((unit(1, 0, 0), 1), (unit(0, 0, 1), 1)), RULES)
    found = interests_of(signals((unit(1, 0, 0), 1), (unit(0, 0, 1), 1), (unit(1, 1, 0), -1)), RULES)
    disliked = unit(1, 1, 0)
    assert found[0].direction @ disliked < plain[0].direction @ disliked
    assert found[0].direction == pytest.approx(unit(1 - 0.5 * math.sqrt(0.5), -0.5 * math.sqrt(0.5), 0), abs=1e-6)
    assert found[1].direction == pytest.approx([0, 0, 1])
    assert sum(interest.share for interest in found) == pytest.approx(1.0)


def test_nothing_wanted_is_no_interest():
    assert interests_of([], RULES) == []
    assert interests_of(signals((unit(1, 0), -1)), RULES) == []


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(-5, 5), min_size=3, max_size=3).filter(any),
            st.sampled_from([-2.0, -0.5, 0.1, 1.0, 3.0]),
        ),
        max_size=30,
    )
)
def test_shares_sum_to_one_and_every_wanted_behaviour_is_in_one_interest(rows):
    given_signals = signals(*[(unit(*numbers), weight) for numbers, weight in rows])
    found = interests_of(given_signals, RULES)
    assert len(found) <= RULES.most
    assert all(np.linalg.norm(interest.direction) == pytest.approx(1.0, abs=1e-5) for interest in found)
    if found:
        assert sum(interest.share for interest in found) == pytest.approx(1.0)
    places = [place for interest in found for place in interest.places]
    assert len(places) == len(set(places))
    assert set(places) <= {signal.place for signal in given_signals if signal.weight > 0}
    assert [interest.share for interest in found] == sorted((interest.share for interest in found), reverse=True)
    again = interests_of(given_signals, RULES)
    assert [each.places for each in again] == [each.places for each in found]


def test_scores_are_the_best_cosine_weighted_by_the_root_of_the_share():
    cosines = np.array([[0.5, 0.9], [-0.4, -0.2], [np.nan, 0.5], [np.nan, np.nan]])
    scores, interests = visitor_scores(cosines, [0.8, 0.2])
    # The root of .2/.8 is .5: .45 loses to .5; what is negative keeps its size.
    assert scores[:3] == pytest.approx([0.5, -0.2, 0.25])
    assert math.isnan(scores[3])
    assert list(interests[:3]) == [0, 1, 1]
