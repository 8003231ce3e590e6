"""What searches ask of the engine: conditions that all have an index, a window that finds what is rare."""

import pytest
from qdrant_client import grpc as q

from local.qdrant.strict import conditions_of, types_serving
from services.retrieval.adapters.qdrant_conditions import condition_of, payload_indexes
from services.retrieval.adapters.qdrant_points import offer_payload, offers_digest
from services.retrieval.filters import AttributeCondition, NumberRange, PriceRange, ProductFilter
from services.retrieval.product import Money
from services.retrieval.result_set import SetRules
from services.retrieval.search import SearchQuery
from tests.retrieval import shops
from tests.retrieval.reference import DECLARED
from tests.retrieval.shelf import NO_FLOOR, open_shelf
from zhiyin.common.v1 import product_pb2

SIMPLE = ProductFilter(
    brands=["A"],
    categories=["C > D"],
    price=PriceRange(Money("USD", 1, 0), Money("USD", 2, 0)),
    availabilities=[1, 3],
    rating=NumberRange(4.0, 5.0),
    attributes=[
        AttributeCondition("colour", texts=["red"]),
        AttributeCondition("width", range=NumberRange(1.0, 2.0)),
        AttributeCondition("vegan", flag=True),
    ],
)
KINDS = {
    q.FieldType.FieldTypeKeyword: "keyword",
    q.FieldType.FieldTypeFloat: "float",
    q.FieldType.FieldTypeInteger: "integer",
}


def test_every_condition_that_a_filter_can_hold_has_an_index_that_serves_it():
    condition = condition_of(ProductFilter(any=[SIMPLE, SIMPLE], none=[SIMPLE]), "eu", ["group"])
    indexes = {field: KINDS[kind] for field, kind in payload_indexes(DECLARED).items()}
    named = list(conditions_of(condition))
    for field, compared in named:
        assert indexes[field] in types_serving(compared), field
    assert {field for field, _ in named} == indexes.keys(), "no index is made for nothing"


def test_only_filterable_attributes_have_an_index():
    assert len(payload_indexes(DECLARED)) - len(payload_indexes({})) == 3
    shown = {name: type(each)(each.name, each.type, each.unit, facetable=True) for name, each in DECLARED.items()}
    assert payload_indexes(shown) == payload_indexes({})


def offer(region, units):
    message = product_pb2.Offer(region=region, availability=1)
    message.price.CopyFrom(shops.money(units))
    return message.SerializeToString(deterministic=True)


def test_the_digest_of_offers_tells_every_change_and_no_order():
    one, two = offer("", 1), offer("eu", 2)
    assert offers_digest([one, two]) == offers_digest([two, one])
    different = [[], [one], [two], [one, two], [one, offer("eu", 3)], [offer("us", 2), one]]
    assert len({offers_digest(offers) for offers in different}) == len(different)
    assert len(offers_digest([])) == 16
    assert offer_payload([one])["offers_digest"].string_value == offers_digest([one])


def test_offers_are_written_as_the_same_fields_whatever_they_are():
    assert offer_payload([]).keys() == offer_payload([offer("", 1), offer("eu", 2)]).keys()


@pytest.mark.parametrize("words_only", [False, True])
async def test_a_filter_that_leaves_one_product_in_10_000_finds_it(qdrant_url, catalog, words_only):
    rules = SetRules(window=10, ranked_window=10, dense_floor=0.9, lexical_floor=0.9, groups=10, rounds=3)
    async with open_shelf(qdrant_url, catalog, rules=rules) as shelf:
        for start in range(0, 10_000, 1_000):
            await shelf.put(*[shops.product(f"p{n}", "milk", brand="Acme") for n in range(start, start + 1_000)])
        rare = shops.product("rare", "milk" if words_only else "an old kettle", brand="Rare")
        await shelf.put(rare, words_only={"rare"} if words_only else ())
        answer = (await shelf.search(SearchQuery(catalog, "milk", 5, ProductFilter(brands=["Rare"])))).answer
        assert [product.product_id for product in answer.products] == ["rare"]
        assert (answer.size, answer.truncated) == (1, False)


async def test_a_product_with_hundreds_of_variants_does_not_crowd_out_the_others(qdrant_url, catalog):
    rules = SetRules(window=100, ranked_window=100, dense_floor=-1.0, lexical_floor=0.0, groups=20, rounds=3)
    async with open_shelf(qdrant_url, catalog, rules=rules) as shelf:
        variants = [shops.product(f"v{n:03}", f"milk {n}", primary_product_id="milk") for n in range(300)]
        await shelf.put(*variants)
        await shelf.put(*[shops.product(f"other{n:02}", f"milk from farm number {n}") for n in range(30)])
        answer = (await shelf.search(SearchQuery(catalog, "milk", 40))).answer
        found = {product.product_id: product.other_variants for product in answer.products}
        assert sum(name.startswith("v") for name in found) == 1
        assert sum(name.startswith("other") for name in found) == 30
        assert answer.truncated, "more variants of the first one may pass"


async def test_regions_of_any_name_keep_their_offers_apart(qdrant_url, catalog):
    regions = ["", "eu", "E.U.", "a.b[0]", "中国", "'\"`", "*"]
    async with open_shelf(qdrant_url, catalog, rules=NO_FLOOR) as shelf:
        product = shops.product("a", "milk")
        for number, region in enumerate(regions):
            product.offers.add(region=region).price.CopyFrom(shops.money(number + 1))
        await shelf.put(product)
        offers = []
        for region in [*regions, "none"]:
            (found,) = (await shelf.search(SearchQuery(catalog, "milk", 5, region=region))).answer.products
            (shown,) = await shelf.index.shown(catalog, ["a"], region)
            assert shown.offer == found.offer
            offers.append(found.offer)
        assert len(set(offers)) == len(regions) + 1
        assert offers[-1] == ""


async def test_a_region_that_is_gone_is_shown_no_more_after_a_change_of_offers(qdrant_url, catalog):
    async with open_shelf(qdrant_url, catalog, rules=NO_FLOOR) as shelf:
        product = shops.product("a", "milk", price=1)
        product.offers.add(region="eu").price.CopyFrom(shops.money(2))
        await shelf.put(product)
        await shelf.writer.write_offers(shelf.version(), {"a": [offer("eu", 3)]})
        gone, there = [await shelf.index.shown(catalog, ["a"], region) for region in ("", "eu")]
        assert gone[0].offer == ""
        assert there[0].offer
        dear = ProductFilter(price=PriceRange(Money("USD", 3, 0)))
        for region, expected in (("", 0), ("eu", 1)):
            assert (await shelf.search(SearchQuery(catalog, "milk", 5, dear, region))).answer.size == expected
