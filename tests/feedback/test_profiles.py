"""Profiles through the RPC, from events in a real database."""

import time

import grpc
import pytest

from tests.feedback.event_messages import event, outcomes, product, request
from tests.feedback.whole_service import serving_all
from tests.refusals import refusal
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import user_data_service_pb2 as user_pb

SEARCH, VIEW, CLICK, CART, REMOVE, PURCHASE, RATE, COMMENT, SHARE, DISMISS = range(1, 11)
DAY = 86_400


@pytest.fixture
async def stubs(feedback_url):
    async with serving_all(feedback_url) as opened:
        yield opened


@pytest.fixture
def record(stubs):
    async def recorded(*events, catalog=""):
        reply = await stubs.feedback.RecordEvents(request(*events, catalog=catalog))
        assert set(outcomes(reply)) == {1}

    return recorded


@pytest.fixture
def profile(stubs):
    async def of(visitor_id="visitor", **fields):
        return await stubs.feedback.GetUserProfile(pb.GetUserProfileRequest(visitor_id=visitor_id, **fields))

    return of


def did(kind, *product_ids, days=0.0, **fields):
    return event(
        type=kind, products=[product(one) for one in product_ids], seconds=int(time.time() - days * DAY), **fields
    )


def products_of(found):
    return [behaviour.product_id for behaviour in found.behaviours]


async def test_somebody_not_seen_before_has_an_empty_profile(profile):
    assert await profile() == pb.GetUserProfileResponse()


async def test_what_was_just_answered_is_in_the_profile(record, profile):
    await record(did(VIEW, "p1"))
    found = await profile()
    (behaviour,) = found.behaviours
    assert (behaviour.type, behaviour.product_id, behaviour.text, behaviour.quantity) == (VIEW, "p1", "", 1)
    assert behaviour.weight == pytest.approx(1.0, abs=0.001)
    assert found.event_count == 1
    assert not found.is_bot


async def test_behaviours_come_newest_first_and_weigh_less_with_age_and_with_what_came_after(record, profile):
    await record(did(VIEW, "old", days=14), did(CART, "new"), did(PURCHASE, "middle", days=7))
    found = await profile()
    assert products_of(found) == ["new", "middle", "old"]
    # 3, 4 and 1 when they have just happened; none, one and two half-lives of 7 days ago, and 0.6 for each later one.
    weights = [3, 4 * 0.5 * 0.6, 1 * 0.25 * 0.6**2]
    assert [behaviour.weight for behaviour in found.behaviours] == pytest.approx(weights, rel=0.001)
    assert [behaviour.age.seconds // DAY for behaviour in found.behaviours] == [0, 7, 14]


async def test_each_product_and_kind_is_there_once_as_it_was_last(record, profile):
    await record(
        event(type=CART, products=[product("p", quantity=2)], seconds=int(time.time()) - 60),
        event(type=CART, products=[product("p", quantity=5)], seconds=int(time.time()) - 10),
        did(VIEW, "p", days=1),
    )
    found = await profile()
    assert [(one.type, one.product_id, one.quantity) for one in found.behaviours] == [(CART, "p", 5), (VIEW, "p", 1)]
    assert found.event_count == 3


async def test_what_is_not_wanted_weighs_below_nothing(record, profile):
    await record(
        did(DISMISS, "dismissed"),
        did(REMOVE, "removed", days=1),
        did(RATE, "bad", rating=1.0, days=2),
        did(RATE, "middling", rating=2.5, days=3),
        did(RATE, "good", rating=5.0, days=4),
    )
    found = {one.product_id: one.weight for one in (await profile()).behaviours}
    assert found.keys() == {"dismissed", "removed", "bad", "good"}
    assert found["dismissed"] < 0
    assert found["removed"] < 0
    # (1 - 2.5) / 2.5 of 4, two days of seven ago, with two later ones.
    assert found["bad"] == pytest.approx(-0.6 * 4 * 0.5 ** (2 / 7) * 0.6**2, rel=0.001)
    assert found["good"] == pytest.approx(4 * 0.5 ** (4 / 7) * 0.6**3, rel=0.001)


async def test_queries_and_comments_are_texts(record, profile):
    await record(
        did(SEARCH, query="  红色 连衣裙 ", days=1), did(COMMENT, "p", comment="too small"), did(SEARCH, query="shoes")
    )
    found = [(one.type, one.product_id, one.text, one.quantity) for one in (await profile()).behaviours]
    assert sorted(found) == [
        (SEARCH, "", "shoes", 0),
        (SEARCH, "", "红色 连衣裙", 0),
        (COMMENT, "", "too small", 0),
        (COMMENT, "p", "", 1),
    ]


async def test_the_length_of_a_profile_can_be_asked_for(record, profile):
    await record(*(did(VIEW, f"p{place:02}", days=place / 100) for place in range(60)))
    assert len((await profile()).behaviours) == 50
    assert products_of(await profile(limit=2)) == ["p00", "p01"]


async def test_an_event_that_arrives_late_takes_its_own_place(record, profile):
    await record(did(VIEW, "first", days=2))
    await record(did(VIEW, "late", days=3))
    assert products_of(await profile()) == ["first", "late"]


async def test_bought_and_dismissed_products_are_listed_for_their_windows(record, profile):
    await record(
        did(PURCHASE, "a", "b", days=29),
        did(PURCHASE, "c", days=31),
        did(PURCHASE, "b", days=2),
        did(DISMISS, "d", days=364),
        did(DISMISS, "e", days=366),
    )
    found = await profile()
    assert found.purchased_product_ids == ["b", "a"]
    assert found.dismissed_product_ids == ["d"]


async def test_repeat_purchases_tell_how_often_and_at_which_interval(record, profile):
    for days in (300, 200, 120):
        await record(did(PURCHASE, "milk", "once" if days == 200 else "bread", days=days))
    milk, bread = (await profile()).repeat_purchases
    assert (milk.product_id, milk.count, milk.age.seconds // DAY) == ("milk", 3, 120)
    assert milk.mean_interval.seconds == pytest.approx(90 * DAY, abs=2)
    assert (bread.product_id, bread.count) == ("bread", 2)


async def test_an_older_purchase_is_found_behind_thousands_of_views(record, profile):
    await record(did(PURCHASE, "bought", days=20))
    for part in range(3):
        await record(*(did(VIEW, f"p{part}-{place}", days=place / 100) for place in range(900)))
    found = await profile(limit=200)
    assert found.purchased_product_ids == ["bought"]
    assert found.event_count == 200


async def test_visitors_of_one_account_share_what_they_did(record, profile):
    await record(did(VIEW, "phone-anonymous", visitor_id="phone", days=2))
    await record(did(VIEW, "phone-in", visitor_id="phone", user_id="anna", days=1))
    await record(did(VIEW, "desk-in", visitor_id="desk", user_id="anna"))
    expected = ["desk-in", "phone-in", "phone-anonymous"]
    assert products_of(await profile("phone")) == expected
    assert products_of(await profile("desk")) == expected
    assert products_of(await profile("", user_id="anna")) == expected
    assert products_of(await profile("tablet", user_id="anna")) == expected


async def test_what_was_done_under_another_account_stays_with_it(record, profile):
    await record(did(VIEW, "of-anna", visitor_id="shared", user_id="anna", days=2))
    await record(did(VIEW, "of-ben", visitor_id="shared", user_id="ben", days=1))
    await record(did(VIEW, "of-nobody", visitor_id="shared"))
    assert products_of(await profile("shared")) == ["of-nobody", "of-ben"]
    assert products_of(await profile("shared", user_id="ben")) == ["of-nobody", "of-ben"]
    # The visitor was Ben last: what it did without a name is his.
    assert products_of(await profile("", user_id="anna")) == ["of-anna"]


async def test_another_catalogue_knows_nothing_of_it(record, profile):
    await record(did(VIEW, "p"), catalog="shop")
    assert products_of(await profile(catalog="shop")) == ["p"]
    assert not (await profile()).behaviours


async def test_a_program_keeps_its_profile_and_is_called_one(stubs, record, profile):
    await record(did(VIEW, "p"))
    kind = user_pb.SetVisitorKindRequest(visitor_id="visitor", kind=user_pb.VISITOR_KIND_BOT)
    assert (await stubs.user_data.SetVisitorKind(kind)).is_bot
    found = await profile()
    assert found.is_bot
    assert products_of(found) == ["p"]


async def test_what_was_kept_under_the_key_before_is_still_found(feedback_url, record):
    await record(did(VIEW, "old-key"))
    fields = {"visitor_key": "n" * 32, "visitor_key_version": 2, "visitor_previous_key": "k" * 32}
    async with serving_all(feedback_url, **fields) as stubs:
        await stubs.feedback.RecordEvents(request(did(CART, "new-key", visitor_id="visitor")))
        found = await stubs.feedback.GetUserProfile(pb.GetUserProfileRequest(visitor_id="visitor"))
    assert sorted(products_of(found)) == ["new-key", "old-key"]


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({}, "visitor_id", "REQUIRED"),
        ({"visitor_id": "v" * 129}, "visitor_id", "TOO_LONG"),
        ({"user_id": "u" * 129}, "user_id", "TOO_LONG"),
        ({"visitor_id": "v", "limit": -1}, "limit", "OUT_OF_RANGE"),
        ({"visitor_id": "v", "catalog": "?"}, "catalog", "MALFORMED"),
    ],
)
async def test_what_cannot_be_asked_names_its_field(stubs, fields, field, reason):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.feedback.GetUserProfile(pb.GetUserProfileRequest(**fields))
    refused = refusal(caught.value)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.fields == {field: reason}
