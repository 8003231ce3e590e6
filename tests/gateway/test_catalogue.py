import grpc
import pytest

from services.common.errors import Aborted, InvalidArgument, Violation
from services.gateway.servicer import HANDED_THROUGH
from tests.contract.filled import filled
from tests.gateway.pages import refused
from zhiyin.common.v1 import product_pb2, write_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb


async def test_products_are_handed_to_retrieval_and_its_results_back(gateway):
    stub = await gateway.start()
    products = [product_pb2.Product(id="a", title="Milk"), product_pb2.Product(id="b", title="牛奶")]
    request = pb.UpsertProductsRequest(catalog="cn", products=products, wait_until=write_pb2.WAIT_UNTIL_SEARCHABLE)
    reply = await stub.UpsertProducts(request, timeout=10)
    assert [(r.product_id, r.outcome) for r in reply.results] == [
        ("a", write_pb2.WRITE_OUTCOME_CREATED),
        ("b", write_pb2.WRITE_OUTCOME_CREATED),
    ]
    (sent,) = gateway.retrieval.requests
    assert (sent.catalog, sent.wait_until, list(sent.products)) == ("cn", write_pb2.WAIT_UNTIL_SEARCHABLE, products)


async def test_deletions_are_handed_on(gateway):
    stub = await gateway.start()
    reply = await stub.DeleteProducts(pb.DeleteProductsRequest(product_ids=["p001", "nope"]), timeout=10)
    assert [r.outcome for r in reply.results] == [
        write_pb2.WRITE_OUTCOME_DELETED,
        write_pb2.WRITE_OUTCOME_NOT_FOUND,
    ]


async def test_a_product_is_returned_as_imported(gateway):
    stub = await gateway.start()
    reply = await stub.GetProduct(pb.GetProductRequest(product_id="p007"), timeout=10)
    assert (reply.product.id, reply.product.title, reply.product.etag) == ("p007", "Product 7", "1")


async def test_a_product_that_does_not_exist_is_not_found(gateway):
    stub = await gateway.start()
    told = await refused(stub.GetProduct(pb.GetProductRequest(product_id="nope"), timeout=10))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND")


async def test_offers_are_handed_on_and_a_result_comes_back_for_each(gateway):
    stub = await gateway.start()
    request = pb.UpdateOffersRequest(
        catalog="de",
        updates=[
            {"product_id": "p001", "offer": {"region": "nord", "price": {"currency_code": "EUR", "units": 3}}},
            {"product_id": "nope", "offer": {"region": "nord"}, "action": write_pb2.OFFER_ACTION_REMOVE},
        ],
        update_mask={"paths": ["price"]},
        wait_until=write_pb2.WAIT_UNTIL_SEARCHABLE,
    )
    reply = await stub.UpdateOffers(request, timeout=10)
    assert [(r.product_id, r.region, r.outcome) for r in reply.results] == [
        ("p001", "nord", write_pb2.WRITE_OUTCOME_UPDATED),
        ("nope", "nord", write_pb2.WRITE_OUTCOME_NOT_FOUND),
    ]
    (sent,) = gateway.retrieval.requests
    assert sent.SerializeToString(deterministic=True) == request.SerializeToString(deterministic=True)


async def test_products_are_returned_in_the_order_asked_for_all_or_none(gateway):
    stub = await gateway.start()
    reply = await stub.BatchGetProducts(pb.BatchGetProductsRequest(product_ids=["p009", "p001"]), timeout=10)
    assert [product.title for product in reply.products] == ["Product 9", "Product 1"]
    told = await refused(stub.BatchGetProducts(pb.BatchGetProductsRequest(product_ids=["p009", "nope"]), timeout=10))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND")


@pytest.mark.parametrize("method", HANDED_THROUGH)
async def test_every_field_of_a_call_that_is_handed_on_arrives(gateway, method):
    stub = await gateway.start()
    request = filled(getattr(pb, f"{method}Request"))
    gateway.retrieval.error = Aborted("noted, and that is enough", reason="ENOUGH", metadata={"limit": "7"})
    told = await refused(getattr(stub, method)(request, timeout=10))
    assert (told.code, told.reason, told.metadata["limit"]) == (grpc.StatusCode.ABORTED, "ENOUGH", "7")
    (sent,) = gateway.retrieval.requests
    assert sent.SerializeToString(deterministic=True) == request.SerializeToString(deterministic=True)


async def test_what_the_public_api_does_not_tell_of_a_product_stays_inside(gateway):
    stub = await gateway.start()
    reply = await stub.GetProduct(pb.GetProductRequest(product_id="p007"), timeout=10)
    assert reply.SerializeToString() == pb.GetProductResponse(product=reply.product).SerializeToString()


async def test_fields_that_the_public_api_does_not_have_are_not_handed_on(gateway):
    await gateway.start()
    channel = await gateway.channel()
    call = channel.unary_unary("/zhiyin.gateway.v1.GatewayService/GetProduct")
    # Field 2 is the id, field 500 a text that no version of the API has.
    await call(b"\x12\x04p007" + b"\xa2\x1f\x04oops", timeout=10)
    (sent,) = gateway.retrieval.requests
    assert sent.SerializeToString() == b"\x12\x04p007"


@pytest.mark.parametrize("method", HANDED_THROUGH)
async def test_retrievals_refusals_and_absence_reach_the_caller(gateway, method):
    gateway.retrieval.error = InvalidArgument([Violation("catalog", "must be 1 to 64 characters", "INVALID_FORMAT")])
    stub = await gateway.start()
    request = getattr(pb, f"{method}Request")()
    told = await refused(getattr(stub, method)(request, timeout=10))
    assert told.fields == {"catalog": "INVALID_FORMAT"}
    away = await gateway.replica(retrieval_target="127.0.0.1:1")
    told = await refused(getattr(away, method)(request, timeout=10))
    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert told.retry_seconds > 0


@pytest.mark.parametrize("method", HANDED_THROUGH)
async def test_a_retrieval_that_hangs_is_unavailable_before_the_callers_time_is_over(gateway, method):
    gateway.retrieval.hang = True
    stub = await gateway.start(reply_reserve_seconds=0.3)
    told = await refused(getattr(stub, method)(getattr(pb, f"{method}Request")(), timeout=1.5))
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "RETRIEVAL_TIMEOUT")
    assert told.retry_seconds > 0


async def test_a_call_has_the_callers_time_less_the_reserve_or_the_default(gateway):
    stub = await gateway.start(default_deadline_seconds=9, reply_reserve_seconds=3)
    for timeout in (20, None):
        await stub.Search(pb.SearchRequest(query="milk"), timeout=timeout)
        await stub.ListSimilarProducts(pb.ListSimilarProductsRequest(product_id="p001"), timeout=timeout)
        await stub.ListProducts(pb.ListProductsRequest(), timeout=timeout)
        for method in HANDED_THROUGH:
            await getattr(stub, method)(answerable(method), timeout=timeout)
    half = len(gateway.retrieval.time_left) // 2
    assert half == 3 + len(HANDED_THROUGH)
    # gRPC rounds a deadline on its way to about a tenth of a second.
    assert all(left <= 17.5 for left in gateway.retrieval.time_left[:half])
    assert all(left <= 6.5 for left in gateway.retrieval.time_left[half:])


def answerable(method):
    """A request of a method that the fake answers."""
    return pb.GetProductRequest(product_id="p001") if method == "GetProduct" else getattr(pb, f"{method}Request")()
