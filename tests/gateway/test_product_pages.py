import grpc
import pytest

from services.common.errors import InvalidArgument, Violation
from tests.gateway.pages import numbered, refused
from zhiyin.common.v1 import product_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as pb


async def listed(stub, sizes, **fields):
    """Ids of all pages; the sizes are used in turn."""
    found, token, page = [], "", 0
    while True:
        size = sizes[page % len(sizes)]
        request = pb.ListProductsRequest(page_size=size, page_token=token, **fields)
        reply = await stub.ListProducts(request, timeout=10)
        found += [product.id for product in reply.products]
        token, page = reply.next_page_token, page + 1
        if not token:
            return found


@pytest.mark.parametrize("sizes", [[1], [10], [44], [45], [46], [0], [7, 1, 13]])
async def test_pages_of_any_sizes_are_disjoint_complete_and_by_id(gateway, sizes):
    stub = await gateway.start()
    assert await listed(stub, sizes) == numbered(range(1, 46))


async def test_a_page_begins_behind_the_last_product_whatever_was_written_or_deleted_meanwhile(gateway):
    stub = await gateway.start()
    first = await stub.ListProducts(pb.ListProductsRequest(page_size=10), timeout=10)
    del gateway.retrieval.titles["p010"]
    del gateway.retrieval.titles["p011"]
    gateway.retrieval.titles["p0005"] = "Before the page"
    gateway.retrieval.titles["p0115"] = "In the page"
    request = pb.ListProductsRequest(page_size=3, page_token=first.next_page_token)
    reply = await stub.ListProducts(request, timeout=10)
    assert [product.id for product in reply.products] == ["p0115", "p012", "p013"]


async def test_retrieval_is_asked_for_what_the_caller_wrote(gateway):
    stub = await gateway.start()
    request = pb.ListProductsRequest(
        catalog="cn", page_size=5, primary_product_id="shirt", view=product_pb2.PRODUCT_VIEW_ID
    )
    await stub.ListProducts(request, timeout=10)
    (sent,) = gateway.retrieval.requests
    assert (sent.catalog, sent.page_size, sent.primary_product_id, sent.view) == (
        "cn",
        5,
        "shirt",
        product_pb2.PRODUCT_VIEW_ID,
    )
    assert sent.after_product_id == ""


async def test_an_empty_catalogue_is_one_empty_page(gateway):
    gateway.retrieval.titles = {}
    stub = await gateway.start()
    reply = await stub.ListProducts(pb.ListProductsRequest(), timeout=10)
    assert (list(reply.products), reply.next_page_token) == ([], "")


async def test_any_replica_lists_the_next_page_and_only_the_size_may_change(gateway):
    stub = await gateway.start()
    other = await gateway.replica()
    token = (await stub.ListProducts(pb.ListProductsRequest(page_size=10), timeout=10)).next_page_token
    reply = await other.ListProducts(pb.ListProductsRequest(page_size=2, page_token=token), timeout=10)
    assert [product.id for product in reply.products] == ["p011", "p012"]
    for changed in (
        pb.ListProductsRequest(catalog="other", page_token=token),
        pb.ListProductsRequest(primary_product_id="shirt", page_token=token),
        pb.ListProductsRequest(view=product_pb2.PRODUCT_VIEW_ID, page_token=token),
        pb.ListProductsRequest(page_token=token[:-1]),
        pb.ListProductsRequest(page_token="p010"),
    ):
        told = await refused(stub.ListProducts(changed, timeout=10))
        assert (told.code, told.fields) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            {"page_token": "INVALID_PAGE_TOKEN"},
        )


async def test_tokens_of_a_search_and_of_a_list_are_void_for_one_another(gateway):
    stub = await gateway.start()
    search = await stub.Search(pb.SearchRequest(query="milk", page_size=10), timeout=10)
    listing = await stub.ListProducts(pb.ListProductsRequest(page_size=10), timeout=10)
    for call in (
        stub.ListProducts(pb.ListProductsRequest(page_token=search.next_page_token), timeout=10),
        stub.ListProducts(pb.ListProductsRequest(page_token=search.attribution_token), timeout=10),
        stub.Search(pb.SearchRequest(query="milk", page_token=listing.next_page_token), timeout=10),
    ):
        assert (await refused(call)).fields == {"page_token": "INVALID_PAGE_TOKEN"}


async def test_retrievals_refusals_and_absence_reach_the_caller(gateway):
    stub = await gateway.start()
    told = await refused(stub.ListProducts(pb.ListProductsRequest(page_size=-1), timeout=10))
    assert told.fields == {"page_size": "OUT_OF_RANGE"}
    gateway.retrieval.error = InvalidArgument([Violation("catalog", "must be 1 to 64 characters", "INVALID_FORMAT")])
    told = await refused(stub.ListProducts(pb.ListProductsRequest(catalog="No Such"), timeout=10))
    assert told.fields == {"catalog": "INVALID_FORMAT"}
    away = await gateway.replica(retrieval_target="127.0.0.1:1")
    told = await refused(away.ListProducts(pb.ListProductsRequest(), timeout=10))
    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert told.retry_seconds > 0
