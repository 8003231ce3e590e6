import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ranker.arranging import Pool, arrange, reserved_places
from services.ranker.recommend_policy import DiversityPolicy, ReservedPolicy

NO_RESERVED = ReservedPolicy(most=0, first=1, every=1)
BY_SCORE = DiversityPolicy(places=0, window=1, category=1.0, interest=1.0, floor=1.0)


def pool(scores, categories=None, interests=None, new=(), content=None):
    count = len(scores)
    return Pool(
        product_ids=[f"p{row:02}" for row in range(count)],
        scores=np.array(scores, dtype=np.float64),
        content=np.array(content or scores, dtype=np.float64),
        categories=categories or [""] * count,
        interests=np.array(interests or [-1] * count, dtype=np.int64),
        is_new=np.array([row in new for row in range(count)]),
    )


def diversity(**changes):
    values = {"places": 10, "window": 10, "category": 0.5, "interest": 1.0, "floor": 0.1, **changes}
    return DiversityPolicy.model_validate(values)


def test_without_diversity_the_order_is_that_of_the_scores_and_ties_go_by_id():
    assert arrange(BY_SCORE, NO_RESERVED, pool([1.0, 3.0, 3.0, 2.0])).rows == [1, 2, 3, 0]


def test_the_second_of_a_category_gives_way_to_another_that_is_nearly_as_good():
    # By hand: after p0 the others of category a count half: 0.45 against 0.6, then 0.45 against 0.4 / 2.
    given_pool = pool([1.0, 0.9, 0.6, 0.4], categories=["a", "a", "b", "b"])
    assert arrange(diversity(), NO_RESERVED, given_pool).rows == [0, 2, 1, 3]


def test_sameness_of_interest_costs_as_well():
    given_pool = pool([1.0, 0.9, 0.6], interests=[0, 0, 1])
    assert arrange(diversity(category=1.0, interest=0.5), NO_RESERVED, given_pool).rows == [0, 2, 1]


def test_a_far_better_product_is_never_passed_over():
    given_pool = pool([1.0, 0.9, 0.8, 0.7, 0.3], categories=["a"] * 4 + ["b"])
    # The floor of a half leaves 0.35 of the 0.7 at least.
    assert arrange(diversity(category=0.1, floor=0.5), NO_RESERVED, given_pool).rows == [0, 1, 2, 3, 4]


def test_what_lies_further_back_than_the_window_is_forgotten():
    # By hand: after a, b the window of 1 holds b only, so that the next of a has its whole score.
    given_pool = pool([1.0, 0.9, 0.8, 0.79], categories=["a", "b", "a", "b"])
    assert arrange(diversity(window=1), NO_RESERVED, given_pool).rows == [0, 1, 2, 3]


def test_products_without_category_are_not_like_one_another():
    assert arrange(diversity(), NO_RESERVED, pool([1.0, 0.9, 0.6], categories=["", "", "b"])).rows == [0, 1, 2]


def test_the_best_new_product_by_content_takes_the_reserved_place():
    reserved = ReservedPolicy(most=5, first=2, every=3)
    given_pool = pool([9, 8, 7, 6, 5, 1, 2], new=(5, 6), content=[0, 0, 0, 0, 0, 0.9, 0.3])
    arrangement = arrange(BY_SCORE, reserved, given_pool)
    assert arrangement.rows == [0, 5, 1, 2, 6, 3, 4]
    assert arrangement.reserved == {1, 4}


def test_a_reserved_place_goes_by_score_where_nothing_new_is_left():
    reserved = ReservedPolicy(most=5, first=1, every=1)
    arrangement = arrange(BY_SCORE, reserved, pool([3, 2, 1], new=(2,)))
    assert (arrangement.rows, arrangement.reserved) == ([2, 0, 1], frozenset({0}))


def test_reserved_places_are_counted_from_the_first():
    assert reserved_places(ReservedPolicy(most=3, first=5, every=10), 100) == [4, 14, 24]
    assert reserved_places(ReservedPolicy(most=3, first=5, every=10), 20) == [4, 14]


def naive(policy, given_pool):
    """The definition, word for word."""
    left, order = set(range(len(given_pool.scores))), []
    for place in range(len(given_pool.scores)):
        recent = order[-policy.window :] if place < policy.places else []

        def worth(row, recent=recent):
            same = [
                sum(1 for other in recent if label[row] != none and label[other] == label[row])
                for label, none in ((given_pool.categories, ""), (given_pool.interests.tolist(), -1))
            ]
            factor = max(policy.category ** same[0] * policy.interest ** same[1], policy.floor)
            return given_pool.scores[row] * (factor if recent else 1.0)

        best = min(left, key=lambda row: (-worth(row), -given_pool.scores[row], given_pool.product_ids[row]))
        order.append(best)
        left.remove(best)
    return order


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_order_is_that_of_the_definition(data):
    count = data.draw(st.integers(1, 25))
    given_pool = pool(
        data.draw(st.lists(st.integers(0, 20).map(lambda n: n / 16), min_size=count, max_size=count)),
        data.draw(st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=count, max_size=count)),
        data.draw(st.lists(st.integers(-1, 2), min_size=count, max_size=count)),
    )
    policy = diversity(
        places=data.draw(st.integers(0, 30)),
        window=data.draw(st.integers(1, 6)),
        category=data.draw(st.sampled_from([1.0, 0.5, 0.25])),
        interest=data.draw(st.sampled_from([1.0, 0.5])),
        floor=data.draw(st.sampled_from([1.0, 0.5, 0.125])),
    )
    assert arrange(policy, NO_RESERVED, given_pool).rows == naive(policy, given_pool)


@pytest.mark.parametrize("places", [0, 3, 100])
def test_everybody_has_exactly_one_place(places):
    reserved = ReservedPolicy(most=4, first=2, every=2)
    given_pool = pool(list(range(12)), categories=["a", "b", "c"] * 4, new=(0, 1, 11))
    assert sorted(arrange(diversity(places=places), reserved, given_pool).rows) == list(range(12))
