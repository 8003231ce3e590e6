import grpc
import pytest

from services.common.errors import InvalidArgument, Violation
from tests.refusals import refusal
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
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetProduct(pb.GetProductRequest(product_id="nope"), timeout=10)
    told = refusal(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND")


@pytest.mark.parametrize("method", ["UpsertProducts", "DeleteProducts", "GetProduct"])
async def test_retrievals_refusals_and_absence_reach_the_caller(gateway, method):
    gateway.retrieval.error = InvalidArgument([Violation("catalog", "must be 1 to 64 characters", "INVALID_FORMAT")])
    stub = await gateway.start()
    request = getattr(pb, f"{method}Request")()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(stub, method)(request, timeout=10)
    assert refusal(caught.value).fields == {"catalog": "INVALID_FORMAT"}
    away = await gateway.replica(retrieval_target="127.0.0.1:1")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(away, method)(request, timeout=10)
    told = refusal(caught.value)
    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert told.retry_seconds > 0
