"""RecordEvents through a real server, with a fake feedback."""

import grpc

from services.common.errors import invalid
from services.gateway.adapters.signing import TokenSigner
from services.gateway.config import GatewaySettings
from tests.gateway.conftest import KEY
from tests.gateway.pages import refused
from zhiyin.common.v1 import user_event_pb2 as events
from zhiyin.gateway.v1 import gateway_service_pb2 as pb


def click(event_id, token="", product_id="p001"):
    return events.UserEvent(
        event_id=event_id,
        type=events.USER_EVENT_TYPE_CLICK,
        visitor_id="v",
        products=[events.EventProduct(product_id=product_id)],
        attribution_token=token,
    )


async def record(gateway, *sent, **fields):
    return await gateway.stub.RecordEvents(pb.RecordEventsRequest(events=sent, **fields), timeout=10)


async def test_an_event_names_the_list_that_its_token_came_with(gateway):
    await gateway.start()
    page = await gateway.stub.Search(pb.SearchRequest(query="milk"), timeout=10)
    await gateway.feedback.recorded.wait()
    reply = await record(gateway, click("e1", page.attribution_token), click("e2"), catalog="c")
    assert [one.outcome for one in reply.results] == [events.EVENT_OUTCOME_ACCEPTED] * 2
    first, second = gateway.feedback.events
    assert first.attribution_id == gateway.feedback.impressions[0].attribution_id
    assert (second.event.event_id, second.attribution_id) == ("e2", "")


async def test_a_bad_token_costs_its_own_event_alone_and_results_keep_their_places(gateway):
    await gateway.start()
    gateway.feedback.results = {"e1": events.EVENT_OUTCOME_DUPLICATE, "e4": events.EVENT_OUTCOME_CONFLICT}
    settings = GatewaySettings(signing_key=KEY)
    page_token = TokenSigner(settings).sign("page", b"x")
    reply = await record(gateway, click("e1"), click("e2", "nonsense"), click("e3", page_token), click("e4"))
    rejected, conflict = events.EVENT_OUTCOME_REJECTED, events.EVENT_OUTCOME_CONFLICT
    outcomes = [one.outcome for one in reply.results]
    assert outcomes == [events.EVENT_OUTCOME_DUPLICATE, rejected, rejected, conflict]
    assert [one.event_id for one in reply.results] == ["e1", "e2", "e3", "e4"]
    (violation,) = reply.results[1].violations
    assert (violation.field, violation.reason) == ("attribution_token", "INVALID_TOKEN")
    assert "nonsense" not in violation.description
    assert [one.event.event_id for one in gateway.feedback.events] == ["e1", "e4"]


async def test_a_token_that_is_too_old_is_refused(gateway):
    await gateway.start()
    page = await gateway.stub.Search(pb.SearchRequest(query="milk"), timeout=10)
    strict = await gateway.replica(attribution_token_seconds=1)
    request = pb.RecordEventsRequest(events=[click("e1", page.attribution_token)])
    reply = await strict.RecordEvents(request, timeout=10)
    while reply.results[0].outcome != events.EVENT_OUTCOME_REJECTED:
        reply = await strict.RecordEvents(request, timeout=10)
    assert reply.results[0].violations[0].reason == "INVALID_TOKEN"


async def test_without_feedback_the_caller_is_told_to_send_it_again(gateway):
    await gateway.start(without=["feedback"])
    told = await refused(record(gateway, click("e1")))
    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert told.retry_seconds > 0


async def test_a_batch_that_feedback_refuses_as_a_whole_names_its_field(gateway):
    await gateway.start()
    gateway.feedback.error = invalid("events", "must not be empty", "REQUIRED")
    told = await refused(record(gateway))
    assert (told.code, told.fields) == (grpc.StatusCode.INVALID_ARGUMENT, {"events": "REQUIRED"})
