"""Result sets and similar products through the API, on the whole service."""

from contextlib import suppress

import grpc
import pytest

from tests.refusals import refusal
from tests.retrieval import shops
from tests.retrieval.test_fuzzing import FAULTS, samples
from zhiyin.common.v1 import catalog_settings_pb2 as settings_pb
from zhiyin.common.v1 import degradation_pb2, filter_pb2, product_pb2, result_set_pb2
from zhiyin.retrieval.v1 import catalog_settings_service_pb2 as settings_rpc
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

IN_STOCK, SOLD_OUT = product_pb2.AVAILABILITY_IN_STOCK, product_pb2.AVAILABILITY_OUT_OF_STOCK
Filter, Range, Spec = filter_pb2.ProductFilter, filter_pb2.NumberRange, result_set_pb2.FacetSpec
SEPARATE = result_set_pb2.VARIANT_MODE_SEPARATE
CHEAPEST = result_set_pb2.SORT_ORDER_PRICE_ASCENDING
RELAX = result_set_pb2.RELAXATION_MODE_RELAX_FILTER


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = refusal(caught.value)
    return error.code, error.reason, error.fields


async def similar(shop, product_id, **fields):
    request = pb.FindSimilarProductsRequest(catalog=shop.catalog, product_id=product_id, **fields)
    return await shop.stub.FindSimilarProducts(request, timeout=shops.SECONDS)


def shirts():
    small = shops.product("shirt-s", "red shirt", 9, availability=SOLD_OUT, brand="A", primary_product_id="shirt")
    large = shops.product("shirt-l", "red shirt", 12, availability=IN_STOCK, brand="A", primary_product_id="shirt")
    hat = shops.product("hat", "red hat", 5, availability=IN_STOCK, brand="B", categories=["Wear > Hats"])
    sock = shops.product("sock", "red sock", brand="B", categories=["Wear > Socks"])
    return [small, large, hat, sock]


@pytest.fixture
async def wardrobe(shop):
    await shops.upsert(shop, *shirts())
    return shop


async def test_a_reply_tells_facets_variants_and_size_of_the_result_set(wardrobe):
    specs = [
        Spec(field="brand", limit=1),
        Spec(field="price", ranges=[Range(max=9), Range(min=9, max=12)]),
        Spec(field="availability"),
        Spec(field="category", parent_category="Wear"),
    ]
    reply = await shops.search(wardrobe, "red", order=CHEAPEST, facets=specs, limit=2)
    assert [(f.candidate.product_id, f.other_variant_count) for f in reply.found] == [("hat", 0), ("shirt-s", 1)]
    assert reply.found[1].summary.primary_product_id == "shirt"
    found = reply.result_set
    assert (found.size, found.truncated, list(found.relaxed_fields)) == (3, False, [])
    brand, price, availability, category = found.facets
    assert [(v.value, v.count) for v in brand.values] == [("B", 2)]
    assert (brand.distinct_count, brand.missing_count) == (2, 0)
    assert [r.count for r in price.ranges] == [1, 1], "the shirt costs 9 and 12, and a bound begins its range"
    assert price.ranges[0].range == Range(max=9)
    assert (price.observed.min, price.observed.max, price.currency_code, price.missing_count) == (5, 12, "USD", 1)
    assert {v.value: v.count for v in availability.values} == {"IN_STOCK": 2, "OUT_OF_STOCK": 1}
    assert [(v.value, v.count) for v in category.values] == [("Wear > Hats", 1), ("Wear > Socks", 1)]
    assert not brand.HasField("observed")


async def test_a_filter_holds_for_each_variant_by_itself(wardrobe):
    for wanted, expected in ((Filter(availabilities=[IN_STOCK]), "shirt-l"), (shops.prices(8, 10), "shirt-s")):
        wanted.brands.append("A")
        assert shops.ids_of(await shops.search(wardrobe, "red", filter=wanted)) == [expected]
    both = Filter(availabilities=[IN_STOCK], price=shops.prices(8, 10).price)
    assert (await shops.search(wardrobe, "red", filter=both)).result_set.size == 0


async def test_variants_are_results_of_their_own_where_that_is_asked_for(wardrobe):
    reply = await shops.search(wardrobe, "red", variants=SEPARATE, order=CHEAPEST)
    assert shops.ids_of(reply) == ["hat", "shirt-s", "shirt-l", "sock"]
    assert reply.result_set.size == 4


async def test_check_boxes_are_counted_without_their_own_filter(wardrobe):
    scope = result_set_pb2.FACET_SCOPE_WITHOUT_OWN_FILTER
    reply = await shops.search(
        wardrobe,
        "red",
        filter=Filter(brands=["A"], availabilities=[IN_STOCK]),
        facets=[Spec(field="brand", scope=scope), Spec(field="brand"), Spec(field="availability", scope=scope)],
    )
    brands, own, availability = ({v.value: v.count for v in facet.values} for facet in reply.result_set.facets)
    assert brands == {"A": 1, "B": 1}
    assert own == {"A": 1}
    assert availability == {"IN_STOCK": 1, "OUT_OF_STOCK": 1}


async def test_a_filter_that_leaves_nothing_is_empty_and_said_so_or_relaxed_if_asked(wardrobe):
    wanted = Filter(brands=["B"], rating=Range(min=4), availabilities=[IN_STOCK])
    strict = await shops.search(wardrobe, "red", filter=wanted)
    assert (len(strict.found), strict.result_set.size, list(strict.result_set.relaxed_fields)) == (0, 0, [])
    relaxed = await shops.search(wardrobe, "red", filter=wanted, relaxation=RELAX)
    assert (shops.ids_of(relaxed), list(relaxed.result_set.relaxed_fields)) == (["hat"], ["filter.rating"])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"order": 99}, {"order": "OUT_OF_RANGE"}),
        ({"relaxation": 99}, {"relaxation": "OUT_OF_RANGE"}),
        ({"variants": -1}, {"variants": "OUT_OF_RANGE"}),
        ({"facets": [Spec(field="brand", scope=99)]}, {"facets[0].scope": "OUT_OF_RANGE"}),
        ({"facets": [Spec(field="brand")] * 51}, {"facets": "TOO_MANY"}),
        ({"facets": [Spec(field="attributes.colour")]}, {"facets[0].field": "NOT_FACETABLE"}),
        (
            {"filter": Filter(attributes=[filter_pb2.AttributeCondition(name="colour", flag=True)])},
            {"filter.attributes[0].name": "NOT_FILTERABLE"},
        ),
        (
            {"filter": Filter(any=[Filter(none=[Filter(any=[Filter(any=[Filter(brands=["A"])])])])])},
            {"filter": "TOO_DEEP"},
        ),
        ({"filter": Filter(any=[Filter(brands=["A"])] * 101)}, {"filter": "TOO_MANY"}),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_the_field_named(wardrobe, fields, expected):
    code, _, named = await refused(shops.search(wardrobe, "red", **fields))
    assert (code, named) == (grpc.StatusCode.INVALID_ARGUMENT, expected)


async def test_products_that_have_little_to_do_with_the_query_are_below_the_floor(wardrobe, serve):
    await shops.upsert(wardrobe, shops.product("kettle", "steel kettle"))
    assert "kettle" in shops.ids_of(await shops.search(wardrobe, "red"))
    floors = {"dense_floor": 0.7, "lexical_floor": 0.4}
    async with serve(wardrobe.database_url, wardrobe.qdrant_url, wardrobe.encoder_target, **floors) as stub:
        request = pb.SearchCandidatesRequest(catalog=wardrobe.catalog, query="red")
        reply = await stub.SearchCandidates(request, timeout=shops.SECONDS)
    assert "kettle" not in shops.ids_of(reply)
    assert reply.result_set.size == 3


async def test_similar_products_come_without_the_product_and_what_is_excluded(wardrobe):
    reply = await similar(wardrobe, "hat")
    assert set(shops.ids_of(reply)) in ({"shirt-s", "sock"}, {"shirt-l", "sock"})
    assert reply.result_set.size == 2
    assert reply.index_version == f"{wardrobe.catalog}.1"
    assert reply.found[0].candidate.scores.HasField("cosine")
    reply = await similar(wardrobe, "hat", excluded_product_ids=["shirt-l"], limit=5, variants=SEPARATE)
    assert shops.ids_of(reply) == ["sock"]


async def test_a_bad_request_for_similar_products_is_refused(wardrobe):
    code, reason, _ = await refused(similar(wardrobe, "gone"))
    assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "PRODUCT_NOT_INDEXED")
    code, _, fields = await refused(similar(wardrobe, "", limit=-1, excluded_product_ids=["a"] * 501))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    expected = {"product_id": "REQUIRED", "limit": "OUT_OF_RANGE", "excluded_product_ids": "TOO_MANY"}
    assert fields == expected


async def test_similar_products_of_one_that_waits_for_the_encoder_are_found_by_words(wardrobe):
    wardrobe.encoder.hang = True
    await shops.upsert(wardrobe, shops.product("cap", "red cap"), searchable=False)

    async def is_indexed():
        with suppress(grpc.aio.AioRpcError):
            return bool((await similar(wardrobe, "cap")).found)
        return False

    await shops.eventually(is_indexed)
    reply = await similar(wardrobe, "cap")
    assert shops.kinds(reply) == [(degradation_pb2.DEGRADATION_KIND_LEXICAL_ONLY, "retrieval", "VECTOR_NOT_THERE_YET")]


def declared(name, kind, unit=""):
    uses = [settings_pb.ATTRIBUTE_USE_FILTERABLE, settings_pb.ATTRIBUTE_USE_FACETABLE]
    return settings_pb.AttributeDeclaration(name=name, type=kind, unit=unit, uses=uses)


async def declare(shop, *attributes):
    """Declares attributes and waits until searches go by them."""
    wanted = settings_pb.CatalogSettings(attributes=attributes)
    update = settings_rpc.UpdateCatalogSettingsRequest(catalog=shop.catalog, settings=wanted)
    made = (await shop.stub.settings.UpdateCatalogSettings(update, timeout=shops.SECONDS)).settings.version
    specs = [Spec(field=f"attributes.{each.name}") for each in attributes]

    async def in_force():
        get = settings_rpc.GetCatalogSettingsRequest(catalog=shop.catalog, version=made)
        state = (await shop.stub.settings.GetCatalogSettings(get, timeout=shops.SECONDS)).settings.state
        if state != settings_pb.CATALOG_SETTINGS_STATE_IN_FORCE:
            return False
        with suppress(grpc.aio.AioRpcError):
            await shops.search(shop, "milk", facets=specs)
            return True
        return False

    await shops.eventually(in_force)


async def test_declared_attributes_are_filtered_and_counted_in_their_unit(shop):
    cup, mug = shops.product("cup", "milk cup"), shops.product("mug", "milk mug")
    cup.attributes["width"].numbers.append(80)
    cup.attributes["width"].unit = "mm"
    mug.attributes["width"].numbers.append(11)
    mug.attributes["glazed"].flag = True
    await shops.upsert(shop, cup, mug, shops.product("milk", "milk"))
    width = declared("width", settings_pb.ATTRIBUTE_TYPE_NUMBER, "cm")
    await declare(shop, width, declared("glazed", settings_pb.ATTRIBUTE_TYPE_BOOLEAN))
    condition_of = filter_pb2.AttributeCondition
    for condition, expected in (
        (condition_of(name="width", range=Range(min=0.07, max=0.08, unit="m")), ["cup"]),
        (condition_of(name="width", range=Range(min=10)), ["mug"]),
        (condition_of(name="glazed", flag=True), ["mug"]),
        (condition_of(name="glazed", flag=False), []),
    ):
        found = await shops.search(shop, "milk", filter=Filter(attributes=[condition]))
        assert shops.ids_of(found) == expected
    wrong = condition_of(name="width", range=Range(min=1, unit="kg"))
    _, _, fields = await refused(shops.search(shop, "milk", filter=Filter(attributes=[wrong])))
    assert fields == {"filter.attributes[0].range.unit": "WRONG_UNIT"}
    specs = [Spec(field="attributes.width", ranges=[Range(max=100, unit="mm")]), Spec(field="attributes.glazed")]
    facet, glazed = (await shops.search(shop, "milk", facets=specs)).result_set.facets
    assert (facet.observed.min, facet.observed.max, facet.observed.unit) == (8, 11, "cm")
    assert [(r.range.unit, r.count) for r in facet.ranges] == [("mm", 1)]
    assert (facet.missing_count, [(v.value, v.count) for v in glazed.values]) == (1, [("true", 1)])


async def test_no_search_of_a_filled_catalogue_makes_the_service_fail(wardrobe):
    searches = samples(pb.SearchCandidatesRequest) + samples(pb.SearchCandidatesRequest)
    for data in searches:
        request = pb.SearchCandidatesRequest.FromString(data)
        request.catalog, request.query = wardrobe.catalog, "red shirt"
        await answered(wardrobe.stub.SearchCandidates(request, timeout=5))
    for data in samples(pb.FindSimilarProductsRequest):
        request = pb.FindSimilarProductsRequest.FromString(data)
        request.catalog, request.product_id = wardrobe.catalog, "hat"
        await answered(wardrobe.stub.FindSimilarProducts(request, timeout=5))


async def answered(call):
    with suppress(grpc.aio.AioRpcError):
        await call
    assert await call.code() not in FAULTS
