"""The API of retrieval: convert in, call, convert out."""

import grpc
from opentelemetry import trace

from services.retrieval import convert
from services.retrieval.catalogue import Catalogue, WriteResult
from services.retrieval.requests import catalog_name
from services.retrieval.search import CandidateSearch, SearchQuery
from services.retrieval.summaries import Summaries
from services.retrieval.waiting import SearchableWait
from zhiyin.common.v1 import degradation_pb2, write_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb
from zhiyin.retrieval.v1 import retrieval_service_pb2_grpc as rpc

Context = grpc.aio.ServicerContext


class RetrievalServicer(rpc.RetrievalServiceServicer):
    """zhiyin.retrieval.v1.RetrievalService."""

    def __init__(
        self, catalogue: Catalogue, search: CandidateSearch, summaries: Summaries, wait: SearchableWait
    ) -> None:
        self._catalogue = catalogue
        self._search = search
        self._summaries = summaries
        self._wait = wait

    async def UpsertProducts(
        self, request: pb.UpsertProductsRequest, context: "Context[pb.UpsertProductsRequest, pb.UpsertProductsResponse]"
    ) -> pb.UpsertProductsResponse:
        catalog = catalog_name(request.catalog)
        results = await self._catalogue.upsert(catalog, [convert.draft(product) for product in request.products])
        return pb.UpsertProductsResponse(
            results=[convert.write_result(result) for result in results],
            degradations=await self._waited(catalog, request.wait_until, results),
        )

    async def DeleteProducts(
        self, request: pb.DeleteProductsRequest, context: "Context[pb.DeleteProductsRequest, pb.DeleteProductsResponse]"
    ) -> pb.DeleteProductsResponse:
        catalog = catalog_name(request.catalog)
        results = await self._catalogue.delete(catalog, list(request.product_ids))
        return pb.DeleteProductsResponse(
            results=[convert.write_result(result) for result in results],
            degradations=await self._waited(catalog, request.wait_until, results),
        )

    async def GetProduct(
        self, request: pb.GetProductRequest, context: "Context[pb.GetProductRequest, pb.GetProductResponse]"
    ) -> pb.GetProductResponse:
        stored = await self._catalogue.get(catalog_name(request.catalog), request.product_id)
        return pb.GetProductResponse(
            product=convert.stored_product(stored.content, stored.change),
            index_state=convert.index_state(stored.index_state),
        )

    async def SearchCandidates(
        self,
        request: pb.SearchCandidatesRequest,
        context: "Context[pb.SearchCandidatesRequest, pb.SearchCandidatesResponse]",
    ) -> pb.SearchCandidatesResponse:
        wanted = convert.product_filter(request.filter)
        query = SearchQuery(catalog_name(request.catalog), request.query, request.limit, wanted, request.region)
        result = await self._search.search(query)
        trace.get_current_span().set_attributes(
            {
                "zhiyin.candidates": len(result.products),
                "zhiyin.index.round_trips": result.round_trips,
                "zhiyin.degradations": [missing.kind for missing in result.missing],
            }
        )
        return convert.search_response(result)

    async def GetSummaries(
        self, request: pb.GetSummariesRequest, context: "Context[pb.GetSummariesRequest, pb.GetSummariesResponse]"
    ) -> pb.GetSummariesResponse:
        catalog = catalog_name(request.catalog)
        found = await self._summaries.find(catalog, list(request.product_ids), request.region)
        response = pb.GetSummariesResponse()
        for card, offer in found:
            convert.fill_summary(response.summaries.add(), card, offer)
        return response

    async def _waited(
        self, catalog: str, wait_until: "write_pb2.WaitUntil.ValueType", results: list[WriteResult]
    ) -> list[degradation_pb2.Degradation]:
        if wait_until != write_pb2.WAIT_UNTIL_SEARCHABLE:
            return []
        written = [result.product_id for result in results if result.change is not None]
        return convert.not_yet_searchable(await self._wait.until_searchable(catalog, written))
