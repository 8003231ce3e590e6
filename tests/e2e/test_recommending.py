"""What shoppers do changes what they are shown: events, profiles, recommendations, personal searches, erasure."""

import asyncio
import time
import uuid

import pytest

from tests.stacks import gateway_channel
from zhiyin.common.v1 import product_pb2, recommendation_pb2, result_set_pb2, user_event_pb2, write_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1 import user_data_service_pb2 as user_data
from zhiyin.gateway.v1.user_data_service_pb2_grpc import UserDataServiceStub

SEARCH, VIEW, CLICK, CART, PURCHASE, DISMISS = 1, 2, 3, 4, 6, 10
# Promised are 2 s; the third is for a machine that runs other tests beside this one.
SECONDS = 3.0
TOGETHER = ("coffee-beans", "yoghurt", "bread-rye", "toothpaste", "shampoo")
"""What buyers here buy, one after the other."""
WITHOUT_CHANCE = "recommend-exploit"


def event(kind, visitor, *product_ids, query=""):
    products = [user_event_pb2.EventProduct(product_id=product_id) for product_id in product_ids]
    event_id = str(uuid.uuid4())
    return user_event_pb2.UserEvent(event_id=event_id, type=kind, visitor_id=visitor, products=products, query=query)


async def record(stub, *events):
    reply = await stub.RecordEvents(pb.RecordEventsRequest(events=events), timeout=10)
    assert [result.outcome for result in reply.results] == [user_event_pb2.EVENT_OUTCOME_ACCEPTED] * len(events)


async def recommend(stub, visitor, **fields):
    request = pb.RecommendRequest(visitor_id=visitor, **{"policy": WITHOUT_CHANCE, "page_size": 100} | fields)
    return await stub.Recommend(request, timeout=10)


def ids(reply):
    return [each.product.id for each in reply.recommendations]


async def eventually(condition, seconds, what):
    """What `await condition()` gives, once that is something."""
    end = time.monotonic() + seconds
    while not (found := await condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.05)
    return found


@pytest.fixture
def visitor():
    return f"visitor {uuid.uuid4()}"


@pytest.fixture
async def user_data_stub(stack):
    async with gateway_channel(stack) as channel:
        yield UserDataServiceStub(channel)


@pytest.fixture
async def bought_together(stub):
    """Buyers have bought the same things one after the other, and the statistics know it."""
    buyers = [f"buyer {uuid.uuid4()}" for _ in range(6)]
    await record(stub, *[event(PURCHASE, buyer, product_id) for buyer in buyers for product_id in TOGETHER])

    async def counted():
        request = pb.GetProductStatisticsRequest(product_ids=[TOGETHER[-1]])
        (told,) = (await stub.GetProductStatistics(request, timeout=10)).statistics
        return any(action.type == PURCHASE and action.count >= len(buyers) for action in told.actions)

    await eventually(counted, 20, "the purchases are counted")


async def test_a_visitor_whom_nobody_knows_is_shown_what_is_popular_and_told_why(stub, bought_together, visitor):
    async def shows_popular():
        reply = await recommend(stub, visitor)
        return reply if set(TOGETHER) <= set(ids(reply)) else None

    # Each replica keeps what is popular for some seconds.
    reply = await eventually(shows_popular, 30, "what was bought is popular")
    assert not reply.degradations
    assert reply.behaviour_count == 0
    assert reply.policy.startswith(f"{WITHOUT_CHANCE}@")
    popular = {recommendation_pb2.REASON_CODE_POPULAR, recommendation_pb2.REASON_CODE_TRENDING}
    assert {each.reason.code for each in reply.recommendations} <= popular
    assert all(each.reason.text for each in reply.recommendations)
    assert [each.position for each in reply.recommendations] == list(range(1, len(reply.recommendations) + 1))


async def test_a_click_changes_the_next_recommendations_within_seconds_and_is_their_reason(stub, visitor):
    before = await recommend(stub, visitor)
    await record(stub, event(CLICK, visitor, "gou-liang"))

    async def changed():
        reply = await recommend(stub, visitor)
        return reply if ids(reply) != ids(before) else None

    after = await eventually(changed, SECONDS, "the click changes the list")
    assert after.behaviour_count == before.behaviour_count + 1
    assert "gou-liang" not in ids(after)
    reason = after.recommendations[0].reason
    assert reason.code == recommendation_pb2.REASON_CODE_VIEWED
    assert reason.product_id == "gou-liang"
    assert "成犬鸡肉味狗粮" in reason.text
    chinese = await recommend(stub, visitor, language_code="zh-CN")
    assert chinese.recommendations[0].reason.text != reason.text


async def test_the_session_that_a_shop_sends_counts_although_nothing_of_it_was_recorded(stub, visitor):
    session = [pb.SessionAction(type=VIEW, product_id="gou-liang")]
    reply = await recommend(stub, visitor, session=session)
    assert reply.behaviour_count == 1
    assert reply.recommendations[0].reason.product_id == "gou-liang"


@pytest.mark.usefixtures("bought_together")
async def test_what_is_excluded_is_recommended_by_no_source(stub, visitor):
    await record(stub, event(VIEW, visitor, "coffee-beans"), event(CART, visitor, "gou-liang"))

    async def all_sources():
        reply = await recommend(stub, visitor)
        return reply if {"yoghurt", "dog-food", "toothpaste"} <= set(ids(reply)) else None

    everything = await eventually(all_sources, 30, "content, what goes together and what is popular show products")
    told = {factor.name for each in everything.recommendations for factor in each.explanation.factors if factor.value}
    assert {"interest_term", "co_occurrence_term", "popular_term"} <= told

    await record(stub, event(PURCHASE, visitor, "bread-rye"), event(DISMISS, visitor, "toothpaste"))
    left_out = {"bread-rye", "toothpaste", "dog-food", "yoghurt"}
    request = {"excluded_product_ids": ["dog-food"], "product_ids": ["yoghurt"], "page": pb.RECOMMENDATION_PAGE_CART}

    async def shown():
        return set(ids(await recommend(stub, visitor, **request))) & left_out

    assert await shown() == set()
    in_stock = set(ids(await recommend(stub, visitor)))
    assert not {"cheddar", "zhang-peng"} & in_stock, "what is out of stock"
    allowed = await recommend(stub, visitor, purchased=pb.PURCHASED_PRODUCTS_ALLOWED)
    assert "bread-rye" in ids(allowed)
    assert "toothpaste" not in ids(allowed)


async def test_a_product_that_was_imported_just_now_is_recommended_within_seconds(stub, visitor):
    await record(stub, event(VIEW, visitor, "headphones"))
    product = product_pb2.Product(id=f"new-{uuid.uuid4()}", title="Noise-cancelling wireless headphones, black")
    reply = await stub.UpsertProducts(pb.UpsertProductsRequest(products=[product]), timeout=10)
    assert reply.results[0].outcome == write_pb2.WRITE_OUTCOME_CREATED
    try:

        async def recommended():
            return product.id in ids(await recommend(stub, visitor, policy="recommend", page_size=10))

        await eventually(recommended, 10, "the new product is among the first ten")
    finally:
        deletion = pb.DeleteProductsRequest(product_ids=[product.id], wait_until=write_pb2.WAIT_UNTIL_SEARCHABLE)
        await stub.DeleteProducts(deletion, timeout=20)


async def test_a_search_becomes_personal_once_a_visitor_is_known_and_says_how_much(stub, visitor):
    async def search(**fields):
        return await stub.Search(pb.SearchRequest(query="food", page_size=10, **fields), timeout=10)

    anybody = await search(visitor_id=visitor)
    assert anybody.personal_share == 0
    await record(stub, event(VIEW, visitor, "gou-liang"), event(SEARCH, visitor, query="dog"))
    personal = await search(visitor_id=visitor)
    assert not personal.degradations
    assert 0 < personal.personal_share < 1
    assert {r.product.id: r.score for r in personal.results} != {r.product.id: r.score for r in anybody.results}
    assert (await search()).personal_share == 0
    by_price = await search(visitor_id=visitor, order=result_set_pb2.SORT_ORDER_PRICE_ASCENDING)
    assert by_price.personal_share == 0


async def test_what_one_did_before_the_login_counts_for_the_account_afterwards(stub, visitor):
    user = f"user {uuid.uuid4()}"
    await record(stub, event(VIEW, visitor, "gou-liang"))
    login = event(VIEW, visitor, "laptop")
    login.user_id = user
    await record(stub, login)
    elsewhere = await recommend(stub, f"phone {uuid.uuid4()}", user_id=user)
    assert elsewhere.behaviour_count == 2
    assert "gou-liang" in {each.reason.product_id for each in elsewhere.recommendations}


async def test_an_erased_visitor_has_no_profile_and_is_shown_what_is_popular_again(stub, user_data_stub, visitor):
    await record(stub, event(VIEW, visitor, "gou-liang"), event(PURCHASE, visitor, "dog-food"))
    assert (await recommend(stub, visitor)).behaviour_count == 2
    receipt = await user_data_stub.EraseUser(user_data.EraseUserRequest(visitor_id=visitor), timeout=20)
    assert {store.name: store.count for store in receipt.stores}["events"] == 2
    profile = await user_data_stub.GetUserProfile(user_data.GetUserProfileRequest(visitor_id=visitor), timeout=10)
    assert profile == user_data.GetUserProfileResponse()

    async def as_nobody():
        erased = await recommend(stub, visitor)
        nobody = await recommend(stub, f"nobody {uuid.uuid4()}")
        assert erased.behaviour_count == 0
        return ids(erased) == ids(nobody)

    await eventually(as_nobody, 10, "the list is that of a visitor whom nobody knows")
