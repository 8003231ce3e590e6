import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from services.common.errors import MAX_VIOLATIONS, Unavailable
from services.common.server import Registration, open_server
from services.common.settings import ServiceSettings
from services.feedback.config_profiles import ProfileSettings
from services.feedback.impressions import ImpressionLimits
from services.feedback.persons import PersonHasher
from services.feedback.profile_servicer import ProfileRpcs
from services.feedback.profiles import History, Profiles
from services.feedback.recording import ImpressionRecorder, counts_of, first_of_each
from services.feedback.visitors import VisitorHasher
from services.feedback.wiring import SERVICE_NAME
from tests.feedback.shown import impression
from tests.refusals import refusal
from zhiyin.feedback.v1 import feedback_service_pb2 as pb
from zhiyin.feedback.v1 import feedback_service_pb2_grpc as rpc

LIMITS = ImpressionLimits(max_impressions=3, max_products=4, max_features_bytes=8, max_query_characters=10)


class FakeStore:
    """An ImpressionStore in memory, and a HistoryStore that knows nobody."""

    def __init__(self):
        self.records = {}
        self.error = None

    async def add(self, catalog, records):
        if self.error:
            raise self.error
        known = {key[1]: record.digest for key, record in self.records.items() if key[0] == catalog}
        new = {one: record for one, record in first_of_each(records).items() if one not in known}
        self.records |= {(catalog, one): record for one, record in new.items()}
        return counts_of(records, new.keys(), known)

    async def history(self, catalog, person, limits):
        if self.error:
            raise self.error
        return History([], [], [], is_bot=False)


@pytest.fixture
def store():
    return FakeStore()


@pytest.fixture
async def feedback(store):
    hasher = VisitorHasher("k" * 32, 1)
    rules = ProfileSettings()
    profiles = Profiles(store, PersonHasher([hasher]), rules.profile_rules(), rules.history_limits())
    servicer = ProfileRpcs(ImpressionRecorder(store, hasher, LIMITS), profiles)
    registration = Registration(
        SERVICE_NAME, lambda server: rpc.add_FeedbackServiceServicer_to_server(servicer, server)
    )
    async with (
        open_server(ServiceSettings(), [registration]) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield rpc.FeedbackServiceStub(channel)


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return refusal(error.value)


async def test_an_impression_is_stored_once_and_counted(feedback, store):
    first, second = impression(), impression()
    reply = await feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[first, first, second]))
    assert (reply.stored_count, reply.duplicate_count) == (2, 1)
    reply = await feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[second]))
    assert (reply.stored_count, reply.duplicate_count) == (0, 1)


async def test_another_content_under_a_known_id_is_neither_stored_nor_a_duplicate(feedback, store):
    first = impression()
    other = impression(impression_id=first.impression_id, policy="another@1")
    reply = await feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[first, other]))
    assert (reply.stored_count, reply.duplicate_count) == (1, 0)
    reply = await feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[other, first]))
    assert (reply.stored_count, reply.duplicate_count) == (0, 1)
    (record,) = store.records.values()
    assert record.impression.policy == "default@1a2b3c4d5e6f"


@pytest.mark.parametrize("surface", list(pb.Surface.values())[1:])
async def test_every_surface_of_the_contract_is_kept(feedback, store, surface):
    reply = await feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[impression(surface=surface)]))
    assert reply.stored_count == 1


async def test_an_empty_catalog_is_the_default_one(feedback, store):
    await feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[impression()]))
    assert {catalog for catalog, _ in store.records} == {"default"}


async def test_the_pseudonym_does_not_reach_the_store(feedback, store):
    await feedback.RecordImpressions(
        pb.RecordImpressionsRequest(impressions=[impression(visitor_id="plain-pseudonym")])
    )
    (record,) = store.records.values()
    assert "plain-pseudonym" not in repr(record)
    assert len(record.visitor.digest) == 32


async def test_an_absent_propensity_is_an_order_without_chance(feedback, store):
    shown = impression(2)
    shown.products[1].propensity = 0.25
    await feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[shown]))
    (record,) = store.records.values()
    assert record.impression.products.propensities == (1.0, 0.25)


async def test_what_is_optional_may_be_left_out(feedback):
    bare = impression(visitor_id="", policy="")
    reply = await feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[bare]))
    assert reply.stored_count == 1


def shown_with(**product):
    message = impression(1)
    for name, value in product.items():
        setattr(message.products[0], name, value)
    return message


def shown_at(seconds):
    message = impression()
    message.show_time.CopyFrom(Timestamp(seconds=seconds))
    return message


def without_time():
    message = impression()
    message.ClearField("show_time")
    return message


def out_of_order():
    message = impression(2)
    message.products[1].position = 1
    return message


@pytest.mark.parametrize(
    ("message", "field", "reason"),
    [
        (impression(impression_id=b"short"), "impression_id", "MALFORMED"),
        (impression(attribution_id=""), "attribution_id", "REQUIRED"),
        (impression(attribution_id="a" * 65), "attribution_id", "TOO_LONG"),
        (impression(attribution_id="a\0b"), "attribution_id", "MALFORMED"),
        (impression(visitor_id="v" * 129), "visitor_id", "TOO_LONG"),
        (impression(surface=0), "surface", "NOT_ALLOWED"),
        (impression(surface=99), "surface", "NOT_ALLOWED"),
        (without_time(), "show_time", "REQUIRED"),
        (shown_at(2**62), "show_time", "OUT_OF_RANGE"),
        (shown_at(-1), "show_time", "OUT_OF_RANGE"),
        (shown_at(32_503_680_000), "show_time", "OUT_OF_RANGE"),
        (impression(policy="p" * 129), "policy", "TOO_LONG"),
        (impression(policy="p\x7f"), "policy", "MALFORMED"),
        (impression(model="m" * 129), "model", "TOO_LONG"),
        (impression(query="q" * 11), "query", "TOO_LONG"),
        (impression(query="q\0"), "query", "MALFORMED"),
        (impression(feature_schema=-1), "feature_schema", "OUT_OF_RANGE"),
        (impression(0), "products", "REQUIRED"),
        (impression(5), "products", "TOO_MANY"),
        (shown_with(product_id=""), "products[0].product_id", "MALFORMED"),
        (shown_with(product_id="a b"), "products[0].product_id", "MALFORMED"),
        (shown_with(product_id="a\n"), "products[0].product_id", "MALFORMED"),
        (shown_with(product_id="x" * 129), "products[0].product_id", "MALFORMED"),
        (shown_with(position=0), "products[0].position", "OUT_OF_ORDER"),
        (out_of_order(), "products[1].position", "OUT_OF_ORDER"),
        (shown_with(score=float("nan")), "products[0].score", "NOT_FINITE"),
        (shown_with(score=float("-inf")), "products[0].score", "NOT_FINITE"),
        (shown_with(propensity=0.0), "products[0].propensity", "OUT_OF_RANGE"),
        (shown_with(propensity=1.01), "products[0].propensity", "OUT_OF_RANGE"),
        (shown_with(propensity=float("nan")), "products[0].propensity", "OUT_OF_RANGE"),
        (shown_with(features=b"12345678"), "products[0].features", "SCHEMA_MISSING"),
    ],
)
async def test_what_is_wrong_is_named_with_its_path_and_nothing_is_kept(feedback, store, message, field, reason):
    request = pb.RecordImpressionsRequest(impressions=[impression(), message])
    answer = await refused(feedback.RecordImpressions(request))
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert answer.fields == {f"impressions[1].{field}": reason}
    assert not store.records


async def test_features_have_a_limit(feedback):
    message = impression(1, feature_schema=1)
    message.products[0].features = bytes(9)
    answer = await refused(feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[message])))
    assert answer.descriptions == {"impressions[0].products[0].features": "must have at most 8 bytes"}


@pytest.mark.parametrize("count", [0, 4])
async def test_the_number_of_impressions_is_limited(feedback, count):
    request = pb.RecordImpressionsRequest(impressions=[impression() for _ in range(count)])
    answer = await refused(feedback.RecordImpressions(request))
    assert answer.descriptions == {"impressions": "must be 1 to 3"}


async def test_a_batch_that_is_wrong_everywhere_is_still_refused_in_words(feedback):
    broken = pb.Impression(products=[pb.ShownProduct(propensity=-1, score=float("nan"))] * 4)
    answer = await refused(feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[broken] * 3)))
    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert len(answer.fields) == MAX_VIOLATIONS


@pytest.mark.parametrize("catalog", ["c" * 65, "Upper", "a b", "a\n", "店"])
async def test_a_catalog_that_is_none_is_refused_by_both_calls(feedback, catalog):
    recorded = feedback.RecordImpressions(pb.RecordImpressionsRequest(catalog=catalog, impressions=[impression()]))
    assert (await refused(recorded)).fields == {"catalog": "MALFORMED"}
    read = feedback.GetUserProfile(pb.GetUserProfileRequest(catalog=catalog, visitor_id="v"))
    assert (await refused(read)).fields == {"catalog": "MALFORMED"}


async def test_the_profile_of_somebody_not_seen_before_is_empty(feedback):
    reply = await feedback.GetUserProfile(pb.GetUserProfileRequest(visitor_id="v" * 128))
    assert reply == pb.GetUserProfileResponse()


@pytest.mark.parametrize(("visitor_id", "reason"), [("", "REQUIRED"), ("v" * 129, "TOO_LONG")])
async def test_a_profile_needs_a_visitor(feedback, visitor_id, reason):
    answer = await refused(feedback.GetUserProfile(pb.GetUserProfileRequest(visitor_id=visitor_id)))
    assert (answer.code, answer.fields) == (grpc.StatusCode.INVALID_ARGUMENT, {"visitor_id": reason})


async def test_while_the_store_is_away_both_calls_say_when_to_come_back(feedback, store):
    store.error = Unavailable("away", reason="DATABASE_UNAVAILABLE", retry_after=1.5)
    for call in (
        feedback.RecordImpressions(pb.RecordImpressionsRequest(impressions=[impression()])),
        feedback.GetUserProfile(pb.GetUserProfileRequest(visitor_id="v")),
    ):
        answer = await refused(call)
        assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
        assert answer.retry_seconds == 1.5
