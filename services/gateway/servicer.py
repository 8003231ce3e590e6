"""The public API on the wire: convert in, call, convert out."""

from typing import Any

import grpc

from services.gateway.adapters.retrieval import RetrievalClient
from services.gateway.convert import SearchRequests, search_response
from services.gateway.search import Search
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1 import gateway_service_pb2_grpc as rpc

Context = grpc.aio.ServicerContext[Any, Any]


class GatewayServicer(rpc.GatewayServiceServicer):
    """Search is orchestrated here; catalogue calls are handed through to retrieval, which validates them."""

    def __init__(self, search: Search, requests: SearchRequests, catalogue: RetrievalClient) -> None:
        self._search = search
        self._requests = requests
        self._catalogue = catalogue

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        """Searches a catalogue."""
        return search_response(await self._search.page(self._requests.read(request)))

    async def UpsertProducts(self, request: pb.UpsertProductsRequest, context: Context) -> pb.UpsertProductsResponse:
        """Creates or replaces products."""
        return await self._catalogue.upsert_products(request)

    async def DeleteProducts(self, request: pb.DeleteProductsRequest, context: Context) -> pb.DeleteProductsResponse:
        """Deletes products."""
        return await self._catalogue.delete_products(request)

    async def GetProduct(self, request: pb.GetProductRequest, context: Context) -> pb.GetProductResponse:
        """Returns a product."""
        return await self._catalogue.get_product(request)
