"""Recommend through a real server, among fake peers."""

import grpc
import pytest

from services.common.errors import NotFound, Unavailable, invalid
from tests.gateway.pages import all_pages, refused
from zhiyin.common.v1 import behaviour_pb2, degradation_pb2, product_pb2, recommendation_pb2
from zhiyin.common.v1 import user_event_pb2 as events
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1 import user_data_service_pb2 as user_pb
from zhiyin.gateway.v1.user_data_service_pb2_grpc import UserDataServiceStub
from zhiyin.retrieval.v1 import retrieval_service_pb2 as retrieval_pb

AWAY = Unavailable("away", reason="QDRANT_UNAVAILABLE", retry_after=1.0)


def viewed(product_id, weight=1.0, seconds=60):
    one = behaviour_pb2.Behaviour(product_id=product_id, type=events.USER_EVENT_TYPE_DETAIL_PAGE_VIEW, weight=weight)
    one.age.seconds = seconds
    return one


def action(product_id, type_=events.USER_EVENT_TYPE_CLICK):
    return pb.SessionAction(type=type_, product_id=product_id)


async def recommend(gateway, **fields):
    return await gateway.stub.Recommend(pb.RecommendRequest(**fields), timeout=10)


def ids(reply):
    return [one.product.id for one in reply.recommendations]


def kinds(reply):
    return {
        (degradation_pb2.DegradationKind.Name(one.kind).removeprefix("DEGRADATION_KIND_"), one.component)
        for one in reply.degradations
    }


async def test_every_source_is_asked_for_and_the_ranker_hears_what_each_says(gateway):
    await gateway.start()
    gateway.feedback.profile.behaviours.append(viewed("p001"))
    gateway.feedback.related = {"p001": ["p020", "p021"]}
    gateway.feedback.popular = ["p030", "p020"]
    reply = await recommend(gateway, visitor_id="v", language_code="zh-CN", page_size=50)
    # Five close to the interest, then what the sources named; the fake ranker turns them round.
    assert set(ids(reply)) == {"p002", "p003", "p004", "p005", "p006", "p020", "p021", "p030"}
    assert reply.behaviour_count == 1
    assert not reply.degradations
    (request,) = gateway.ranker.requests
    said = {
        one.candidate.product_id: {(s.source, s.seed_product_id) for s in one.sources} for one in request.candidates
    }
    source = recommendation_pb2
    assert said["p002"] == {(source.RECOMMENDATION_SOURCE_INTEREST, "p001")}
    assert said["p020"] == {
        (source.RECOMMENDATION_SOURCE_INTEREST, "p001"),
        (source.RECOMMENDATION_SOURCE_CO_OCCURRENCE, "p001"),
        (source.RECOMMENDATION_SOURCE_TRENDING, ""),
        (source.RECOMMENDATION_SOURCE_POPULAR, ""),
    }
    first = reply.recommendations[0]
    assert first.reason.text == "zh-CN Product 1"
    assert first.reason.product_id == "p001"
    assert first.position == 1


async def test_pages_are_disjoint_and_complete_and_keep_their_reasons(gateway):
    stub = await gateway.start()
    gateway.feedback.profile.behaviours.append(viewed("p001"))
    gateway.feedback.popular = [f"p{number:03}" for number in range(10, 40)]
    pages = await all_pages(stub.Recommend, pb.RecommendRequest(visitor_id="v"), size=7)
    shown = [one for page in pages for one in page.recommendations]
    assert len(shown) == len({one.product.id for one in shown}) == pages[0].total_size == 35
    assert [one.position for one in shown] == list(range(1, 36))
    assert all(one.reason.text for one in shown)
    assert len(gateway.ranker.requests) == 1


async def test_a_new_visitors_first_click_counts_before_any_event_is_recorded(gateway):
    await gateway.start()
    gateway.feedback.popular = ["p030"]
    nobody = await recommend(gateway)
    assert (ids(nobody), nobody.behaviour_count) == (["p030"], 0)
    clicked = await recommend(gateway, session=[action("p002")])
    assert clicked.behaviour_count == 1
    assert "p003" in ids(clicked)
    request = gateway.retrieval.requests[-1]
    assert [(one.product_id, one.type, one.weight) for one in request.behaviours] == [
        ("p002", events.USER_EVENT_TYPE_CLICK, 1.0)
    ]


@pytest.mark.parametrize(
    ("fields", "gone"),
    [
        ({"page": pb.RECOMMENDATION_PAGE_PRODUCT, "product_ids": ["p020"]}, {"p020"}),
        ({"excluded_product_ids": ["p002", "p030"]}, {"p002", "p030"}),
        ({"session": [action("p021", events.USER_EVENT_TYPE_DISMISS)]}, {"p021"}),
        ({}, {"p005", "p022", "p001"}),
    ],
)
async def test_what_is_excluded_comes_back_from_no_source(gateway, fields, gone):
    await gateway.start()
    profile = gateway.feedback.profile
    profile.behaviours.append(viewed("p001"))
    profile.purchased_product_ids.append("p005")
    profile.dismissed_product_ids.append("p022")
    gateway.feedback.related = {"p001": ["p020", "p021", "p022"], "p020": ["p001", "p023"]}
    gateway.feedback.popular = ["p030", "p005", "p020"]
    reply = await recommend(gateway, visitor_id="v", page_size=50, **fields)
    assert not gone & set(ids(reply))
    assert not {"p005", "p022"} & set(ids(reply))
    assert len(ids(reply)) >= 4


async def test_what_was_bought_may_come_back_where_the_shop_says_so(gateway):
    await gateway.start()
    profile = gateway.feedback.profile
    profile.purchased_product_ids.append("p005")
    profile.repeat_purchases.add(product_id="p005", count=4)
    reply = await recommend(gateway, visitor_id="v", purchased=pb.PURCHASED_PRODUCTS_ALLOWED)
    assert ids(reply) == ["p005"]
    (one,) = gateway.ranker.requests[-1].candidates
    assert [(s.source, s.score) for s in one.sources] == [(recommendation_pb2.RECOMMENDATION_SOURCE_BOUGHT_BEFORE, 4.0)]


async def test_what_is_out_of_stock_is_left_out_unless_the_caller_says_what_may_be(gateway):
    await gateway.start()
    gateway.feedback.popular = ["p030"]
    await recommend(gateway)
    (none,) = gateway.retrieval.requests[-1].filter.none
    assert list(none.availabilities) == [product_pb2.AVAILABILITY_OUT_OF_STOCK]
    request = pb.RecommendRequest()
    request.filter.availabilities.append(product_pb2.AVAILABILITY_OUT_OF_STOCK)
    await gateway.stub.Recommend(request, timeout=10)
    assert not gateway.retrieval.requests[-1].filter.none


async def test_without_feedback_the_session_and_the_last_known_trend_carry_the_reply(gateway):
    await gateway.start(popular_fresh_seconds=0.01, popular_stale_seconds=0.02)
    gateway.feedback.popular = ["p030"]
    await recommend(gateway)
    gateway.feedback.error = AWAY
    reply = await recommend(gateway, visitor_id="v", session=[action("p002")])
    assert {"p003", "p030"} <= set(ids(reply))
    assert {("NOT_PERSONALISED", "feedback"), ("WITHOUT_CO_OCCURRENCE", "feedback")} <= kinds(reply)
    while ("STALE_POPULARITY", "feedback") not in kinds(reply):
        reply = await recommend(gateway)
    assert ids(reply) == ["p030"]


async def test_without_feedback_from_the_start_nothing_is_popular_and_the_reply_says_so(gateway):
    await gateway.start(without=["feedback"])
    reply = await recommend(gateway, session=[action("p002")])
    assert "p003" in ids(reply)
    assert kinds(reply) == {("WITHOUT_CO_OCCURRENCE", "feedback"), ("STALE_POPULARITY", "feedback")}


async def test_while_the_index_is_away_other_sources_are_shown_by_what_the_database_knows(gateway):
    await gateway.start()
    gateway.feedback.profile.behaviours.append(viewed("p001"))
    gateway.feedback.related = {"p001": ["p020", "p021", "gone"]}
    gateway.feedback.popular = ["p030"]
    gateway.retrieval.index_away = AWAY
    reply = await recommend(gateway, visitor_id="v", excluded_product_ids=["p021"])
    assert set(ids(reply)) == {"p020", "p030"}
    assert kinds(reply) == {("WITHOUT_CONTENT", "qdrant")}
    # A filter cannot be kept without the index.
    told = await refused(recommend(gateway, visitor_id="v", filter={"brands": ["x"]}))
    assert (told.code, told.retry_seconds) == (grpc.StatusCode.UNAVAILABLE, 1.0)


async def test_without_retrieval_the_call_is_unavailable(gateway):
    await gateway.start(without=["retrieval"])
    gateway.feedback.popular = ["p030"]
    told = await refused(recommend(gateway))
    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert told.retry_seconds > 0


async def test_without_the_ranker_the_order_is_retrievals_and_there_is_no_reason(gateway):
    await gateway.start(without=["ranker"])
    gateway.feedback.popular = ["p030", "p031"]
    reply = await recommend(gateway)
    assert ids(reply) == ["p030", "p031"]
    assert kinds(reply) == {("NOT_RANKED", "ranker")}
    assert not reply.policy
    assert not reply.recommendations[0].HasField("reason")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("no such policy", reason="POLICY_NOT_FOUND"), grpc.StatusCode.NOT_FOUND),
        (invalid("policy", "is for searches", "WRONG_KIND"), grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_a_policy_that_does_not_fit_is_the_callers_fault(gateway, error, code):
    await gateway.start()
    gateway.feedback.popular = ["p030"]
    gateway.ranker.error = error
    assert (await refused(recommend(gateway, policy="x"))).code is code


async def test_what_was_shown_is_recorded_with_position_propensity_and_features(gateway):
    await gateway.start()
    gateway.feedback.popular = ["p030", "p031"]
    await recommend(gateway, visitor_id="v", page=pb.RECOMMENDATION_PAGE_CART, page_size=1)
    await gateway.feedback.recorded.wait()
    (impression,) = gateway.feedback.impressions
    assert (impression.surface, impression.policy, impression.feature_schema) == (5, "recommend@abc", 1)
    (shown,) = impression.products
    assert (shown.product_id, shown.position, shown.propensity, shown.features) == ("p031", 1, 0.5, b"of p031")


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"page": 99}, "page", "OUT_OF_RANGE"),
        ({"page": pb.RECOMMENDATION_PAGE_PRODUCT}, "product_ids", "REQUIRED"),
        ({"product_ids": ["a"] * 51}, "product_ids", "TOO_MANY"),
        ({"product_ids": ["a b"]}, "product_ids[0]", "INVALID_FORMAT"),
        ({"excluded_product_ids": ["a"] * 501}, "excluded_product_ids", "TOO_MANY"),
        ({"excluded_product_ids": [""]}, "excluded_product_ids[0]", "INVALID_FORMAT"),
        ({"session": [action("a")] * 51}, "session", "TOO_MANY"),
        ({"session": [pb.SessionAction(product_id="a")]}, "session[0].type", "OUT_OF_RANGE"),
        ({"session": [pb.SessionAction(type=3)]}, "session[0]", "REQUIRED"),
        ({"session": [pb.SessionAction(type=3, text="tea")]}, "session[0].text", "NOT_ALLOWED"),
        ({"session": [pb.SessionAction(type=1, product_id="a")]}, "session[0].product_id", "NOT_ALLOWED"),
        ({"session": [pb.SessionAction(type=1, text="x" * 5001)]}, "session[0].text", "TOO_LONG"),
        (
            {"session": [pb.SessionAction(type=3, product_id="a", age={"seconds": -1})]},
            "session[0].age",
            "OUT_OF_RANGE",
        ),
        ({"visitor_id": "x" * 129}, "visitor_id", "TOO_LONG"),
        ({"user_id": "x" * 129}, "user_id", "TOO_LONG"),
        ({"language_code": "x" * 36}, "language_code", "TOO_LONG"),
        ({"scope": 99}, "scope", "OUT_OF_RANGE"),
        ({"purchased": 99}, "purchased", "OUT_OF_RANGE"),
        ({"page_size": -1}, "page_size", "OUT_OF_RANGE"),
        ({"page_token": "x"}, "page_token", "INVALID_PAGE_TOKEN"),
    ],
)
async def test_bad_input_names_the_field(gateway, fields, field, reason):
    await gateway.start()
    told = await refused(recommend(gateway, **fields))
    assert (told.code, told.fields[field]) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_a_search_is_personal_by_what_the_visitor_did_with_products(gateway):
    await gateway.start()
    gateway.feedback.profile.behaviours.extend([viewed("p001"), behaviour_pb2.Behaviour(type=1, text="tea", weight=1)])
    await gateway.stub.Search(pb.SearchRequest(query="milk", visitor_id="v", user_id="u"), timeout=10)
    (profile,) = gateway.feedback.profiles
    assert (profile.visitor_id, profile.user_id) == ("v", "u")
    request = next(one for one in gateway.retrieval.requests if isinstance(one, retrieval_pb.SearchCandidatesRequest))
    assert [one.product_id for one in request.behaviours] == ["p001"]


async def test_statistics_and_the_profile_are_feedbacks(gateway):
    await gateway.start()
    gateway.feedback.profile.behaviours.append(viewed("p001"))
    reply = await gateway.stub.GetProductStatistics(pb.GetProductStatisticsRequest(product_ids=["a"]), timeout=10)
    assert [(one.product_id, one.popularity_score) for one in reply.statistics] == [("a", 1.5)]
    stub = UserDataServiceStub(await gateway.channel())
    profile = await stub.GetUserProfile(user_pb.GetUserProfileRequest(visitor_id="v"), timeout=10)
    assert [one.product_id for one in profile.behaviours] == ["p001"]
