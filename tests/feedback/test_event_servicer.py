import time

import grpc
import pytest
from google.type.money_pb2 import Money

from services.common.errors import MAX_VIOLATIONS, Unavailable
from services.common.server import Registration, open_server
from services.common.settings import ServiceSettings
from services.feedback.event_rules import EventLimits
from services.feedback.event_servicer import EventRpcs
from services.feedback.group_commit import GroupLimits, open_group_commit
from services.feedback.ledger import first_of_each
from services.feedback.ledger import outcomes as ledger_outcomes
from services.feedback.recording_events import EventRecorder
from services.feedback.visitors import VisitorHasher
from tests.feedback.event_messages import (
    ACCEPTED,
    CONFLICT,
    DUPLICATE,
    PURCHASE,
    REJECTED,
    VIEW,
    event,
    outcomes,
    product,
    request,
)
from tests.refusals import refusal
from zhiyin.common.v1 import user_event_pb2 as event_pb
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import feedback_service_pb2_grpc as rpc

LIMITS = EventLimits(
    max_events=5,
    max_batch_bytes=4_000,
    max_products=3,
    max_quantity=1_000,
    max_query_characters=10,
    max_comment_characters=20,
    future_seconds=300,
    retention_days=395,
)
NOW = 1_790_000_000
SERVICE = pb.DESCRIPTOR.services_by_name["FeedbackService"].full_name


class FakeEvents:
    """An EventStore in memory."""

    def __init__(self):
        self.ledger = {}
        self.events = []
        self.error = None

    async def add(self, events):
        if self.error:
            raise self.error
        known = dict(self.ledger)
        added = {key: one for key, one in first_of_each(events).items() if key not in known}
        self.ledger |= {key: one.digest for key, one in added.items()}
        self.events += added.values()
        return ledger_outcomes(events, added.keys(), known)


@pytest.fixture
def store():
    return FakeEvents()


@pytest.fixture
def kept():
    return []


@pytest.fixture
async def feedback(store, kept):
    limits = GroupLimits(100, 100_000, 10, 2, 5.0)
    async with open_group_commit(store, limits) as group_commit:
        recorder = EventRecorder(
            group_commit, VisitorHasher("k" * 32, 7), LIMITS, lambda: kept.append(1), lambda: NOW * 1_000_000
        )
        servicer = EventRpcs(recorder)
        registration = Registration(SERVICE, lambda server: rpc.add_FeedbackServiceServicer_to_server(servicer, server))
        async with (
            open_server(ServiceSettings(), [registration]) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            yield rpc.FeedbackServiceStub(channel)


def dollars(units, nanos=0, currency="USD"):
    return Money(currency_code=currency, units=units, nanos=nanos)


def purchase(*products, **fields):
    return event(type=PURCHASE, products=products, **fields)


GOOD = [
    event(type=event_pb.USER_EVENT_TYPE_SEARCH, query="tea", products=[]),
    event(type=VIEW, products=[product(quantity=3, price=(9, 990_000_000))]),
    event(type=event_pb.USER_EVENT_TYPE_CLICK, event_id="!~ x", user_id="u" * 128, session_id="s" * 128),
    event(type=event_pb.USER_EVENT_TYPE_ADD_TO_CART, products=[product("a"), product("b", quantity=1_000)]),
    event(type=event_pb.USER_EVENT_TYPE_REMOVE_FROM_CART, products=[product("a"), product("b"), product("c")]),
    purchase(product("a", price=(2**63 - 1, 999_999_999)), product("b"), revenue=dollars(0)),
    event(type=event_pb.USER_EVENT_TYPE_RATE, rating=0.0),
    event(type=event_pb.USER_EVENT_TYPE_RATE, rating=5.0),
    event(type=event_pb.USER_EVENT_TYPE_COMMENT, comment="很好\n!"),
    event(type=event_pb.USER_EVENT_TYPE_SHARE, visitor_id="\n" * 128),
    event(type=event_pb.USER_EVENT_TYPE_DISMISS, products=[product("A.b_c:d/e-9" + "x" * 117)]),
    event(seconds=NOW + 300),
    event(seconds=NOW - 395 * 86_400),
]


@pytest.mark.parametrize("good", GOOD)
async def test_every_type_of_event_is_accepted(feedback, store, good):
    reply = await feedback.RecordEvents(request(good))
    assert outcomes(reply) == [ACCEPTED]
    assert reply.results[0].event_id == good.event_id
    assert store.events[0].type == good.type


BAD = [
    (event(event_id=""), "event_id", "REQUIRED"),
    (event(event_id="e" * 129), "event_id", "MALFORMED"),
    (event(event_id="é"), "event_id", "MALFORMED"),
    (event(event_id="a\tb"), "event_id", "MALFORMED"),
    (event(visitor_id=""), "visitor_id", "REQUIRED"),
    (event(visitor_id="v" * 129), "visitor_id", "TOO_LONG"),
    (event(user_id="u" * 129), "user_id", "TOO_LONG"),
    (event(session_id="s" * 129), "session_id", "TOO_LONG"),
    (event(type=0), "type", "NOT_ALLOWED"),
    (event(type=99), "type", "NOT_ALLOWED"),
    (event(seconds=NOW + 301), "event_time", "IN_THE_FUTURE"),
    (event(seconds=2**62), "event_time", "IN_THE_FUTURE"),
    (event(seconds=NOW - 395 * 86_400 - 1), "event_time", "TOO_OLD"),
    (event(seconds=-(2**62)), "event_time", "TOO_OLD"),
    (event(products=[]), "products", "REQUIRED"),
    (event(products=[product("a"), product("b")]), "products", "TOO_MANY"),
    (purchase(*(product(f"p{n}") for n in range(4))), "products", "TOO_MANY"),
    (purchase(product("a"), product("b"), product("a")), "products[2].product_id", "DUPLICATE"),
    (event(products=[product("")]), "products[0].product_id", "REQUIRED"),
    (event(products=[product("a b")]), "products[0].product_id", "MALFORMED"),
    (event(products=[product("x" * 129)]), "products[0].product_id", "MALFORMED"),
    (purchase(product("a"), product("b", quantity=-1)), "products[1].quantity", "OUT_OF_RANGE"),
    (event(products=[product(quantity=1_001)]), "products[0].quantity", "OUT_OF_RANGE"),
    (event(products=[product(price=(1, 0), currency="usd")]), "products[0].price.currency_code", "MALFORMED"),
    (event(products=[product(price=(-1, 0))]), "products[0].price", "OUT_OF_RANGE"),
    (event(products=[product(price=(1, -1))]), "products[0].price", "OUT_OF_RANGE"),
    (event(products=[product(price=(1, 1_000_000_000))]), "products[0].price", "OUT_OF_RANGE"),
    (
        purchase(product("a", price=(1, 0)), product("b", price=(1, 0), currency="EUR")),
        "products[1].price.currency_code",
        "CURRENCY_MISMATCH",
    ),
    (
        purchase(product(price=(1, 0)), revenue=dollars(1, currency="EUR")),
        "products[0].price.currency_code",
        "CURRENCY_MISMATCH",
    ),
    (purchase(product(), revenue=dollars(-1)), "revenue", "OUT_OF_RANGE"),
    (event(revenue=dollars(1)), "revenue", "NOT_ALLOWED"),
    (event(query="tea"), "query", "NOT_ALLOWED"),
    (event(comment="good"), "comment", "NOT_ALLOWED"),
    (event(rating=3), "rating", "NOT_ALLOWED"),
    (event(type=event_pb.USER_EVENT_TYPE_SEARCH, query="tea"), "products", "NOT_ALLOWED"),
    (event(type=event_pb.USER_EVENT_TYPE_SEARCH, products=[]), "query", "REQUIRED"),
    (event(type=event_pb.USER_EVENT_TYPE_SEARCH, products=[], query=" \n"), "query", "REQUIRED"),
    (event(type=event_pb.USER_EVENT_TYPE_SEARCH, products=[], query="q" * 11), "query", "TOO_LONG"),
    (event(type=event_pb.USER_EVENT_TYPE_SEARCH, products=[], query="a\0b"), "query", "MALFORMED"),
    (event(type=event_pb.USER_EVENT_TYPE_COMMENT), "comment", "REQUIRED"),
    (event(type=event_pb.USER_EVENT_TYPE_COMMENT, comment="c" * 21), "comment", "TOO_LONG"),
    (event(type=event_pb.USER_EVENT_TYPE_RATE), "rating", "REQUIRED"),
    (event(type=event_pb.USER_EVENT_TYPE_RATE, rating=5.1), "rating", "OUT_OF_RANGE"),
    (event(type=event_pb.USER_EVENT_TYPE_RATE, rating=-0.1), "rating", "OUT_OF_RANGE"),
    (event(type=event_pb.USER_EVENT_TYPE_RATE, rating=float("nan")), "rating", "OUT_OF_RANGE"),
]


@pytest.mark.parametrize(("bad", "field", "reason"), BAD)
async def test_what_is_wrong_is_named_and_the_others_are_kept(feedback, store, bad, field, reason):
    before, after = event(), event()
    reply = await feedback.RecordEvents(request(before, bad, after))
    assert outcomes(reply) == [ACCEPTED, REJECTED, ACCEPTED]
    assert [(violation.field, violation.reason) for violation in reply.results[1].violations] == [(field, reason)]
    assert [kept.event_id for kept in store.events] == sorted([before.event_id, after.event_id])


@pytest.mark.parametrize("attribution_id", ["a" * 65, "a\0b", "é"])
async def test_an_attribution_id_that_no_token_carries_is_refused(feedback, attribution_id):
    reply = await feedback.RecordEvents(request(event(), attribution_id=attribution_id))
    assert [violation.field for violation in reply.results[0].violations] == ["attribution_id"]


async def test_nothing_that_was_written_is_in_what_is_said_about_it(feedback):
    secret = "secret-secret-secret-secret"
    bad = event(
        type=event_pb.USER_EVENT_TYPE_COMMENT,
        comment=secret,
        query=secret,
        visitor_id=secret * 9,
        products=[product(secret + " ")],
    )
    (result,) = (await feedback.RecordEvents(request(bad))).results
    assert len(result.violations) == 4
    assert "secret" not in str(result.violations)


async def test_an_event_that_is_wrong_everywhere_is_still_refused_in_words(feedback):
    bad = purchase(*[product("a b", quantity=-1, price=(-1, 0))] * 500, revenue=dollars(-1, currency=""), rating=9)
    async_reply = pb.RecordEventsRequest(events=[pb.RecordedEvent(event=bad), pb.RecordedEvent()])
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await feedback.RecordEvents(async_reply)
    assert refusal(error.value).fields == {"events": "TOO_LARGE"}
    del bad.products[4:]
    reply = await feedback.RecordEvents(request(bad, event_pb.UserEvent()))
    assert outcomes(reply) == [REJECTED, REJECTED]
    assert all(len(result.violations) <= MAX_VIOLATIONS for result in reply.results)
    assert {violation.field for violation in reply.results[1].violations} == {"event_id", "visitor_id", "type"}


@pytest.mark.parametrize("count", [0, 6])
async def test_the_number_of_events_is_limited(feedback, store, count):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await feedback.RecordEvents(request(*(event() for _ in range(count))))
    assert refusal(error.value).descriptions == {"events": "must be 1 to 5"}
    assert not store.events


async def test_a_catalogue_that_is_none_is_refused(feedback):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await feedback.RecordEvents(request(event(), catalog="No"))
    assert refusal(error.value).fields == {"catalog": "MALFORMED"}


async def test_the_same_event_again_is_a_duplicate_and_another_one_of_its_id_a_conflict(feedback, store):
    first = event(event_id="e", seconds=NOW)
    other = event(event_id="e", seconds=NOW, products=[product("p2")])
    of_another_visitor = event(event_id="e", seconds=NOW, visitor_id="another")
    assert outcomes(await feedback.RecordEvents(request(first, first, other, of_another_visitor))) == [
        ACCEPTED,
        DUPLICATE,
        CONFLICT,
        ACCEPTED,
    ]
    assert outcomes(await feedback.RecordEvents(request(other, first))) == [CONFLICT, DUPLICATE]
    assert outcomes(await feedback.RecordEvents(request(first, catalog="another"))) == [ACCEPTED]
    assert len(store.events) == 3


def changed(**fields):
    return event(
        **{"event_id": "e", "type": PURCHASE, "products": [product("a"), product("b")], "seconds": NOW} | fields
    )


@pytest.mark.parametrize(
    "other",
    [
        changed(seconds=NOW + 1),
        changed(type=event_pb.USER_EVENT_TYPE_ADD_TO_CART),
        changed(user_id="u"),
        changed(session_id="u"),
        changed(products=[product("b"), product("a")]),
        changed(products=[product("a", quantity=2), product("b")]),
        changed(products=[product("a", price=(1, 0)), product("b")]),
        changed(products=[product("a"), product("b", price=(1, 0))]),
        changed(revenue=dollars(1)),
        changed(revenue=dollars(0, 1)),
    ],
)
async def test_whatever_an_event_says_otherwise_is_a_conflict(feedback, other):
    assert outcomes(await feedback.RecordEvents(request(changed(), other))) == [ACCEPTED, CONFLICT]


async def test_one_unit_is_the_same_whether_it_is_said_or_not(feedback):
    said = changed(products=[product("a", quantity=1), product("b")])
    assert outcomes(await feedback.RecordEvents(request(changed(), said))) == [ACCEPTED, DUPLICATE]


async def test_an_event_is_the_same_whenever_it_arrives_and_whatever_list_it_is_joined_with(feedback, store):
    timeless = event()
    await feedback.RecordEvents(request(timeless))
    again = await feedback.RecordEvents(request(timeless, attribution_id="a"))
    assert outcomes(again) == [DUPLICATE]
    (kept,) = store.events
    assert kept.event_time == kept.arrival_time
    assert kept.event_time.timestamp() == NOW


async def test_no_pseudonym_reaches_the_store_and_equal_ones_of_several_kinds_differ(feedback, store):
    await feedback.RecordEvents(request(event(visitor_id="equal", user_id="equal", session_id="equal")))
    (kept,) = store.events
    assert "equal" not in repr(kept)
    hashes = {kept.visitor_hash, kept.user_hash, kept.session_hash}
    assert [len(one) for one in hashes] == [32, 32, 32]
    assert kept.key_version == 7


async def test_amounts_are_exact(feedback, store):
    most = dollars(2**63 - 1, 999_999_999)
    await feedback.RecordEvents(request(purchase(product(price=(0, 1)), product("b"), revenue=most)))
    (kept,) = store.events
    assert f"{kept.revenue:f}" == "9223372036854775807.999999999"
    assert [price and f"{price:f}" for price in kept.prices] == ["0.000000001", None]
    assert kept.currency == "USD"


async def test_who_counts_is_told_only_when_something_is_new(feedback, kept):
    one = event(seconds=NOW)
    await feedback.RecordEvents(request(one))
    await feedback.RecordEvents(request(one, event(type=0)))
    assert kept == [1]


async def test_while_the_store_is_away_the_call_says_when_to_come_back(feedback, store):
    store.error = Unavailable("away", reason="DATABASE_UNAVAILABLE", retry_after=1.5)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await feedback.RecordEvents(request(event()))
    answer = refusal(error.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert answer.retry_seconds == 1.5


async def test_the_clock_is_the_services_own(store):
    async with open_group_commit(store, GroupLimits(100, 100_000, 10, 2, 5.0)) as group_commit:
        recorder = EventRecorder(group_commit, VisitorHasher("k" * 32, 1), LIMITS, lambda: None)
        from services.feedback.convert_events import event_batch

        before = time.time()
        await recorder.record("", event_batch(request(event()), 3))
        assert before <= store.events[0].arrival_time.timestamp() + 1e-6
        assert store.events[0].arrival_time.timestamp() <= time.time()
