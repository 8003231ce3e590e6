"""Similar products on the real engine."""

import random

import numpy as np
import pytest

from services.common.errors import InvalidArgument, NotFound
from services.retrieval.filters import EVERYTHING, ProductFilter
from services.retrieval.similar import SimilarQuery
from tests.retrieval import shops
from tests.retrieval.reference import some_products
from tests.retrieval.shelf import MEAN, indexed, open_shelf, text_vector


@pytest.fixture
async def shelf(qdrant_url, catalog):
    async with open_shelf(qdrant_url, catalog) as opened:
        yield opened


def ids(result):
    return [product.product_id for product in result.answer.products]


async def test_products_of_like_meaning_come_first_and_no_encoder_is_asked(shelf, catalog):
    titles = {
        "a": "red steel kettle",
        "b": "blue steel kettle",
        "c": "steel kettle",
        "d": "oat milk",
        "e": "red kettle",
    }
    await shelf.put(*[shops.product(name, title) for name, title in titles.items()])
    result = await shelf.similar.find(SimilarQuery(catalog, "a", 0))
    assert set(ids(result)) == set("bcde")
    assert ids(result)[-1] == "d"
    assert not result.missing
    assert shelf.encoder.asked == []


async def test_scores_are_those_of_the_stored_vectors(shelf, catalog):
    products = some_products(random.Random(3), 20)
    await shelf.put(*products)
    texts = {product.id: indexed(shelf.version(), product).document.text for product in products}
    vectors = {name: text_vector(text).astype(np.float64) for name, text in texts.items()}
    own = vectors.pop(products[0].id)
    result = await shelf.similar.find(SimilarQuery(catalog, products[0].id, 50))
    assert {found.product_id for found in result.answer.products} == set(vectors)
    for found in result.answer.products:
        other = vectors[found.product_id]
        assert found.cosine == pytest.approx(cosine(own, other), abs=1e-5)
        assert found.centred_cosine == pytest.approx(cosine(own - MEAN, other - MEAN), abs=1e-5)
        assert found.dot_product == pytest.approx(own @ other, abs=1e-5)


def cosine(one, other):
    return one @ other / (np.linalg.norm(one) * np.linalg.norm(other))


async def test_the_products_own_variants_and_the_excluded_ones_with_theirs_are_left_out(shelf, catalog):
    await shelf.put(
        shops.product("shirt", "red shirt"),
        shops.product("shirt-s", "red shirt small", primary_product_id="shirt"),
        shops.product("hat-s", "red hat small", primary_product_id="hat"),
        shops.product("hat-l", "red hat large", primary_product_id="hat"),
        shops.product("sock", "red sock"),
        shops.product("sock-l", "red sock large", primary_product_id="sock"),
        shops.product("shoe", "red shoe"),
    )
    result = await shelf.similar.find(SimilarQuery(catalog, "shirt-s", 0))
    shown = set(ids(result))
    assert [len(shown & {*variants}) for variants in (["shoe"], ["hat-s", "hat-l"], ["sock", "sock-l"])] == [1, 1, 1]
    assert len(shown) == 3
    # A variant takes its whole group with it; so does a primary product that is not there itself.
    for excluded in (["sock-l", "hat"], ["sock", "hat-l"]):
        result = await shelf.similar.find(SimilarQuery(catalog, "shirt", 0, excluded=excluded))
        assert ids(result) == ["shoe"]


async def test_a_filter_holds_for_similar_products(shelf, catalog):
    await shelf.put(
        shops.product("a", "red kettle"),
        shops.product("b", "red kettle", brand="B"),
        shops.product("c", "red kettle", brand="C"),
    )
    result = await shelf.similar.find(SimilarQuery(catalog, "a", 0, ProductFilter(brands=["C"])))
    assert ids(result) == ["c"]


async def test_a_product_without_a_vector_is_compared_by_its_words(shelf, catalog):
    await shelf.put(
        *[shops.product(n, t) for n, t in (("a", "red kettle"), ("b", "kettle"), ("c", "milk"))], words_only="a"
    )
    result = await shelf.similar.find(SimilarQuery(catalog, "a", 0))
    assert ids(result) == ["b"]
    assert [(m.kind, m.component) for m in result.missing] == [("LEXICAL_ONLY", "retrieval")]


async def test_a_product_that_the_index_lacks_is_not_found(shelf, catalog):
    with pytest.raises(NotFound) as caught:
        await shelf.similar.find(SimilarQuery(catalog, "gone", 0))
    assert caught.value.reason == "PRODUCT_NOT_INDEXED"


async def test_bad_requests_are_refused_with_every_field_named(shelf, catalog):
    query = SimilarQuery(catalog, "no id", -1, EVERYTHING, "r" * 65, ["ok", "not ok"], 7)
    with pytest.raises(InvalidArgument) as caught:
        await shelf.similar.find(query)
    assert {v.field: v.reason for v in caught.value.violations} == {
        "product_id": "INVALID_FORMAT",
        "limit": "OUT_OF_RANGE",
        "region": "TOO_LONG",
        "excluded_product_ids[1]": "INVALID_FORMAT",
        "variants": "OUT_OF_RANGE",
    }
    with pytest.raises(InvalidArgument, match="excluded_product_ids"):
        await shelf.similar.find(SimilarQuery(catalog, "a", 0, excluded=["x"] * 6))


async def test_the_order_is_total(shelf, catalog):
    await shelf.put(*[shops.product(name, "red kettle") for name in ("z", "b", "y", "a")])
    assert ids(await shelf.similar.find(SimilarQuery(catalog, "z", 0))) == ["a", "b", "y"]
