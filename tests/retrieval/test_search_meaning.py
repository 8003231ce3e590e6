"""Searches on the real engine against a second implementation by brute force (`reference`)."""

import random
from collections import Counter

import pytest

from services.retrieval.facets import FacetScope, FacetSpec
from services.retrieval.filters import EVERYTHING, NumberRange, without_field
from services.retrieval.result_set import SetRules
from services.retrieval.search import SearchQuery
from services.retrieval.sorting import SortOrder
from services.retrieval.variants import VariantMode
from tests.retrieval import reference
from tests.retrieval.reference import DECLARED, Ambiguous, Catalogue, some_filter, some_products
from tests.retrieval.shelf import NO_FLOOR, open_shelf

TEXTS = ("milk tea", "red kettle steel", "organic bread cup salt")
NARROW = SetRules(window=9, ranked_window=9, dense_floor=0.3, lexical_floor=0.5, groups=12, rounds=3)
FIELDS = (
    *("brand", "category", "availability", "price", "rating"),
    *("attributes.colour", "attributes.width", "attributes.vegan"),
)
REGIONS = ("", "eu")


@pytest.fixture
def dice():
    return random.Random(20_261)


@pytest.fixture
def open_filled(qdrant_url, catalog, dice):
    """Opens an index of products by chance, a few of them without a vector."""

    async def fill(shelf, count, primaries):
        products = some_products(dice, count, primaries)
        without = {product.id for product in products if dice.random() < 0.05}
        await shelf.put(*products, words_only=without)
        return [Catalogue(products, text, shelf.version(), without) for text in TEXTS]

    return lambda rules: open_shelf(qdrant_url, catalog, DECLARED, rules), fill


def expected_order(catalogue, found, order, region):
    if order is SortOrder.RELEVANCE:
        return catalogue.by_relevance(found)
    return reference.sorted_by(found.members, order.name, region)


async def test_every_filter_lets_through_what_it_says(open_filled, catalog, dice):
    opened, fill = open_filled
    async with opened(NO_FLOOR) as shelf:
        catalogue, *_ = await fill(shelf, 80, 0)
        met = Counter()
        for _ in range(150):
            wanted, region = some_filter(dice), dice.choice(REGIONS)
            found = await shelf.search(SearchQuery(catalog, TEXTS[0], 100, wanted, region))
            expected = {each.id for each in catalogue.result_set(wanted, region, NO_FLOOR).members}
            assert {product.product_id for product in found.answer.products} == expected, wanted
            met[len(expected) > 0] += 1
        assert min(met[True], met[False]) > 2, "filters that leave nothing and filters that leave something were tried"


@pytest.mark.parametrize("mode", list(VariantMode))
@pytest.mark.parametrize("order", list(SortOrder))
async def test_window_floor_order_and_variants_are_as_documented(open_filled, catalog, dice, order, mode):
    opened, fill = open_filled
    async with opened(NARROW) as shelf:
        catalogues, seen = await fill(shelf, 90, 8), Counter()
        for _ in range(25):
            (text, catalogue), region = dice.choice(list(zip(TEXTS, catalogues, strict=True))), dice.choice(REGIONS)
            wanted = dice.choice((EVERYTHING, some_filter(dice)))
            try:
                found = catalogue.result_set(wanted, region, NARROW, collapsed=mode is VariantMode.COLLAPSED)
            except Ambiguous:
                seen["ambiguous"] += 1
                continue
            in_order = expected_order(catalogue, found, order, region)
            results = reference.collapse(in_order)
            if mode is VariantMode.SEPARATE:
                results = [(product.id, 0) for product in in_order]
            query = SearchQuery(catalog, text, 7, wanted, region, order=order, variants=mode)
            answer = (await shelf.search(query)).answer
            assert [(each.product_id, each.other_variants) for each in answer.products] == results[:7]
            assert (answer.size, answer.truncated) == (len(results), found.truncated)
            seen[found.truncated] += 1
        assert seen[True] > 2
        assert seen[False] > 2


@pytest.mark.parametrize("mode", list(VariantMode))
@pytest.mark.parametrize("scope", list(FacetScope))
async def test_facets_count_what_is_in_the_result_set(open_filled, catalog, dice, mode, scope):
    opened, fill = open_filled
    ranges = [NumberRange(None, 2.0), NumberRange(2.0, 4.0), NumberRange(4.0, None)]
    collapsed = mode is VariantMode.COLLAPSED
    async with opened(NARROW) as shelf:
        catalogues, compared = await fill(shelf, 90, 8), 0
        for _ in range(12):
            (text, catalogue), region = dice.choice(list(zip(TEXTS, catalogues, strict=True))), dice.choice(REGIONS)
            wanted = dice.choice((EVERYTHING, some_filter(dice), some_filter(dice)))
            numbers = {"price", "rating", "attributes.width"}
            specs = [FacetSpec(field, 2, ranges if field in numbers else (), scope) for field in FIELDS]
            answer = (await shelf.search(SearchQuery(catalog, text, 1, wanted, region, specs, variants=mode))).answer
            for facet in answer.facets:
                field = facet.spec.field
                own = without_field(wanted, field) if scope is FacetScope.WITHOUT_OWN_FILTER else wanted
                try:
                    members = catalogue.result_set(own, region, NARROW, collapsed=collapsed).members
                except Ambiguous:
                    continue
                check_facet(facet, reference.tally(members, field, region, collapsed=collapsed), numbers)
                compared += 1
        assert compared > 30


def check_facet(facet, results, numbers):
    counts = Counter(value for values in results for value in values)
    assert facet.missing == sum(not values for values in results)
    assert facet.distinct == len(counts)
    if facet.spec.field not in numbers:
        assert list(facet.values) == sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:2]
        assert facet.observed is None
        return
    assert facet.values == ()
    assert facet.observed == ((min(counts), max(counts)) if counts else None)
    below, between, above = (
        sum(any(test(number) for number in values) for values in results)
        for test in (lambda n: n < 2, lambda n: 2 <= n < 4, lambda n: n >= 4)
    )
    assert list(facet.ranges) == [below, between, above]


async def test_the_children_of_a_category_are_counted(open_filled, catalog):
    opened, fill = open_filled
    async with opened(NO_FLOOR) as shelf:
        catalogue, *_ = await fill(shelf, 60, 5)
        specs = [
            FacetSpec("category", parent_category=parent) for parent in ("", "Grocery", "Grocery>Dairy", "Home > X")
        ]
        answer = (await shelf.search(SearchQuery(catalog, TEXTS[0], 1, facets=specs))).answer
        members = catalogue.result_set(EVERYTHING, "", NO_FLOOR).members
        for facet, parent in zip(answer.facets, ((), ("Grocery",), ("Grocery", "Dairy"), ("Home", "X")), strict=True):
            results = reference.tally(members, "category", "", parent=parent)
            counts = Counter(value for values in results for value in values)
            assert dict(facet.values) == counts
            assert facet.missing == sum(not values for values in results)
