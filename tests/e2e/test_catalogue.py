"""A shop's catalogue through the gateway of a running stack: attributes, variants, regions, prices, pages."""

import asyncio
from collections import Counter

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.contract.services import NAMES, services
from tests.e2e.shoes import DECLARATIONS, SHOES, groups, shown
from tests.refusals import refusal
from tests.stacks import gateway_channel
from zhiyin.common.v1 import catalog_settings_pb2 as settings_pb
from zhiyin.common.v1 import product_pb2, write_pb2
from zhiyin.common.v1 import result_set_pb2 as rs
from zhiyin.gateway.v1 import catalog_settings_service_pb2 as catalog_pb
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1 import index_admin_service_pb2 as index_pb
from zhiyin.gateway.v1.catalog_settings_service_pb2_grpc import CatalogSettingsServiceStub
from zhiyin.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from zhiyin.gateway.v1.index_admin_service_pb2_grpc import IndexAdminServiceStub

CATALOG, OTHER = "shoes", "shoes-too"
QUERY = "trail running shoe"
ALL = len(groups(SHOES))


async def put(stub, catalog, products):
    request = pb.UpsertProductsRequest(catalog=catalog, products=products, wait_until=write_pb2.WAIT_UNTIL_SEARCHABLE)
    reply = await stub.UpsertProducts(request, timeout=60)
    accepted = {write_pb2.WRITE_OUTCOME_CREATED, write_pb2.WRITE_OUTCOME_UPDATED, write_pb2.WRITE_OUTCOME_UNCHANGED}
    assert all(result.outcome in accepted for result in reply.results), reply
    assert not reply.degradations


async def declare(channel):
    """Declares the attributes and waits until they are in force."""
    settings = CatalogSettingsServiceStub(channel)
    wanted = settings_pb.CatalogSettings(attributes=DECLARATIONS)
    request = catalog_pb.UpdateCatalogSettingsRequest(catalog=CATALOG, settings=wanted)
    version = (await settings.UpdateCatalogSettings(request, timeout=20)).settings.version
    return settings, version


async def in_force(settings, version):
    request = catalog_pb.GetCatalogSettingsRequest(catalog=CATALOG, version=version)
    async with asyncio.timeout(60):
        while True:
            reply = await settings.GetCatalogSettings(request, timeout=10)
            if reply.settings.state == settings_pb.CATALOG_SETTINGS_STATE_IN_FORCE:
                return
            await asyncio.sleep(0.2)


@pytest.fixture(scope="module")
def shop(stack):
    """The stack with the two catalogues in it."""

    async def fill():
        async with gateway_channel(stack) as channel:
            stub = GatewayServiceStub(channel)
            settings, version = await declare(channel)
            await put(stub, CATALOG, [shoe.product() for shoe in SHOES])
            await put(
                stub, OTHER, [product_pb2.Product(id=shoe.id, title="Trail running shoe, too") for shoe in SHOES[:5]]
            )
            await in_force(settings, version)

    asyncio.run(fill())
    return stack


@pytest.fixture
async def shoes(shop):
    async with gateway_channel(shop) as channel:
        yield GatewayServiceStub(channel)


def search(**fields):
    return pb.SearchRequest(**{"catalog": CATALOG, "query": QUERY, "region": "de", "page_size": 100, **fields})


async def found(stub, **fields):
    reply = await stub.Search(search(**fields), timeout=20)
    return [result.product.id for result in reply.results]


async def all_pages(method, request, size):
    pages = []
    while not pages or pages[-1].next_page_token:
        request.page_size, request.page_token = size, pages[-1].next_page_token if pages else ""
        pages.append(await method(request, timeout=20))
    return pages


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"name": "size", "range": {"min": 41, "max": 43}}, lambda shoe: shoe.size == 42),
        ({"name": "weight", "range": {"max": 0.3, "unit": "kg"}}, lambda shoe: shoe.grams <= 300),
        ({"name": "颜色", "texts": {"values": ["red"]}}, lambda shoe: shoe.colour == "red"),
        ({"name": "waterproof", "flag": True}, lambda shoe: shoe.waterproof),
    ],
    ids=["number", "number with a unit", "text", "boolean"],
)
async def test_a_filter_on_a_declared_attribute_finds_exactly_the_variants_that_have_it(shoes, condition, holds):
    ids = await found(shoes, filter={"attributes": [condition]}, variants=rs.VARIANT_MODE_SEPARATE)
    assert sorted(ids) == [shoe.id for shoe in SHOES if holds(shoe)]


async def test_groups_of_conditions_combine_as_any_and_none(shoes):
    either = [{"brands": ["Alpen"]}, {"attributes": [{"name": "waterproof", "flag": True}]}]
    without = [{"attributes": [{"name": "size", "range": {"min": 44}}]}]
    ids = await found(shoes, filter={"any": either, "none": without}, variants=rs.VARIANT_MODE_SEPARATE)
    assert sorted(ids) == [s.id for s in SHOES if (s.brand == "Alpen" or s.waterproof) and s.size != 44]


async def test_prices_are_those_of_the_region_that_was_asked_for(shoes):
    for region, currency, price in (("de", "EUR", lambda s: s.euros()), ("us", "USD", lambda s: s.dollars())):
        low, high = ({"currency_code": currency, "units": units} for units in (52, 96))
        ids = await found(
            shoes, region=region, filter={"price": {"min": low, "max": high}}, variants=rs.VARIANT_MODE_SEPARATE
        )
        assert sorted(ids) == [shoe.id for shoe in SHOES if 52 <= price(shoe) <= 96]
    nowhere = {"price": {"min": {"currency_code": "EUR", "units": 1}}}
    assert await found(shoes, region="fr", filter=nowhere) == []


async def test_an_attribute_that_is_not_declared_is_refused_by_its_path(shoes):
    attributes = [{"name": "waterproof", "flag": True}, {"name": "heel", "flag": True}]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await found(shoes, filter={"any": [{"attributes": attributes}]})
    told = refusal(caught.value)
    assert told.code is grpc.StatusCode.INVALID_ARGUMENT
    assert told.fields == {"filter.any[0].attributes[1].name": "NOT_FILTERABLE"}


async def test_facets_count_what_the_list_shows(shoes):
    facets = [
        {"field": "brand"},
        {"field": "attributes.颜色"},
        {"field": "attributes.waterproof"},
        {"field": "price", "ranges": [{"max": 54}, {"min": 54}]},
    ]
    reply = await shoes.Search(search(facets=facets), timeout=20)
    brand, colour, waterproof, price = reply.result_set.facets
    assert reply.result_set.size == ALL
    for facet, value in (
        (brand, lambda shoe: shoe.brand),
        (colour, lambda shoe: shoe.colour),
        (waterproof, lambda shoe: str(shoe.waterproof).lower()),
    ):
        expected = Counter(value(shoe) for shoe in SHOES if shoe.size == 40)
        assert {entry.value: entry.count for entry in facet.values} == expected
    assert price.currency_code == "EUR"
    assert [entry.count for entry in price.ranges] == [
        len(groups(shoe for shoe in SHOES if shoe.euros() < 54)),
        len(groups(shoe for shoe in SHOES if shoe.euros() >= 54)),
    ]


@pytest.mark.parametrize(
    ("order", "region", "key"),
    [
        (rs.SORT_ORDER_PRICE_ASCENDING, "de", lambda shoe: shoe.euros()),
        (rs.SORT_ORDER_PRICE_DESCENDING, "de", lambda shoe: -shoe.euros()),
        (rs.SORT_ORDER_PRICE_ASCENDING, "us", lambda shoe: shoe.dollars()),
    ],
    ids=["cheapest", "dearest", "cheapest elsewhere"],
)
async def test_a_sorted_list_is_that_of_the_price_with_ties_by_id_page_by_page(shoes, order, region, key):
    pages = await all_pages(shoes.Search, search(order=order, region=region), 5)
    results = [result for page in pages for result in page.results]
    assert [result.product.id for result in results] == shown(SHOES, key)
    assert [result.position for result in results] == list(range(1, ALL + 1))
    assert {result.other_variant_count for result in results} == {2}
    assert {result.explanation.scorer for result in results} == {"sort_order"}
    assert not any(page.degradations for page in pages)


async def test_pages_by_relevance_are_disjoint_and_complete_and_show_one_variant_of_each_product(shoes):
    pages = await all_pages(shoes.Search, search(), 5)
    assert [len(page.results) for page in pages] == [5, 5, 2]
    results = [result for page in pages for result in page.results]
    assert sorted(result.product.primary_product_id for result in results) == sorted(groups(SHOES))
    assert {result.other_variant_count for result in results} == {2}
    separate = await found(shoes, variants=rs.VARIANT_MODE_SEPARATE)
    assert sorted(separate) == [shoe.id for shoe in SHOES]


async def test_products_that_are_equal_in_everything_come_by_id_every_time(shoes):
    twins = [product_pb2.Product(id=f"twin-{number}", title="Identical twin kettle") for number in (3, 1, 2)]
    await put(shoes, "twins", twins)
    for order in (rs.SORT_ORDER_RELEVANCE, rs.SORT_ORDER_PRICE_ASCENDING, rs.SORT_ORDER_NEWEST):
        for _ in range(3):
            ids = await found(shoes, catalog="twins", query="twin kettle", order=order)
            assert ids == ["twin-1", "twin-2", "twin-3"]


async def test_a_filter_applies_to_variants_and_the_others_are_not_counted(shoes):
    size = {"attributes": [{"name": "size", "range": {"min": 42, "max": 44}}]}
    reply = await shoes.Search(search(filter=size, order=rs.SORT_ORDER_PRICE_ASCENDING), timeout=20)
    fitting = [shoe for shoe in SHOES if shoe.size >= 42]
    assert [result.product.id for result in reply.results] == shown(fitting, lambda shoe: shoe.euros())
    assert {result.other_variant_count for result in reply.results} == {1}


async def test_a_changed_price_is_found_by_a_filter_and_shown(shoes):
    product_id = SHOES[0].id
    cheap = {"price": {"max": {"currency_code": "EUR", "units": 10}}}
    assert await found(shoes, filter=cheap) == []

    async def price(units):
        offer = {"region": "de", "price": {"currency_code": "EUR", "units": units}}
        request = pb.UpdateOffersRequest(
            catalog=CATALOG,
            updates=[{"product_id": product_id, "offer": offer}],
            update_mask={"paths": ["price"]},
            wait_until=write_pb2.WAIT_UNTIL_SEARCHABLE,
        )
        reply = await shoes.UpdateOffers(request, timeout=20)
        assert [result.outcome for result in reply.results] == [write_pb2.WRITE_OUTCOME_UPDATED]
        assert not reply.degradations

    await price(9)
    reply = await shoes.Search(search(filter=cheap), timeout=20)
    (result,) = reply.results
    assert (result.product.id, result.product.offer.price.units) == (product_id, 9)
    assert result.product.offer.availability == product_pb2.AVAILABILITY_IN_STOCK
    assert await found(shoes, filter=cheap, region="us") == []
    await price(SHOES[0].euros())
    assert await found(shoes, filter=cheap) == []


async def test_a_filter_that_leaves_nothing_is_empty_and_relaxed_only_when_asked_and_told(shoes):
    nothing = {"brands": ["Alpen"], "price": {"max": {"currency_code": "EUR", "units": 1}}}
    strict = await shoes.Search(search(filter=nothing), timeout=20)
    assert (list(strict.results), strict.result_set.size, strict.total_size) == ([], 0, 0)
    assert not strict.result_set.relaxed_fields
    relaxed = await shoes.Search(search(filter=nothing, relaxation=rs.RELAXATION_MODE_RELAX_FILTER), timeout=20)
    assert list(relaxed.result_set.relaxed_fields) == ["filter.price"]
    assert {result.product.brand for result in relaxed.results} == {"Alpen"}


async def test_similar_products_leave_out_the_product_its_variants_and_those_excluded(shoes):
    request = pb.ListSimilarProductsRequest(
        catalog=CATALOG, product_id=SHOES[0].id, region="de", excluded_product_ids=["shoe-02-42"]
    )
    pages = await all_pages(shoes.ListSimilarProducts, request, 4)
    results = [result for page in pages for result in page.results]
    assert len(results) == len({result.product.primary_product_id for result in results}) == pages[0].total_size
    assert {result.product.primary_product_id for result in results} <= groups(SHOES) - {"shoe-01", "shoe-02"}
    assert len(results) > 5
    assert all(result.product.offer.price.currency_code == "EUR" for result in results)
    assert not any(page.degradations for page in pages)


async def test_a_catalogue_is_listed_page_by_page_and_products_are_read_together(shoes):
    pages = await all_pages(shoes.ListProducts, pb.ListProductsRequest(catalog=CATALOG), 7)
    assert [product.id for page in pages for product in page.products] == sorted(shoe.id for shoe in SHOES)
    variants = await shoes.ListProducts(
        pb.ListProductsRequest(catalog=CATALOG, primary_product_id="shoe-03", view=product_pb2.PRODUCT_VIEW_ID),
        timeout=20,
    )
    assert [product.id for product in variants.products] == ["shoe-03-40", "shoe-03-42", "shoe-03-44"]
    assert not any(product.title for product in variants.products)
    wanted = ["shoe-05-44", "shoe-02-40"]
    batch = await shoes.BatchGetProducts(pb.BatchGetProductsRequest(catalog=CATALOG, product_ids=wanted), timeout=20)
    assert [product.id for product in batch.products] == wanted
    assert [len(product.offers) for product in batch.products] == [2, 2]


async def test_two_catalogues_with_the_same_ids_never_mix(shoes):
    few = {shoe.id for shoe in SHOES[:5]}
    other = await shoes.Search(search(catalog=OTHER, region=""), timeout=20)
    assert {result.product.id for result in other.results} == few
    assert {result.product.title for result in other.results} == {"Trail running shoe, too"}
    similar = pb.ListSimilarProductsRequest(catalog=OTHER, product_id=SHOES[0].id, page_size=100)
    reply = await shoes.ListSimilarProducts(similar, timeout=20)
    assert {result.product.id for result in reply.results} == few - {SHOES[0].id}
    listed = await shoes.ListProducts(pb.ListProductsRequest(catalog=OTHER), timeout=20)
    assert {product.id for product in listed.products} == few
    kept = await shoes.GetProduct(pb.GetProductRequest(catalog=CATALOG, product_id=SHOES[0].id), timeout=20)
    assert kept.product.title == "Trail running shoe, model 1"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await found(shoes, catalog=OTHER, filter={"attributes": [{"name": "waterproof", "flag": True}]})
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_operator_sees_the_version_that_answers_and_that_it_equals_the_catalogue(shop):
    async with gateway_channel(shop) as channel:
        admin = IndexAdminServiceStub(channel)
        version = (await admin.GetIndexVersion(index_pb.GetIndexVersionRequest(catalog=CATALOG), timeout=20)).version
        verify = index_pb.VerifyIndexVersionRequest(catalog=CATALOG)
        findings = []
        while not findings or verify.page_token:
            reply = await admin.VerifyIndexVersion(verify)
            findings.append(reply.findings)
            verify.page_token = reply.next_page_token
    assert (version.product_count, version.pending_count, version.failed_count) == (len(SHOES), 0, 0)
    assert sum(f.checked_count for f in findings) >= len(SHOES)
    assert not any(f.missing_count or f.extra_count or f.stale_count for f in findings)


@pytest.mark.parametrize(
    ("name", "service"), [(name, service.full_name) for name in NAMES for service in services(name)]
)
async def test_every_service_of_every_process_says_by_its_name_that_it_is_serving(stack, name, service):
    async with grpc.aio.insecure_channel(stack.addresses[name]) as channel:
        reply = await HealthStub(channel).Check(HealthCheckRequest(service=service), timeout=10)
    assert reply.status == HealthCheckResponse.SERVING
