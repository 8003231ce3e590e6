import pytest

from services.common.errors import Internal, InvalidArgument, NotFound, Unavailable
from services.retrieval.answering import Answering, AnswerRules
from services.retrieval.facet_rules import FacetLimits
from services.retrieval.facets import FacetSpec
from services.retrieval.filters import AttributeCondition, ProductFilter
from services.retrieval.interests import InterestRules
from services.retrieval.personal import PersonalScores
from services.retrieval.product_index import LegScores
from services.retrieval.relaxing import RelaxationMode
from services.retrieval.result_set import SetRules
from services.retrieval.search import CandidateSearch, SearchQuery, SearchRules
from services.retrieval.sorting import SortOrder
from services.retrieval.validation import ProductLimits
from services.retrieval.variants import VariantMode
from tests.retrieval.stand_ins import ScriptedIndex, StubEncoder, version_of

RULES = SearchRules(100, 3, 4, ProductLimits())
WINDOW = 3


def searching(
    index, encoder=None, window=WINDOW, ranked_window=0, groups=0, rounds=3, dense_floor=-1.0, lexical_floor=0.0
):
    sets = SetRules(window, ranked_window or window, dense_floor, lexical_floor, groups, rounds)
    answering = Answering(index, AnswerRules(sets, 0.5, FacetLimits()))
    return CandidateSearch(encoder or StubEncoder(), index, answering, PersonalScores(index, InterestRules()), RULES)


def ids(result):
    return [product.product_id for product in result.answer.products]


async def test_one_round_trip_finds_all_scores_where_no_leg_was_cut():
    index = ScriptedIndex(dense=[("a", 0.9), ("b", 0.1)], lexical=[("a", 3.0)])
    result = await searching(index).search(SearchQuery("c", "milk", 3))
    assert index.asked == [("find", 3)]
    assert result.answer.round_trips == 1
    assert [(p.product_id, p.lexical, p.card) for p in result.answer.products] == [
        ("id-a", 3.0, "card of a"),
        ("id-b", 0.0, "card of b"),
    ]


async def test_a_leg_that_was_cut_is_asked_for_what_only_the_other_one_found():
    index = ScriptedIndex(
        dense=[("a", 0.9), ("b", 0.8)], lexical=[("a", 3.0), ("c", 2.0)], scores=LegScores({"c": 0.1}, {"b": 0.5})
    )
    result = await searching(index, window=2).search(SearchQuery("c", "milk", 2))
    assert index.asked == [("find", 2), ("scores", ["c"], ["b"])]
    assert result.answer.round_trips == 2
    assert len(result.answer.products) == 2
    assert not result.missing


async def test_a_cut_lexical_leg_that_knows_nothing_of_a_product_means_zero():
    index = ScriptedIndex(dense=[("a", 0.9), ("b", 0.8)], lexical=[("a", 3.0), ("c", 2.0)])
    result = await searching(index, window=2).search(SearchQuery("c", "milk", 3))
    assert {p.product_id: p.lexical for p in result.answer.products} == {"id-a": 3.0, "id-b": 0.0, "id-c": 2.0}


async def test_a_second_round_trip_that_fails_leaves_scores_out_and_says_so():
    index = ScriptedIndex(
        dense=[("a", 0.9), ("b", 0.8)], lexical=[("c", 3.0), ("d", 2.0)], error=Unavailable("away", reason="AWAY")
    )
    result = await searching(index, window=2).search(SearchQuery("c", "milk", 2))
    assert [(m.kind, m.component, m.reason) for m in result.missing] == [("SCORES_INCOMPLETE", "qdrant", "AWAY")]
    assert len(result.answer.products) == 2


async def test_limit_0_is_the_default_a_large_one_the_maximum_and_neither_changes_the_set():
    leg = [(name, 1.0) for name in "abcdef"]
    for limit, shown in ((0, 3), (2, 2), (1_000, 4)):
        result = await searching(ScriptedIndex(leg, leg), window=6).search(SearchQuery("c", "milk", limit))
        assert (len(result.answer.products), result.answer.size) == (shown, 6)


@pytest.mark.parametrize(
    ("fields", "window"),
    [({}, 3), ({"limit": 4}, 9), ({"order": SortOrder.NEWEST}, 9), ({"facets": [FacetSpec("brand")]}, 9)],
    ids=["ranked only", "more wanted than the small window holds", "ordered", "counted"],
)
async def test_the_large_window_is_for_what_is_counted_or_ordered(fields, window):
    index = ScriptedIndex([], [])
    await searching(index, window=9, ranked_window=3).search(SearchQuery("c", "milk", **{"limit": 3, **fields}))
    assert index.asked == [("find", window)]


async def test_what_a_leg_found_below_a_share_of_its_best_score_is_not_in_the_set():
    index = ScriptedIndex(dense=[("a", 0.8), ("b", 0.41), ("c", 0.39)], lexical=[("c", 10.0), ("d", 2.0), ("e", 1.9)])
    result = await searching(index, window=9, dense_floor=0.5, lexical_floor=0.2).search(SearchQuery("c", "milk", 4))
    # a and b by meaning; c by its words, although its meaning is too far away; d by its words; e by nothing.
    assert sorted(ids(result)) == ["id-a", "id-b", "id-c", "id-d"]


async def test_a_floor_under_scores_below_zero_lies_below_the_best_of_them():
    index = ScriptedIndex(dense=[("a", -0.2), ("b", -0.29), ("c", -0.31)], lexical=[])
    result = await searching(index, window=9, dense_floor=0.5).search(SearchQuery("c", "milk", 4))
    assert sorted(ids(result)) == ["id-a", "id-b"]


@pytest.mark.parametrize(
    ("dense_floor", "truncated"),
    [(0.0, True), (0.95, False)],
    ids=["a leg's last product is above the floor", "a cut leg's last product is below the floor"],
)
async def test_a_set_is_truncated_where_more_products_may_be_above_the_floor(dense_floor, truncated):
    index = ScriptedIndex(dense=[("a", 0.9), ("b", 0.8), ("c", 0.7), ("d", 0.6)], lexical=[("a", 1.0)])
    result = await searching(index, dense_floor=dense_floor).search(SearchQuery("c", "milk", 4))
    assert result.answer.truncated is truncated


async def test_variants_that_fill_the_window_make_room_for_other_products():
    leg = [(f"a{n}", 0.9) for n in range(3)] + [(f"b{n}", 0.8) for n in range(3)] + [("c", 0.7), ("d", 0.6)]
    index = ScriptedIndex(dense=leg, lexical=[])
    collapsed = await searching(index, groups=3).search(SearchQuery("c", "milk", 4))
    found = [(p.product_id, p.other_variants) for p in collapsed.answer.products]
    assert found == [("id-a0", 2), ("id-b0", 2), ("id-c", 0), ("id-d", 0)]
    assert collapsed.answer.truncated
    assert [asked[0] for asked in index.asked].count("find") == 3
    separate = await searching(index, groups=3).search(SearchQuery("c", "milk", 4, variants=VariantMode.SEPARATE))
    assert ids(separate) == ["id-a0", "id-a1", "id-a2"]


async def test_the_rounds_of_a_set_are_bounded():
    leg = [(f"{name}{n}", 0.9) for name in "abcdefgh" for n in range(3)]
    index = ScriptedIndex(dense=leg, lexical=[])
    result = await searching(index, groups=100, rounds=2).search(SearchQuery("c", "milk", 4))
    assert ids(result) == ["id-a0", "id-b0"]
    assert result.answer.truncated


async def test_an_order_by_one_value_asks_for_the_scores_of_what_is_shown_only():
    index = ScriptedIndex(dense=[("a", 0.9), ("b", 0.8)], lexical=[("c", 3.0), ("d", 2.0)])
    await searching(index, window=2).search(SearchQuery("c", "milk", 1, order=SortOrder.NEWEST))
    assert index.asked[1:] == [("scores", [], ["a"])]


class Emptying(ScriptedIndex):
    """Finds something only where the filter has none of some parts."""

    def __init__(self, *empty_because):
        super().__init__([("a", 0.9)], [])
        self.empty_because = empty_because

    def _hits(self, leg, window):
        return [] if any(getattr(window.wanted, part) for part in self.empty_because) else super()._hits(leg, window)


STRICT = ProductFilter(brands=["B"], categories=["C"], availabilities=[1])


async def test_a_filter_that_leaves_nothing_is_relaxed_only_if_asked():
    for mode, expected, dropped in (
        (RelaxationMode.STRICT, [], []),
        (RelaxationMode.RELAX_FILTER, ["id-a"], ["filter.brands"]),
    ):
        query = SearchQuery("c", "milk", 3, STRICT, relaxation=mode)
        result = await searching(Emptying("brands")).search(query)
        assert (ids(result), list(result.answer.relaxed_fields)) == (expected, dropped)
        assert result.answer.size == len(expected)


async def test_a_filter_that_nothing_passes_but_by_its_availability_stays_as_it_is():
    query = SearchQuery("c", "milk", 3, STRICT, relaxation=RelaxationMode.RELAX_FILTER)
    result = await searching(Emptying("availabilities")).search(query)
    assert (result.answer.size, list(result.answer.relaxed_fields)) == (0, [])


class Switched(ScriptedIndex):
    """Its version 1 is deleted; the alias points to version 2, of another model."""

    def __init__(self):
        super().__init__([("a", 0.9)], [])
        self.there = True

    async def version_now(self, catalog):
        version = version_of(catalog)
        return type(version)(catalog, 2, type(version.model)("m", "r2", 2), version.mean, 1) if self.there else version

    async def find(self, version, legs, region, windows):
        if version.number == 1:
            raise NotFound("gone")
        return await super().find(version, legs, region, windows)


class Noting(StubEncoder):
    async def encode_query(self, text, model):
        self.calls.append(model.revision)
        return await super().encode_query(text, model)


async def test_a_version_that_is_deleted_under_a_search_is_replaced_by_the_one_that_took_its_place():
    encoder = Noting()
    result = await searching(Switched(), encoder).search(SearchQuery("c", "milk", 3))
    assert (ids(result), result.version.number) == (["id-a"], 2)
    assert encoder.calls == ["r1", "r2"], "the query is encoded again by the new version's model"


async def test_a_version_that_is_gone_with_none_in_its_place_is_a_lost_index_and_no_unknown_catalogue():
    index = Switched()
    index.there = False
    with pytest.raises(Unavailable) as caught:
        await searching(index).search(SearchQuery("c", "milk", 3))
    assert (caught.value.reason, caught.value.metadata) == ("INDEX_LOST", {"catalog": "c"})
    assert caught.value.retry_after == 1.0


class Refusing(ScriptedIndex):
    """Refuses every search, whatever version it is asked in."""

    async def find(self, version, legs, region, windows):
        raise Internal("the index refused a search", reason="QDRANT_REFUSED")


async def test_a_refusal_that_declared_attributes_cannot_explain_is_our_fault():
    with pytest.raises(Internal):
        await searching(Refusing([], [])).search(SearchQuery("c", "milk", 3, ProductFilter(brands=["A"])))


async def test_without_the_encoder_words_alone_rank():
    encoder = StubEncoder()
    encoder.error = Unavailable("away", reason="ENCODER_UNAVAILABLE")
    index = ScriptedIndex(dense=[("a", 0.9)], lexical=[("b", 3.0), ("c", 1.0)])
    result = await searching(index, encoder).search(SearchQuery("c", "milk", 3))
    assert ids(result) == ["id-b", "id-c"]
    assert [(m.kind, m.reason) for m in result.missing] == [("LEXICAL_ONLY", "ENCODER_UNAVAILABLE")]
    assert result.cost is None


async def test_a_query_without_words_needs_the_encoder():
    encoder = StubEncoder()
    encoder.error = Unavailable("away", reason="ENCODER_UNAVAILABLE")
    with pytest.raises(Unavailable) as caught:
        await searching(ScriptedIndex([], []), encoder).search(SearchQuery("c", "!?", 3))
    assert caught.value.retry_after is not None


async def test_bad_requests_and_unknown_catalogues_are_refused():
    index = ScriptedIndex([], [])
    with pytest.raises(InvalidArgument):
        await searching(index).search(SearchQuery("c", "a" * 101, 3))
    with pytest.raises(NotFound):
        await searching(index).search(SearchQuery("none", "milk", 3))


async def test_every_undeclared_name_is_refused_with_its_place():
    group = ProductFilter(attributes=[_flag("y"), _flag("x")])
    query = SearchQuery(
        "c", "milk", 3, ProductFilter(attributes=[_flag("x")], any=[group]), facets=[FacetSpec("attributes.x")]
    )
    with pytest.raises(InvalidArgument) as caught:
        await searching(ScriptedIndex([], [])).search(query)
    assert {violation.field: violation.reason for violation in caught.value.violations} == {
        "filter.attributes[0].name": "NOT_FILTERABLE",
        "filter.any[0].attributes[0].name": "NOT_FILTERABLE",
        "filter.any[0].attributes[1].name": "NOT_FILTERABLE",
        "facets[0].field": "NOT_FACETABLE",
    }


def _flag(name):
    return AttributeCondition(name, flag=True)
