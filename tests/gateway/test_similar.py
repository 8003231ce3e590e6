import asyncio

import grpc
import pytest

from services.common.errors import InvalidArgument, NotFound, Violation, invalid
from tests.gateway.pages import all_pages, ids, numbered, refused, score_of
from zhiyin.common.v1 import degradation_pb2, result_set_pb2
from zhiyin.feedback.v1 import feedback_service_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb


async def test_similar_products_come_in_the_rankers_order_with_explanations_and_without_the_product(gateway):
    stub = await gateway.start()
    reply = await stub.ListSimilarProducts(pb.ListSimilarProductsRequest(product_id="p044", page_size=3), timeout=10)
    assert ids([reply]) == ["p045", "p043", "p042"]
    assert [result.position for result in reply.results] == [1, 2, 3]
    assert reply.results[0].product.title == "Product 45"
    assert (reply.total_size, reply.policy) == (44, "default@abc")
    assert reply.attribution_token
    assert not reply.degradations
    assert all(score_of(result.explanation) == result.score for result in reply.results)


async def test_retrieval_is_asked_for_what_the_caller_wrote(gateway):
    stub = await gateway.start(max_places=77)
    request = pb.ListSimilarProductsRequest(
        catalog="cn",
        product_id="p001",
        filter={"brands": ["蒙牛"]},
        region="beijing",
        policy="article",
        excluded_product_ids=["p002", "p003"],
        variants=result_set_pb2.VARIANT_MODE_SEPARATE,
    )
    reply = await stub.ListSimilarProducts(request, timeout=10)
    (sent,) = gateway.retrieval.requests
    assert (sent.catalog, sent.product_id, sent.region, sent.limit) == ("cn", "p001", "beijing", 77)
    assert (sent.filter, sent.variants) == (request.filter, request.variants)
    assert list(sent.excluded_product_ids) == ["p002", "p003"]
    assert not {"p001", "p002", "p003"} & set(ids([reply]))
    assert [asked.policy for asked in gateway.ranker.requests] == ["article"]


async def test_pages_are_disjoint_and_complete_while_products_change(gateway):
    gateway.retrieval.other_variant_counts = {"p003": 4}
    stub = await gateway.start()
    request = pb.ListSimilarProductsRequest(product_id="p001", page_size=10)
    first = await stub.ListSimilarProducts(request, timeout=10)
    del gateway.retrieval.titles["p030"]
    gateway.retrieval.titles["new"] = "New"
    pages = [first]
    while pages[-1].next_page_token:
        request.page_token = pages[-1].next_page_token
        pages.append(await stub.ListSimilarProducts(request, timeout=10))
    assert ids(pages) == numbered(number for number in range(45, 1, -1) if number != 30)
    results = [result for page in pages for result in page.results]
    assert {r.product.id: r.other_variant_count for r in results if r.other_variant_count} == {"p003": 4}
    assert len(gateway.ranker.requests) == 1
    assert len({page.attribution_token.split(".")[0] for page in pages}) == 1


async def test_a_token_holds_for_its_own_method_and_arguments_only(gateway):
    stub = await gateway.start()
    # Their requests are the same bytes: field 2 is the query of one and the product of the other.
    similar = pb.ListSimilarProductsRequest(product_id="p001", page_size=10)
    search = pb.SearchRequest(query="p001", page_size=10)
    similar_token = (await stub.ListSimilarProducts(similar, timeout=10)).next_page_token
    search_token = (await stub.Search(search, timeout=10)).next_page_token
    search.page_token, similar.page_token = similar_token, search_token
    changed = pb.ListSimilarProductsRequest(product_id="p002", page_token=similar_token)
    for call in (
        stub.Search(search, timeout=10),
        stub.ListSimilarProducts(similar, timeout=10),
        stub.ListSimilarProducts(changed, timeout=10),
    ):
        assert (await refused(call)).fields == {"page_token": "INVALID_PAGE_TOKEN"}


async def test_every_bad_field_is_named_with_its_limit(gateway):
    stub = await gateway.start()
    request = pb.ListSimilarProductsRequest(catalog="No Such", visitor_id="v" * 129, policy="p" * 65, page_size=-3)
    told = await refused(stub.ListSimilarProducts(request, timeout=10))
    assert told.fields == {
        "product_id": "REQUIRED",
        "visitor_id": "TOO_LONG",
        "policy": "TOO_LONG",
        "page_size": "OUT_OF_RANGE",
        "catalog": "INVALID_FORMAT",
    }
    assert not gateway.retrieval.requests


async def test_how_long_a_regions_name_may_be_is_retrievals_to_say(gateway):
    stub = await gateway.start()
    request = pb.ListSimilarProductsRequest(product_id="p001", region="r" * 100)
    await stub.ListSimilarProducts(request, timeout=10)
    assert gateway.retrieval.requests[-1].region == "r" * 100
    gateway.retrieval.error = invalid("region", "must have at most 64 characters", "TOO_LONG")
    told = await refused(stub.ListSimilarProducts(request, timeout=10))
    assert told.code is grpc.StatusCode.INVALID_ARGUMENT
    assert told.fields == {"region": "TOO_LONG"}


async def test_how_long_a_policys_name_may_be_is_a_setting(gateway):
    stub = await gateway.start(max_policy_characters=70)
    for length, expected in ((70, None), (71, {"policy": "TOO_LONG"})):
        request = pb.ListSimilarProductsRequest(product_id="p001", policy="p" * length)
        if expected is None:
            await stub.ListSimilarProducts(request, timeout=10)
        else:
            assert (await refused(stub.ListSimilarProducts(request, timeout=10))).fields == expected


async def test_a_product_that_is_not_in_the_index_is_not_found(gateway):
    stub = await gateway.start()
    told = await refused(stub.ListSimilarProducts(pb.ListSimilarProductsRequest(product_id="nope"), timeout=10))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "PRODUCT_NOT_INDEXED")


async def test_an_unknown_policy_is_the_callers_fault(gateway):
    gateway.ranker.error = NotFound("no such policy", reason="POLICY_NOT_FOUND")
    stub = await gateway.start()
    request = pb.ListSimilarProductsRequest(product_id="p001", policy="nope")
    told = await refused(stub.ListSimilarProducts(request, timeout=10))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "POLICY_NOT_FOUND")


async def test_retrievals_refusal_reaches_the_caller_with_its_fields(gateway):
    gateway.retrieval.error = InvalidArgument([Violation("excluded_product_ids", "at most 500", "TOO_MANY")])
    stub = await gateway.start()
    told = await refused(stub.ListSimilarProducts(pb.ListSimilarProductsRequest(product_id="p001"), timeout=10))
    assert told.fields == {"excluded_product_ids": "TOO_MANY"}


async def test_without_the_ranker_the_order_is_retrievals_and_nobody_misses_feedback(gateway):
    gateway.retrieval.degradations = [
        degradation_pb2.Degradation(kind=degradation_pb2.DEGRADATION_KIND_LEXICAL_ONLY, component="index", reason="X")
    ]
    stub = await gateway.start(without=["ranker", "feedback"])
    request = pb.ListSimilarProductsRequest(product_id="p001", visitor_id="v1")
    pages = await all_pages(stub.ListSimilarProducts, request)
    assert ids(pages) == numbered(range(2, 46))
    assert {(d.kind, d.component) for d in pages[0].degradations} == {
        (degradation_pb2.DEGRADATION_KIND_LEXICAL_ONLY, "index"),
        (degradation_pb2.DEGRADATION_KIND_NOT_RANKED, "ranker"),
    }


@pytest.mark.parametrize("fault", ["away", "hangs"])
async def test_without_retrieval_it_is_unavailable_with_a_retry_hint(gateway, fault):
    gateway.retrieval.hang = fault == "hangs"
    stub = await gateway.start(without=["retrieval"] if fault == "away" else [], reply_reserve_seconds=0.3)
    told = await refused(stub.ListSimilarProducts(pb.ListSimilarProductsRequest(product_id="p001"), timeout=1.5))
    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert told.retry_seconds > 0


async def test_a_page_is_recorded_with_its_own_surface(gateway):
    stub = await gateway.start()
    request = pb.ListSimilarProductsRequest(product_id="p001", visitor_id="v1", page_size=3)
    reply = await stub.ListSimilarProducts(request, timeout=10)
    async with asyncio.timeout(10):
        await gateway.feedback.recorded.wait()
    (impression,) = gateway.feedback.impressions
    assert impression.surface == feedback_service_pb2.SURFACE_SIMILAR_PRODUCTS
    assert impression.visitor_id == "v1"
    assert [product.product_id for product in impression.products] == [r.product.id for r in reply.results]
