import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ranker.arranging import Arrangement
from services.ranker.exploration import draw, explored_places
from services.ranker.recommend_policy import ExplorationPolicy
from services.ranker.recommendation import PlaceKind

POLICY = ExplorationPolicy(probability=0.3, most=2, first=2, every=5, window=4)


class Scripted:
    """A source of chance that says what it is told."""

    def __init__(self, uniform, choices):
        self._uniform = list(uniform)
        self._choices = list(choices)

    def random(self):
        return self._uniform.pop(0)

    def randrange(self, size):
        choice = self._choices.pop(0)
        assert 0 <= choice < size
        return choice


def every_outcome(policy, arrangement):
    """(probability, draw) of everything that can happen: each place is drawn or not, with each of its window."""

    def branch(windows):
        if not windows:
            yield 1.0, [], []
            return
        (_, window), *rest = windows
        for probability, uniform, choices in branch(rest):
            yield probability * (1 - policy.probability), [1.0, *uniform], choices
            for choice in range(len(window)):
                share = probability * policy.probability / len(window)
                yield share, [0.0, *uniform], [choice, *choices]

    for probability, uniform, choices in branch(explored_places(policy, arrangement)):
        if probability > 0:
            yield probability, draw(policy, arrangement, Scripted(uniform, choices))


@pytest.mark.parametrize("reserved", [frozenset(), frozenset({4}), frozenset({1, 3, 8})])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 12])
@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_the_stated_probability_of_each_product_in_each_place_is_exact(probability, count, reserved):
    policy = POLICY.model_copy(update={"probability": probability})
    arrangement = Arrangement(list(range(count)), frozenset(place for place in reserved if place < count))
    happened, stated, whole = Counter(), {}, 0.0
    for chance, drawn in every_outcome(policy, arrangement):
        whole += chance
        for place, (row, propensity) in enumerate(zip(drawn.rows, drawn.propensities, strict=True)):
            happened[place, row] += chance
            assert stated.setdefault((place, row), propensity) == propensity
    assert whole == pytest.approx(1.0)
    assert stated == pytest.approx(dict(happened))
    assert all(0 < propensity <= 1 for propensity in stated.values())


def test_chance_comes_as_often_as_it_says():
    arrangement = Arrangement(list(range(12)), frozenset())
    source, rounds = random.Random(11), 20_000
    seen, stated = Counter(), {}
    for _ in range(rounds):
        drawn = draw(POLICY, arrangement, source)
        for place, row in enumerate(drawn.rows):
            seen[place, row] += 1
            stated[place, row] = drawn.propensities[place]
    # Five standard errors of a share.
    for key, propensity in stated.items():
        error = (propensity * (1 - propensity) / rounds) ** 0.5
        assert seen[key] / rounds == pytest.approx(propensity, abs=max(5 * error, 1e-9))


def test_the_same_random_numbers_give_the_same_order():
    arrangement = Arrangement(list(range(12)), frozenset())
    first = [draw(POLICY, arrangement, random.Random(seed)).rows for seed in range(40)]
    assert first == [draw(POLICY, arrangement, random.Random(seed)).rows for seed in range(40)]
    assert len({tuple(rows) for rows in first}) > 1


def test_only_the_two_that_changed_places_are_marked_and_only_one_is_brought_up():
    drawn = draw(POLICY, Arrangement(list(range(7)), frozenset()), Scripted([0.0, 1.0], [2]))
    assert drawn.rows == [0, 4, 2, 3, 1, 5, 6]
    assert [place for place, kind in enumerate(drawn.kinds) if kind is PlaceKind.EXPLORED] == [1, 4]
    assert drawn.brought_up == {4}


def test_reserved_places_are_left_alone():
    arrangement = Arrangement(list(range(12)), frozenset({1, 3, 8}))
    for seed in range(50):
        drawn = draw(POLICY, arrangement, random.Random(seed))
        assert [drawn.rows[place] for place in (1, 3, 8)] == [1, 3, 8]
        assert {drawn.kinds[place] for place in (1, 3, 8)} == {PlaceKind.RESERVED}


@given(st.integers(1, 60), st.integers(1, 9), st.integers(2, 20), st.integers(1, 19), st.integers(0, 10))
def test_windows_never_overlap(count, first, every, window, most):
    policy = ExplorationPolicy.model_construct(
        probability=0.5, most=most, first=first, every=every, window=min(window, every - 1)
    )
    places = explored_places(policy, Arrangement(list(range(count)), frozenset()))
    for (place, behind), (following, _) in pairwise(places):
        assert place < min(behind)
        assert max(behind) < following
