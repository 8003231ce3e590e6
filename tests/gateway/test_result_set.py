"""Facets, sort orders, relaxation and variants of a search, as the gateway hands them on."""

import asyncio

import pytest

from services.common.errors import InvalidArgument, Violation
from tests.gateway.pages import all_pages, ids, numbered, refused, score_of
from zhiyin.common.v1 import result_set_pb2 as rs
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

SORTED = [
    f"p{tens}{ones}"
    for ones in range(10)
    for tens in ("00", "01", "02", "03", "04")
    if 1 <= int(tens + str(ones)) <= 45
]
"""The fake's order of every sort: by the id read backwards."""


async def test_retrieval_is_asked_for_facets_order_relaxation_and_variants(gateway):
    stub = await gateway.start()
    request = pb.SearchRequest(
        query="milk",
        facets=[
            {"field": "brand", "limit": 7, "scope": rs.FACET_SCOPE_WITHOUT_OWN_FILTER},
            {"field": "price", "ranges": [{"min": 1, "max": 5}]},
        ],
        order=rs.SORT_ORDER_PRICE_DESCENDING,
        relaxation=rs.RELAXATION_MODE_RELAX_FILTER,
        variants=rs.VARIANT_MODE_SEPARATE,
    )
    await stub.Search(request, timeout=10)
    (sent,) = gateway.retrieval.requests
    assert list(sent.facets) == list(request.facets)
    assert (sent.order, sent.relaxation, sent.variants) == (request.order, request.relaxation, request.variants)


async def test_the_first_page_tells_the_result_set_and_the_others_do_not(gateway):
    stub = await gateway.start()
    first, *others = await all_pages(stub.Search, pb.SearchRequest(query="milk", facets=[{"field": "brand"}]))
    assert first.result_set.size == 45
    assert [(facet.field, facet.distinct_count) for facet in first.result_set.facets] == [("brand", 3)]
    assert len(others) == 4
    assert not any(page.HasField("result_set") for page in others)


async def test_a_filter_that_leaves_nothing_is_an_empty_result_set_and_said_so(gateway):
    gateway.retrieval.titles = {}
    stub = await gateway.start()
    reply = await stub.Search(pb.SearchRequest(query="milk", filter={"brands": ["none"]}), timeout=10)
    assert reply.HasField("result_set")
    assert (reply.result_set.size, list(reply.results), list(reply.result_set.relaxed_fields)) == (0, [], [])


async def test_what_was_relaxed_is_told_back(gateway):
    stub = await gateway.start()
    request = pb.SearchRequest(query="milk", relaxation=rs.RELAXATION_MODE_RELAX_FILTER)
    reply = await stub.Search(request, timeout=10)
    assert list(reply.result_set.relaxed_fields) == ["filter.price"]


@pytest.mark.parametrize("order", [rs.SORT_ORDER_UNSPECIFIED, rs.SORT_ORDER_RELEVANCE])
async def test_relevance_is_the_rankers(gateway, order):
    stub = await gateway.start()
    reply = await stub.Search(pb.SearchRequest(query="milk", order=order), timeout=10)
    assert ids([reply]) == numbered(range(45, 25, -1))
    assert len(gateway.ranker.requests) == 1


SORTS = [value.number for value in rs.SortOrder.DESCRIPTOR.values if value.number > rs.SORT_ORDER_RELEVANCE]


@pytest.mark.parametrize("order", SORTS, ids=rs.SortOrder.Name)
async def test_an_order_that_the_shopper_chose_is_kept_and_nothing_is_missing_without_a_ranker(gateway, order):
    stub = await gateway.start(without=["ranker"])
    pages = await all_pages(stub.Search, pb.SearchRequest(query="milk", order=order))
    assert ids(pages) == SORTED
    results = [result for page in pages for result in page.results]
    assert [result.position for result in results] == list(range(1, 46))
    assert [result.score for result in results] == [1 / position for position in range(1, 46)]
    assert not any(page.degradations or page.policy for page in pages)
    for result in results:
        assert result.explanation.scorer == "sort_order"
        assert [factor.name for factor in result.explanation.factors] == ["reciprocal_position"]
        assert score_of(result.explanation) == result.score


async def test_a_sorted_list_is_recorded_like_any_other_without_a_policy(gateway):
    stub = await gateway.start()
    request = pb.SearchRequest(query="milk", order=rs.SORT_ORDER_NEWEST, page_size=3, policy="default")
    await stub.Search(request, timeout=10)
    async with asyncio.timeout(10):
        await gateway.feedback.recorded.wait()
    (impression,) = gateway.feedback.impressions
    assert [(p.product_id, p.position) for p in impression.products] == list(zip(SORTED[:3], (1, 2, 3), strict=True))
    assert impression.policy == ""
    assert not gateway.ranker.requests


@pytest.mark.parametrize("order", [rs.SORT_ORDER_RELEVANCE, rs.SORT_ORDER_BEST_RATED])
async def test_every_page_shows_how_many_other_variants_there_are(gateway, order):
    counts = {"p001": 1, "p020": 2, "p045": 300}
    gateway.retrieval.other_variant_counts = counts
    stub = await gateway.start()
    pages = await all_pages(stub.Search, pb.SearchRequest(query="milk", order=order))
    shown = {r.product.id: r.other_variant_count for page in pages for r in page.results if r.other_variant_count}
    assert shown == counts


async def test_retrievals_refusal_of_a_facet_or_a_group_names_the_callers_field(gateway):
    gateway.retrieval.error = InvalidArgument(
        [
            Violation("facets[0].field", "must be declared FACETABLE", "NOT_FACETABLE"),
            Violation("filter.any[0].attributes[1].name", "must be declared FILTERABLE", "NOT_FILTERABLE"),
        ]
    )
    stub = await gateway.start()
    told = await refused(stub.Search(pb.SearchRequest(query="milk"), timeout=10))
    assert told.fields == {"facets[0].field": "NOT_FACETABLE", "filter.any[0].attributes[1].name": "NOT_FILTERABLE"}
    assert told.descriptions["facets[0].field"] == "must be declared FACETABLE"
