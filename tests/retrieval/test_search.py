import pytest

from services.common.errors import InvalidArgument, NotFound, Unavailable
from services.retrieval.search import CandidateSearch, LegScores, SearchQuery, SearchRules
from services.retrieval.validation import ProductLimits
from tests.retrieval.stand_ins import ScriptedIndex, StubEncoder

RULES = SearchRules(100, 3, 4, 0.5, ProductLimits())


def searching(index, encoder=None):
    return CandidateSearch(encoder or StubEncoder(), index, RULES)


async def test_one_round_trip_is_enough_where_no_leg_was_cut():
    index = ScriptedIndex(dense=[("a", 0.9), ("b", 0.1)], lexical=[("a", 3.0)])
    result = await searching(index).search(SearchQuery("c", "milk", 3))
    assert result.round_trips == 1
    assert [(p.product_id, p.lexical) for p in result.products] == [("id-a", 3.0), ("id-b", 0.0)]


async def test_the_second_round_trip_asks_each_leg_only_for_what_the_other_found():
    index = ScriptedIndex(
        dense=[("a", 0.9), ("b", 0.8)], lexical=[("a", 3.0), ("c", 2.0)], scores=LegScores({"c": 0.1}, {"b": 0.5})
    )
    result = await searching(index).search(SearchQuery("c", "milk", 2))
    assert index.asked == [("find", 2), ("scores", ["c"], ["b"])]
    assert result.round_trips == 2
    assert len(result.products) == 2
    assert not result.missing


async def test_a_cut_lexical_leg_that_knows_nothing_of_a_product_means_zero():
    index = ScriptedIndex(dense=[("a", 0.9), ("b", 0.8)], lexical=[("a", 3.0), ("c", 2.0)])
    result = await searching(index).search(SearchQuery("c", "milk", 2))
    assert {p.product_id: p.lexical for p in result.products}["id-a"] == 3.0
    assert all(p.lexical == p.lexical for p in result.products), "no score of the lexical leg is unknown"


async def test_a_second_round_trip_that_fails_leaves_scores_out_and_says_so():
    index = ScriptedIndex(
        dense=[("a", 0.9), ("b", 0.8)], lexical=[("c", 3.0), ("d", 2.0)], error=Unavailable("away", reason="AWAY")
    )
    result = await searching(index).search(SearchQuery("c", "milk", 2))
    assert [(m.kind, m.component, m.reason) for m in result.missing] == [("SCORES_INCOMPLETE", "qdrant", "AWAY")]
    assert len(result.products) == 2


async def test_limit_0_is_the_default_and_a_large_one_the_maximum():
    index = ScriptedIndex(dense=[], lexical=[])
    for limit in (0, 2, 1_000):
        await searching(index).search(SearchQuery("c", "milk", limit))
    assert index.asked == [("find", 3), ("find", 2), ("find", 4)]


async def test_without_the_encoder_only_words_decide():
    encoder = StubEncoder()
    encoder.error = Unavailable("away", reason="AWAY")
    index = ScriptedIndex(dense=[("a", 1.0)], lexical=[("b", 1.0), ("c", 2.0)])
    result = await searching(index, encoder).search(SearchQuery("c", "milk", 3))
    assert [p.product_id for p in result.products] == ["id-c", "id-b"]
    assert [m.kind for m in result.missing] == ["LEXICAL_ONLY"]
    assert result.cost is None


async def test_without_words_and_without_the_encoder_nothing_can_be_found():
    encoder = StubEncoder()
    encoder.error = Unavailable("away", reason="AWAY")
    with pytest.raises(Unavailable) as caught:
        await searching(ScriptedIndex([], []), encoder).search(SearchQuery("c", "!?", 3))
    assert (caught.value.reason, caught.value.retry_after) == ("AWAY", 1.0)


async def test_a_bad_request_or_an_unknown_catalogue_never_reaches_the_legs():
    index = ScriptedIndex([], [])
    with pytest.raises(InvalidArgument):
        await searching(index).search(SearchQuery("c", "a" * 101, 3))
    with pytest.raises(NotFound):
        await searching(index).search(SearchQuery("none", "milk", 3))
    assert index.asked == []
