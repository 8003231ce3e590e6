"""The services for operators: every RPC is retrieval's or feedback's, in both directions, refusals included."""

import grpc
import pytest

from services.common.errors import Aborted, FailedPrecondition, NotFound, ResourceExhausted, Unavailable, invalid
from tests.contract.filled import filled
from tests.contract.services import path, request_class, response_class, services
from tests.gateway.pages import refused

METHODS = [
    method
    for service in services("gateway")
    if service.name != "GatewayService"
    for method in service.methods
    # Answered by the fake of FeedbackService, which is no scripted one: tests/gateway/test_recommend.py.
    if method.name != "GetUserProfile"
]
RPCS = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


def answering(gateway, method):
    """The fake service that a method ends at."""
    services_by_name = {
        "CatalogSettingsService": gateway.catalog_settings,
        "IndexAdminService": gateway.index_admin,
        "UserDataService": gateway.user_data,
    }
    return services_by_name[method.containing_service.name]


def prepared(channel, method):
    return channel.unary_unary(
        path(method),
        request_serializer=request_class(method).SerializeToString,
        response_deserializer=response_class(method).FromString,
    )


@RPCS
async def test_every_field_arrives_and_every_field_of_the_reply_comes_back(gateway, method):
    await gateway.start()
    service = answering(gateway, method)
    request, reply = filled(request_class(method)), filled(response_class(method))
    own = own_method(method)
    service.replies[method.name] = response_class(own).FromString(reply.SerializeToString())
    assert await prepared(await gateway.channel(), method)(request, timeout=10) == reply
    (sent,) = service.requests
    assert sent == request_class(own).FromString(request.SerializeToString())


def own_method(method):
    peers = [service for peer in ("retrieval", "feedback") for service in services(peer)]
    name = method.containing_service.name
    return next(service.methods_by_name[method.name] for service in peers if service.name == name)


@RPCS
async def test_a_refusal_reaches_the_caller_with_its_details(gateway, method):
    await gateway.start()
    service, call = answering(gateway, method), prepared(await gateway.channel(), method)
    refusals = {
        grpc.StatusCode.INVALID_ARGUMENT: invalid("settings.attributes[0].name", "must be there", "REQUIRED"),
        grpc.StatusCode.ABORTED: Aborted("changed meanwhile", reason="ETAG_MISMATCH"),
        grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition("still building", reason="NOT_READY"),
        grpc.StatusCode.NOT_FOUND: NotFound("no such version", reason="NO_VERSION", metadata={"number": "7"}),
        grpc.StatusCode.UNAVAILABLE: Unavailable("the database is away", reason="DATABASE_AWAY", retry_after=2.0),
        grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted("busy", reason="TOO_MANY_CALLS", retry_after=0.5),
    }
    for code, error in refusals.items():
        service.error = error
        told = await refused(call(request_class(method)(), timeout=10))
        assert (told.code, told.reason, told.retry_seconds) == (code, error.reason, error.retry_after)
        assert told.fields == {v.field: v.reason for v in getattr(error, "violations", ())}
        assert error.metadata.items() <= told.metadata.items()


@RPCS
async def test_without_the_one_that_answers_a_call_is_unavailable_with_a_retry_hint(gateway, method):
    await gateway.start(without=["retrieval", "feedback"])
    told = await refused(prepared(await gateway.channel(), method)(request_class(method)(), timeout=10))
    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert told.retry_seconds > 0


@RPCS
async def test_bytes_that_are_no_message_are_an_invalid_argument(gateway, method):
    await gateway.start()
    call = (await gateway.channel()).unary_unary(path(method))
    told = await refused(call(b"\xff\xff\xff", timeout=10))
    assert (told.code, told.fields) == (grpc.StatusCode.INVALID_ARGUMENT, {"request": "MALFORMED"})
    assert not answering(gateway, method).requests


@RPCS
async def test_a_call_has_the_callers_time_less_the_reserve_or_the_default_of_these_services(gateway, method):
    await gateway.start()
    channel = await gateway.channel(admin_deadline_seconds=50, default_deadline_seconds=2, reply_reserve_seconds=5)
    call, service = prepared(channel, method), answering(gateway, method)
    await call(request_class(method)(), timeout=20)
    await call(request_class(method)())
    given, default = service.time_left
    # gRPC rounds a deadline on its way to about a tenth of a second.
    assert given <= 15.5
    assert 2 < default <= 45.5
