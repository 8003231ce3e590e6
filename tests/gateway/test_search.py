import asyncio
import base64
import hashlib

import grpc
import pytest

from services.common.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable, Violation, invalid
from services.common.settings import SigningSettings
from services.gateway.adapters.signing import TokenSigner
from tests.gateway.conftest import KEY
from tests.gateway.pages import all_pages, ids, refused, score_of
from zhiyin.common.v1 import degradation_pb2, result_set_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

LIST_OF_THE_RELEASE_BEFORE = base64.b64decode(
    "eAE1jjEKwzAMRd2raPaQZPTS3qNkUBwFDIplbLlQStaes0epSKmW//4DCV3ezrkXoGpNS9ckGQLgCB6KcIpPaytt2FlvuETTLUqlanqTundGUxl3ahDuUInpgTkSzB"
    "6q8Gkn4yIt/W5PHlQUGYJRWs+1MgwjzIc9YvO5/vML9rcuYg=="
)
"""Made by its `frozen_list.pack`: one place, format 1."""


async def test_a_search_returns_the_rankers_order_with_product_score_and_explanation(gateway):
    stub = await gateway.start()
    reply = await stub.Search(pb.SearchRequest(query="milk", page_size=3), timeout=10)
    assert [result.product.id for result in reply.results] == ["p045", "p044", "p043"]
    assert [result.position for result in reply.results] == [1, 2, 3]
    assert reply.results[0].product.title == "Product 45"
    assert reply.total_size == 45
    assert reply.policy == "default@abc"
    assert reply.usage.tokens == 5
    assert not reply.degradations
    for result in reply.results:
        assert result.explanation.scorer == "formula"
        assert score_of(result.explanation) == result.score


async def test_retrieval_is_asked_for_what_the_caller_wrote(gateway):
    stub = await gateway.start(max_places=77)
    request = pb.SearchRequest(catalog="cn", query="牛奶", region="beijing")
    request.filter.brands.append("蒙牛")
    await stub.Search(request, timeout=10)
    (sent,) = gateway.retrieval.requests
    assert (sent.catalog, sent.query, sent.region, sent.limit) == ("cn", "牛奶", "beijing", 77)
    assert sent.filter == request.filter


async def test_pages_of_one_search_are_disjoint_complete_and_exact_to_the_last_bit(gateway):
    stub = await gateway.start()
    pages = await all_pages(stub.Search, pb.SearchRequest(query="milk"))
    assert ids(pages) == [f"p{number:03}" for number in range(45, 0, -1)]
    results = [result for page in pages for result in page.results]
    assert [result.position for result in results] == list(range(1, 46))
    assert all(score_of(result.explanation) == result.score for result in results)
    assert len(gateway.ranker.requests) == 1
    assert len({page.attribution_token.split(".")[0] for page in pages}) == 1


async def test_pages_stay_disjoint_and_complete_while_products_change(gateway):
    stub = await gateway.start()
    first = await stub.Search(pb.SearchRequest(query="milk", page_size=10), timeout=10)
    del gateway.retrieval.titles["p030"]
    gateway.retrieval.titles = {"new": "New", **gateway.retrieval.titles}
    seen = ids([first])
    token = first.next_page_token
    while token:
        page = await stub.Search(pb.SearchRequest(query="milk", page_size=10, page_token=token), timeout=10)
        seen += ids([page])
        token = page.next_page_token
    assert seen == [f"p{number:03}" for number in range(45, 0, -1) if number != 30]


async def test_any_replica_serves_the_next_page(gateway):
    first = await gateway.start()
    second = await gateway.replica()
    page = await first.Search(pb.SearchRequest(query="milk", page_size=10), timeout=10)
    request = pb.SearchRequest(query="milk", page_size=10, page_token=page.next_page_token)
    assert ids([await second.Search(request, timeout=10)]) == [f"p{number:03}" for number in range(35, 25, -1)]


async def test_a_token_survives_one_rotation_of_the_key(gateway):
    old_key, new_key = "the old key, at least 32 characters", "the new key, at least 32 characters"
    old = await gateway.start(signing_key=old_key)
    page = await old.Search(pb.SearchRequest(query="milk", page_size=10), timeout=10)
    request = pb.SearchRequest(query="milk", page_size=10, page_token=page.next_page_token)
    rotated = await gateway.replica(signing_key=new_key, previous_signing_key=old_key)
    assert ids([await rotated.Search(request, timeout=10)])[0] == "p035"
    rotated_twice = await gateway.replica(
        signing_key="the third key, at least 32 characters", previous_signing_key=new_key
    )
    told = await refused(rotated_twice.Search(request, timeout=10))
    assert told.fields == {"page_token": "INVALID_PAGE_TOKEN"}


async def test_the_page_size_may_change_and_nothing_else(gateway):
    stub = await gateway.start()
    page = await stub.Search(pb.SearchRequest(query="milk", page_size=10), timeout=10)
    token = page.next_page_token
    assert (
        len((await stub.Search(pb.SearchRequest(query="milk", page_size=7, page_token=token), timeout=10)).results) == 7
    )
    changed = [
        pb.SearchRequest(query="bread", page_token=token),
        pb.SearchRequest(query="milk", page_token=token, catalog="other"),
        pb.SearchRequest(query="milk", page_token=token, region="north"),
        pb.SearchRequest(query="milk", page_token=token, visitor_id="v"),
        pb.SearchRequest(query="milk", page_token=token, policy="other"),
        pb.SearchRequest(query="milk", page_token=token, filter={"brands": ["x"]}),
        pb.SearchRequest(query="milk", page_token=token, facets=[{"field": "brand"}]),
        pb.SearchRequest(query="milk", page_token=token, order=result_set_pb2.SORT_ORDER_NEWEST),
        pb.SearchRequest(query="milk", page_token=token, relaxation=result_set_pb2.RELAXATION_MODE_RELAX_FILTER),
        pb.SearchRequest(query="milk", page_token=token, variants=result_set_pb2.VARIANT_MODE_SEPARATE),
    ]
    for request in changed:
        told = await refused(stub.Search(request, timeout=10))
        assert told.code is grpc.StatusCode.INVALID_ARGUMENT
        assert told.fields == {"page_token": "INVALID_PAGE_TOKEN"}


@pytest.mark.parametrize("token", ["x", "a.b.c", "é", "." * 50, "AAAA.BBBB.CCCC"])
async def test_a_forged_token_is_an_invalid_argument(gateway, token):
    stub = await gateway.start()
    told = await refused(stub.Search(pb.SearchRequest(query="milk", page_token=token), timeout=10))
    assert told.fields == {"page_token": "INVALID_PAGE_TOKEN"}


async def test_an_attribution_token_is_no_page_token(gateway):
    stub = await gateway.start()
    page = await stub.Search(pb.SearchRequest(query="milk"), timeout=10)
    told = await refused(stub.Search(pb.SearchRequest(query="milk", page_token=page.attribution_token), timeout=10))
    assert told.fields == {"page_token": "INVALID_PAGE_TOKEN"}


async def test_a_token_of_the_release_before_is_refused_and_the_reply_says_to_begin_again(gateway):
    stub = await gateway.start()
    request = pb.SearchRequest(query="milk")
    digest = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()[:16]
    signer = TokenSigner(SigningSettings(signing_key=KEY))
    request.page_token = signer.sign("page", digest + LIST_OF_THE_RELEASE_BEFORE)
    told = await refused(stub.Search(request, timeout=10))
    assert told.fields == {"page_token": "INVALID_PAGE_TOKEN"}
    assert "begin with the first page" in told.descriptions["page_token"]


async def test_page_size_zero_is_the_default_above_the_maximum_the_maximum_and_negative_refused(gateway):
    stub = await gateway.start(default_page_size=4, max_page_size=6)
    assert len((await stub.Search(pb.SearchRequest(query="milk"), timeout=10)).results) == 4
    assert len((await stub.Search(pb.SearchRequest(query="milk", page_size=500), timeout=10)).results) == 6
    told = await refused(stub.Search(pb.SearchRequest(query="milk", page_size=-1), timeout=10))
    assert told.fields == {"page_size": "OUT_OF_RANGE"}


async def test_every_bad_field_is_named_with_its_limit(gateway):
    stub = await gateway.start(max_query_characters=10)
    request = pb.SearchRequest(catalog="No Such", query="x" * 11, visitor_id="v" * 129, policy="p" * 65, page_size=-3)
    told = await refused(stub.Search(request, timeout=10))
    assert told.code is grpc.StatusCode.INVALID_ARGUMENT
    assert told.fields == {
        "query": "TOO_LONG",
        "visitor_id": "TOO_LONG",
        "policy": "TOO_LONG",
        "page_size": "OUT_OF_RANGE",
        "catalog": "INVALID_FORMAT",
    }
    assert "10 characters" in told.descriptions["query"]
    assert not gateway.retrieval.requests


async def test_how_long_a_regions_name_may_be_is_retrievals_to_say(gateway):
    stub = await gateway.start()
    request = pb.SearchRequest(query="milk", region="r" * 100)
    await stub.Search(request, timeout=10)
    assert gateway.retrieval.requests[-1].region == "r" * 100
    gateway.retrieval.error = invalid("region", "must have at most 64 characters", "TOO_LONG")
    told = await refused(stub.Search(request, timeout=10))
    assert told.code is grpc.StatusCode.INVALID_ARGUMENT
    assert told.fields == {"region": "TOO_LONG"}


async def test_how_long_a_policys_name_may_be_is_a_setting(gateway):
    stub = await gateway.start(max_policy_characters=70)
    for length, expected in ((70, None), (71, {"policy": "TOO_LONG"})):
        request = pb.SearchRequest(query="milk", policy="p" * length)
        if expected is None:
            await stub.Search(request, timeout=10)
        else:
            assert (await refused(stub.Search(request, timeout=10))).fields == expected


@pytest.mark.parametrize("query", ["", "   ", "\t\n"])
async def test_an_empty_query_is_refused(gateway, query):
    stub = await gateway.start()
    assert (await refused(stub.Search(pb.SearchRequest(query=query), timeout=10))).fields == {"query": "REQUIRED"}


async def test_no_candidates_is_an_empty_page_and_needs_no_ranker(gateway):
    gateway.retrieval.titles = {}
    stub = await gateway.start(without=["ranker"])
    reply = await stub.Search(pb.SearchRequest(query="milk"), timeout=10)
    assert (len(reply.results), reply.total_size, reply.next_page_token) == (0, 0, "")
    assert not reply.degradations


@pytest.mark.parametrize("fault", ["away", "refuses", "refuses what it was handed", "hangs"])
async def test_without_the_ranker_the_order_is_retrievals_and_the_reply_says_so(gateway, fault):
    if fault == "refuses":
        gateway.ranker.error = FailedPrecondition("no policy loaded", reason="NO_POLICY")
    elif fault == "refuses what it was handed":
        gateway.ranker.error = InvalidArgument([Violation("candidates[3].scores", "must be finite", "NOT_FINITE")])
    gateway.ranker.hang = fault == "hangs"
    stub = await gateway.start(without=["ranker"] if fault == "away" else [], ranker_seconds=0.5)
    pages = await all_pages(stub.Search, pb.SearchRequest(query="milk"))
    assert ids(pages) == [f"p{number:03}" for number in range(1, 46)]
    (degradation,) = pages[0].degradations
    assert degradation.kind == degradation_pb2.DEGRADATION_KIND_NOT_RANKED
    assert degradation.component == "ranker"
    assert degradation.reason
    assert pages[0].policy == ""
    first = pages[0].results[0]
    assert first.explanation.scorer == "retrieval_order"
    assert score_of(first.explanation) == first.score == 1.0


async def test_an_unknown_policy_is_the_callers_fault(gateway):
    gateway.ranker.error = NotFound("no such policy", reason="POLICY_NOT_FOUND")
    stub = await gateway.start()
    told = await refused(stub.Search(pb.SearchRequest(query="milk", policy="nope"), timeout=10))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "POLICY_NOT_FOUND")


@pytest.mark.parametrize("fault", ["away", "hangs"])
async def test_without_feedback_the_reply_is_not_personal_and_says_so(gateway, fault):
    gateway.feedback.hang = fault == "hangs"
    stub = await gateway.start(without=["feedback"] if fault == "away" else [], profile_seconds=0.05)
    reply = await stub.Search(pb.SearchRequest(query="milk", visitor_id="v1"), timeout=10)
    assert len(reply.results) == 20
    (degradation,) = reply.degradations
    assert degradation.kind == degradation_pb2.DEGRADATION_KIND_NOT_PERSONALISED
    assert degradation.component == "feedback"


async def test_nobodys_profile_is_asked_for_where_there_is_no_visitor(gateway):
    stub = await gateway.start(without=["feedback"])
    assert not (await stub.Search(pb.SearchRequest(query="milk"), timeout=10)).degradations


async def test_what_retrieval_had_to_do_without_is_passed_on(gateway):
    lexical_only = degradation_pb2.Degradation(
        kind=degradation_pb2.DEGRADATION_KIND_LEXICAL_ONLY, component="encoder", reason="ENCODER_UNAVAILABLE"
    )
    gateway.retrieval.degradations = [lexical_only]
    stub = await gateway.start()
    assert list((await stub.Search(pb.SearchRequest(query="milk"), timeout=10)).degradations) == [lexical_only]


async def test_without_retrieval_a_search_is_unavailable_with_a_retry_hint(gateway):
    stub = await gateway.start(without=["retrieval"])
    told = await refused(stub.Search(pb.SearchRequest(query="milk"), timeout=10))
    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert told.retry_seconds > 0


async def test_a_retrieval_that_hangs_is_unavailable_before_the_callers_time_is_over(gateway):
    gateway.retrieval.hang = True
    stub = await gateway.start(reply_reserve_seconds=0.3)
    told = await refused(stub.Search(pb.SearchRequest(query="milk"), timeout=1.5))
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "RETRIEVAL_TIMEOUT")
    assert told.retry_seconds > 0


async def test_retrievals_refusal_reaches_the_caller_with_its_fields(gateway):
    gateway.retrieval.error = InvalidArgument([Violation("filter.price", "needs min or max", "REQUIRED")])
    stub = await gateway.start()
    told = await refused(stub.Search(pb.SearchRequest(query="milk"), timeout=10))
    assert told.fields == {"filter.price": "REQUIRED"}


async def test_what_was_shown_is_recorded_page_by_page(gateway):
    stub = await gateway.start()
    pages = await all_pages(stub.Search, pb.SearchRequest(query="milk", visitor_id="v1"), size=30)
    async with asyncio.timeout(10):
        while len(gateway.feedback.impressions) < 2:
            await asyncio.sleep(0.01)
    shown = [product for impression in gateway.feedback.impressions for product in impression.products]
    assert [product.product_id for product in shown] == ids(pages)
    assert [product.position for product in shown] == list(range(1, 46))
    first, second = gateway.feedback.impressions
    assert first.attribution_id == second.attribution_id
    assert first.impression_id != second.impression_id
    assert (first.visitor_id, first.policy) == ("v1", "default@abc")
    assert shown[0].score == pages[0].results[0].score


async def test_impressions_are_sent_again_when_feedback_was_away(gateway):
    gateway.feedback.errors = [Unavailable("the database is away", retry_after=0.1)]
    stub = await gateway.start()
    await stub.Search(pb.SearchRequest(query="milk"), timeout=10)
    await asyncio.wait_for(gateway.feedback.recorded.wait(), 10)
    assert len(gateway.feedback.impressions) == 1


async def test_a_search_does_not_wait_for_impressions(gateway):
    stub = await gateway.start(without=["feedback"], impression_queue_size=2, impression_flush_seconds=0.1)
    for _ in range(5):
        assert len((await stub.Search(pb.SearchRequest(query="milk"), timeout=10)).results) == 20


async def test_a_page_whose_products_are_all_gone_is_empty_and_no_impression(gateway):
    stub = await gateway.start()
    first = await stub.Search(pb.SearchRequest(query="milk", page_size=40), timeout=10)
    gateway.retrieval.titles = {}
    request = pb.SearchRequest(query="milk", page_size=40, page_token=first.next_page_token)
    assert not (await stub.Search(request, timeout=10)).results
    await asyncio.wait_for(gateway.feedback.recorded.wait(), 10)
    await asyncio.sleep(0.1)
    assert [len(impression.products) for impression in gateway.feedback.impressions] == [40]
