"""The public API on the wire: convert in, call, convert out."""

from typing import Any, Final, cast

import grpc

from services.gateway import convert, convert_events, convert_recommendations
from services.gateway.adapters.hand_through import HandedThrough
from services.gateway.events import EventRecorder
from services.gateway.product_pages import ProductPages
from services.gateway.recommending import Recommending
from services.gateway.search import Search
from services.gateway.similar import SimilarProducts
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1 import gateway_service_pb2_grpc as rpc

Context = grpc.aio.ServicerContext[Any, Any]
HANDED_THROUGH: Final = ("UpsertProducts", "DeleteProducts", "GetProduct", "UpdateOffers", "BatchGetProducts")
"""Methods that retrieval answers; it validates them, too."""
HANDED_TO_FEEDBACK: Final = ("GetProductStatistics",)
"""The same of feedback."""


class GatewayServicer(rpc.GatewayServiceServicer):
    """Lists of products are made here; the other calls of the catalogue are handed through."""

    def __init__(
        self,
        requests: convert.ListRequests,
        search: Search,
        similar: SimilarProducts,
        products: ProductPages,
        recommending: Recommending,
        events: EventRecorder,
        retrieval: HandedThrough,
        feedback: HandedThrough,
    ) -> None:
        self._requests = requests
        self._search = search
        self._similar = similar
        self._recommend_requests = convert_recommendations.RecommendRequests(requests)
        self._products = products
        self._recommending = recommending
        self._events = events
        self._retrieval = retrieval
        self._feedback = feedback

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        """Searches a catalogue."""
        return convert.search_response(await self._search.page(self._requests.search(request)))

    async def ListSimilarProducts(
        self, request: pb.ListSimilarProductsRequest, context: Context
    ) -> pb.ListSimilarProductsResponse:
        """Lists products that are similar to one."""
        return convert.similar_response(await self._similar.page(self._requests.similar(request)))

    async def Recommend(self, request: pb.RecommendRequest, context: Context) -> pb.RecommendResponse:
        """Recommends products to a visitor."""
        query = self._recommend_requests.recommend(request)
        return convert_recommendations.recommend_response(await self._recommending.page(query))

    async def RecordEvents(self, request: pb.RecordEventsRequest, context: Context) -> pb.RecordEventsResponse:
        """Keeps what shoppers did."""
        results = await self._events.record(request.catalog, request.events)
        return convert_events.record_response(request, results)

    async def GetProductStatistics(
        self, request: pb.GetProductStatisticsRequest, context: Context
    ) -> pb.GetProductStatisticsResponse:
        """Returns what is known of products."""
        return cast("pb.GetProductStatisticsResponse", await self._feedback.call("GetProductStatistics", request))

    async def ListProducts(self, request: pb.ListProductsRequest, context: Context) -> pb.ListProductsResponse:
        """Lists a catalogue's products by id."""
        return convert.products_response(await self._products.page(convert.products_query(request)))

    async def UpsertProducts(self, request: pb.UpsertProductsRequest, context: Context) -> pb.UpsertProductsResponse:
        """Creates or replaces products."""
        return cast("pb.UpsertProductsResponse", await self._retrieval.call("UpsertProducts", request))

    async def DeleteProducts(self, request: pb.DeleteProductsRequest, context: Context) -> pb.DeleteProductsResponse:
        """Deletes products."""
        return cast("pb.DeleteProductsResponse", await self._retrieval.call("DeleteProducts", request))

    async def GetProduct(self, request: pb.GetProductRequest, context: Context) -> pb.GetProductResponse:
        """Returns a product."""
        return cast("pb.GetProductResponse", await self._retrieval.call("GetProduct", request))

    async def UpdateOffers(self, request: pb.UpdateOffersRequest, context: Context) -> pb.UpdateOffersResponse:
        """Changes prices and stock."""
        return cast("pb.UpdateOffersResponse", await self._retrieval.call("UpdateOffers", request))

    async def BatchGetProducts(
        self, request: pb.BatchGetProductsRequest, context: Context
    ) -> pb.BatchGetProductsResponse:
        """Returns products."""
        return cast("pb.BatchGetProductsResponse", await self._retrieval.call("BatchGetProducts", request))
