"""Recommendations on the real engine, held against the formulas over all products."""

import math
import random

import numpy as np
import pytest

from services.common.errors import InvalidArgument, Unavailable
from services.retrieval.filters import ProductFilter
from services.retrieval.recommend_rules import CategoryScope, RecommendQuery, RecommendRules
from services.retrieval.recommending import Recommending
from services.retrieval.search import SearchQuery
from services.retrieval.seeds import Behaviour
from services.retrieval.variants import VariantMode
from tests.retrieval import shops
from tests.retrieval.reference import some_products
from tests.retrieval.shelf import LIMITS, MEAN, indexed, open_shelf, text_vector


@pytest.fixture
async def shelf(qdrant_url, catalog):
    async with open_shelf(qdrant_url, catalog) as opened:
        yield opened


def did(*products, weight=1.0):
    return [Behaviour(product, "", weight) for product in products]


def wrote(text, weight=1.0):
    return Behaviour("", text, weight)


def query(catalog, behaviours=(), page=(), named=(), excluded=(), limit=0, **fields):
    return RecommendQuery(catalog, behaviours, page, named, excluded, limit, **fields)


def ids(result):
    return [product.product_id for product in result.products]


def unit(text):
    vector = text_vector(text).astype(np.float64) - MEAN
    return vector / np.linalg.norm(vector)


async def test_every_candidate_has_the_score_of_the_formula_over_all_interests(shelf, catalog):
    products = some_products(random.Random(4), 40)
    await shelf.put(*products)
    vectors = {product.id: unit(indexed(shelf.version(), product).document.text) for product in products}
    seeds = [products[0].id, products[7].id, products[13].id]
    behaviours = [Behaviour(seed, "", weight) for seed, weight in zip(seeds, (1.0, 3.0, 2.0), strict=True)]
    result = await shelf.recommending.find(query(catalog, behaviours, limit=40, variants=VariantMode.SEPARATE))
    shares = [interest.share for interest in result.interests]
    directions = []
    for interest in result.interests:
        total = sum(behaviours[place].weight * vectors[seeds[place]] for place in interest.places)
        directions.append(total / np.linalg.norm(total))
    assert len(result.products) >= 20
    for found in result.products:
        cosines = [vectors[found.product_id] @ direction for direction in directions]
        weighted = [
            cosine * math.sqrt(share / shares[0]) if cosine > 0 else cosine
            for cosine, share in zip(cosines, shares, strict=True)
        ]
        assert found.visitor == pytest.approx(max(weighted), abs=1e-5)
        assert found.interest_cosine == pytest.approx(cosines[found.interest], abs=1e-5)
    scores = [found.visitor for found in result.products]
    assert scores == sorted(scores, reverse=True)


async def test_a_reason_goes_back_to_the_closest_behaviour_not_to_the_heaviest(shelf, catalog):
    await shelf.put(
        shops.product("a", "steel kettle red"),
        shops.product("b", "steel kettle blue"),
        shops.product("near-a", "steel kettle red small"),
        shops.product("near-b", "steel kettle blue small"),
    )
    behaviours = [*did("a", weight=1.0), *did("b", weight=5.0)]
    result = await shelf.recommending.find(query(catalog, behaviours, excluded=["a", "b"]))
    assert [interest.places for interest in result.interests] == [(1, 0)]
    assert {found.product_id: found.seed for found in result.products} == {"near-a": 0, "near-b": 1}
    heaviest = Recommending(shelf.index, shelf.encoder, RecommendRules(LIMITS, least=2, exact_reasons=0))
    result = await heaviest.find(query(catalog, behaviours, excluded=["a", "b"]))
    assert [found.seed for found in result.products] == [1, 1]


async def test_texts_are_interests_too_and_are_left_out_while_the_encoder_is_away(shelf, catalog):
    await shelf.put(shops.product("k", "steel kettle"), shops.product("m", "oat milk"), shops.product("t", "green tea"))
    result = await shelf.recommending.find(query(catalog, [wrote("green tea"), *did("k")]))
    assert set(ids(result)[:2]) == {"k", "t"}
    assert result.cost.tokens == 1

    class Away:
        async def encode_query(self, text, model):
            raise Unavailable("away", reason="PEER_UNAVAILABLE")

    recommending = Recommending(shelf.index, Away(), RecommendRules(LIMITS, least=2))
    result = await recommending.find(query(catalog, [wrote("green tea"), *did("k")]))
    assert ids(result)[0] == "k"
    assert [(missing.kind, missing.component) for missing in result.missing] == [("WITHOUT_TEXTS", "encoder")]


async def test_named_products_pass_the_same_filter_and_exclusion_and_get_scores(shelf, catalog):
    await shelf.put(
        shops.product("seed", "steel kettle", brand="a"),
        shops.product("near", "steel kettle red", brand="a"),
        shops.product("far", "oat milk", brand="a"),
        shops.product("other", "oat drink", brand="b"),
        shops.product("gone", "oat bar", brand="a"),
        shops.product("gone-l", "oat bar large", brand="a", primary_product_id="gone"),
    )
    wanted = ProductFilter(brands=("a",))
    named = ["other", "gone-l", "far", "no-such-product"]
    asked = query(catalog, did("seed"), named=named, excluded=["gone", "seed"], limit=1, wanted=wanted)
    result = await shelf.recommending.find(asked)
    # Two directions' least is two: what the window shows beyond the limit stays only where it was named.
    assert ids(result) == ["near", "far"]
    near, far = result.products
    assert near.visitor == pytest.approx(unit("steel kettle red") @ unit("steel kettle"), abs=0.2)
    assert not math.isnan(far.visitor)


async def test_without_behaviours_named_products_are_filtered_all_the_same(shelf, catalog):
    await shelf.put(shops.product("a", "tea", brand="x"), shops.product("b", "milk", brand="y"), words_only=("a",))
    result = await shelf.recommending.find(query(catalog, named=["b", "a"], wanted=ProductFilter(brands=("x", "y"))))
    assert ids(result) == ["b", "a"]
    assert [found.interest for found in result.products] == [None, None]
    assert not any(found.is_by_content for found in result.products)
    assert ids(await shelf.recommending.find(query(catalog))) == []


async def test_the_page_brings_similar_products_and_never_itself(shelf, catalog):
    await shelf.put(
        shops.product("shirt", "red shirt"),
        shops.product("shirt-s", "red shirt small", primary_product_id="shirt"),
        shops.product("hat", "red hat"),
        shops.product("milk", "oat milk"),
    )
    result = await shelf.recommending.find(query(catalog, page=["shirt-s"]))
    assert ids(result)[0] == "hat"
    assert "shirt" not in ids(result)
    found = result.products[0]
    assert found.page_product_id == "shirt-s"
    assert found.page_cosine == pytest.approx(unit("red shirt small") @ unit("red hat"), abs=1e-5)
    assert math.isnan(found.visitor)


async def test_across_categories_leaves_out_where_the_visitor_has_been(shelf, catalog):
    await shelf.put(
        shops.product("k", "steel kettle", categories=["Kitchen > Kettles"]),
        shops.product("p", "steel pan", categories=["Kitchen > Pans"]),
        shops.product("c", "steel chair", categories=["Garden > Chairs"]),
    )
    everywhere = await shelf.recommending.find(query(catalog, did("k"), named=["p"]))
    assert set(ids(everywhere)) == {"k", "p", "c"}
    across = await shelf.recommending.find(query(catalog, did("k"), named=["p"], scope=CategoryScope.ACROSS))
    assert ids(across) == ["c"]


async def test_variants_collapse_to_the_best_one(shelf, catalog):
    await shelf.put(
        shops.product("s", "red steel kettle"),
        shops.product("v1", "steel kettle", primary_product_id="v"),
        shops.product("v2", "oat milk", primary_product_id="v"),
    )
    collapsed = await shelf.recommending.find(query(catalog, did("s")))
    assert [(found.product_id, found.other_variants) for found in collapsed.products] == [("s", 0), ("v1", 1)]
    separate = await shelf.recommending.find(query(catalog, did("s"), variants=VariantMode.SEPARATE))
    assert ids(separate) == ["s", "v1", "v2"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"behaviours": [Behaviour("a", "text", 1.0)]}, "behaviours[0]"),
        ({"behaviours": [Behaviour("", "", 1.0)]}, "behaviours[0]"),
        ({"behaviours": [Behaviour("a b", "", 1.0)]}, "behaviours[0].product_id"),
        ({"behaviours": [Behaviour("", "x" * 101, 1.0)]}, "behaviours[0].text"),
        ({"behaviours": [Behaviour("a", "", math.nan)]}, "behaviours[0].weight"),
        ({"behaviours": did(*["a"] * 201)}, "behaviours"),
        ({"page": ["a"] * 51}, "page_product_ids"),
        ({"named": ["a"] * 501}, "extra_product_ids"),
        ({"excluded": ["a"] * 2001}, "excluded_product_ids"),
        ({"named": [""]}, "extra_product_ids[0]"),
        ({"limit": -1}, "limit"),
        ({"scope": 9}, "category_scope"),
        ({"variants": 9}, "variants"),
    ],
)
async def test_bad_input_is_refused_by_name(shelf, catalog, fields, field):
    with pytest.raises(InvalidArgument) as caught:
        await shelf.recommending.find(query(catalog, **fields))
    assert field in [violation.field for violation in caught.value.violations]


async def test_a_search_tells_how_close_its_candidates_are_to_the_visitor(shelf, catalog):
    await shelf.put(shops.product("a", "red kettle"), shops.product("b", "blue kettle"), shops.product("c", "blue car"))
    plain = await shelf.search(SearchQuery(catalog, "kettle", 0))
    assert all(math.isnan(found.visitor) for found in plain.answer.products)
    personal = await shelf.search(SearchQuery(catalog, "kettle", 0, behaviours=[*did("c"), wrote("not read")]))
    by_id = {found.product_id: found.visitor for found in personal.answer.products}
    assert by_id["b"] == pytest.approx(unit("blue kettle") @ unit("blue car"), abs=1e-5)
    assert by_id["b"] > by_id["a"]
    assert [found.product_id for found in plain.answer.products] == [
        found.product_id for found in personal.answer.products
    ]
