"""The API of retrieval: convert in, call, convert out."""

import grpc
from opentelemetry import trace

from services.retrieval import convert, convert_recommendations, convert_search
from services.retrieval.catalogue import Catalogue
from services.retrieval.listing import ProductListing
from services.retrieval.offers import Offers
from services.retrieval.recommending import Recommending
from services.retrieval.requests import catalog_name
from services.retrieval.search import CandidateSearch, SearchResult
from services.retrieval.similar import SimilarProducts
from services.retrieval.summaries import Summaries
from services.retrieval.waiting import SearchableWait
from zhiyin.common.v1 import degradation_pb2, write_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb
from zhiyin.retrieval.v1 import retrieval_service_pb2_grpc as rpc

Context = grpc.aio.ServicerContext


class RetrievalServicer(rpc.RetrievalServiceServicer):
    """zhiyin.retrieval.v1.RetrievalService."""

    def __init__(
        self,
        catalogue: Catalogue,
        offers: Offers,
        listing: ProductListing,
        search: CandidateSearch,
        similar: SimilarProducts,
        recommending: Recommending,
        summaries: Summaries,
        wait: SearchableWait,
    ) -> None:
        self._catalogue = catalogue
        self._offers = offers
        self._listing = listing
        self._search = search
        self._similar = similar
        self._recommending = recommending
        self._summaries = summaries
        self._wait = wait

    async def UpsertProducts(
        self, request: pb.UpsertProductsRequest, context: "Context[pb.UpsertProductsRequest, pb.UpsertProductsResponse]"
    ) -> pb.UpsertProductsResponse:
        catalog, paths = catalog_name(request.catalog), list(request.update_mask.paths)
        self._catalogue.require_mask(paths)
        items = [convert.patch(each, paths) if paths else convert.draft(each) for each in request.products]
        results = await self._catalogue.upsert(catalog, items)
        written = [result.product_id for result in results if result.change is not None]
        return pb.UpsertProductsResponse(
            results=[convert.write_result(result) for result in results],
            degradations=await self._waited(catalog, request.wait_until, written),
        )

    async def DeleteProducts(
        self, request: pb.DeleteProductsRequest, context: "Context[pb.DeleteProductsRequest, pb.DeleteProductsResponse]"
    ) -> pb.DeleteProductsResponse:
        catalog = catalog_name(request.catalog)
        results = await self._catalogue.delete(catalog, list(request.product_ids))
        deleted = [result.product_id for result in results if result.change is not None]
        return pb.DeleteProductsResponse(
            results=[convert.write_result(result) for result in results],
            degradations=await self._waited(catalog, request.wait_until, deleted),
        )

    async def GetProduct(
        self, request: pb.GetProductRequest, context: "Context[pb.GetProductRequest, pb.GetProductResponse]"
    ) -> pb.GetProductResponse:
        stored = await self._catalogue.get(catalog_name(request.catalog), request.product_id)
        return pb.GetProductResponse(
            product=convert.stored_product(stored), index_state=convert.index_state(stored.index_state)
        )

    async def UpdateOffers(
        self, request: pb.UpdateOffersRequest, context: "Context[pb.UpdateOffersRequest, pb.UpdateOffersResponse]"
    ) -> pb.UpdateOffersResponse:
        catalog, paths = catalog_name(request.catalog), list(request.update_mask.paths)
        self._offers.require_mask(paths)
        updates = [convert.offer_update(update) for update in request.updates]
        results = await self._offers.update(catalog, updates, convert.offer_merge(paths) if paths else None)
        there = {result.key[0] for result in results if result.is_there}
        return pb.UpdateOffersResponse(
            results=[convert.offer_result(result) for result in results],
            degradations=await self._waited(catalog, request.wait_until, list(there)),
        )

    async def BatchGetProducts(
        self,
        request: pb.BatchGetProductsRequest,
        context: "Context[pb.BatchGetProductsRequest, pb.BatchGetProductsResponse]",
    ) -> pb.BatchGetProductsResponse:
        found = await self._listing.batch(catalog_name(request.catalog), list(request.product_ids))
        return pb.BatchGetProductsResponse(products=[convert.stored_product(product) for product in found])

    async def ListProducts(
        self, request: pb.ListProductsRequest, context: "Context[pb.ListProductsRequest, pb.ListProductsResponse]"
    ) -> pb.ListProductsResponse:
        query = convert.page_query(request)
        page = await self._listing.page(catalog_name(request.catalog), query)
        shown = convert.product_id if query.ids_only else convert.stored_product
        return pb.ListProductsResponse(products=[shown(product) for product in page.products], more=page.more)

    async def SearchCandidates(
        self,
        request: pb.SearchCandidatesRequest,
        context: "Context[pb.SearchCandidatesRequest, pb.SearchCandidatesResponse]",
    ) -> pb.SearchCandidatesResponse:
        result = await self._search.search(convert_search.search_query(catalog_name(request.catalog), request))
        _note(result)
        return convert_search.search_response(result)

    async def FindSimilarProducts(
        self,
        request: pb.FindSimilarProductsRequest,
        context: "Context[pb.FindSimilarProductsRequest, pb.FindSimilarProductsResponse]",
    ) -> pb.FindSimilarProductsResponse:
        result = await self._similar.find(convert_search.similar_query(catalog_name(request.catalog), request))
        _note(result)
        return convert_search.similar_response(result)

    async def RecommendCandidates(
        self,
        request: pb.RecommendCandidatesRequest,
        context: "Context[pb.RecommendCandidatesRequest, pb.RecommendCandidatesResponse]",
    ) -> pb.RecommendCandidatesResponse:
        query = convert_recommendations.recommend_query(catalog_name(request.catalog), request)
        result = await self._recommending.find(query)
        trace.get_current_span().set_attributes(
            {"zhiyin.candidates": len(result.products), "zhiyin.interests": len(result.interests)}
        )
        return convert_recommendations.recommend_response(query, result)

    async def GetSummaries(
        self, request: pb.GetSummariesRequest, context: "Context[pb.GetSummariesRequest, pb.GetSummariesResponse]"
    ) -> pb.GetSummariesResponse:
        catalog = catalog_name(request.catalog)
        from_index = request.origin != pb.SUMMARY_ORIGIN_DATABASE
        ids = list(request.product_ids)
        found = await self._summaries.find(catalog, ids, request.region, from_index=from_index)
        response = pb.GetSummariesResponse()
        for card, offer in found:
            convert_search.fill_summary(response.summaries.add(), card, offer)
        return response

    async def _waited(
        self, catalog: str, wait_until: "write_pb2.WaitUntil.ValueType", product_ids: list[str]
    ) -> list[degradation_pb2.Degradation]:
        if wait_until != write_pb2.WAIT_UNTIL_SEARCHABLE:
            return []
        return convert.not_yet_searchable(await self._wait.until_searchable(catalog, product_ids))


def _note(result: SearchResult) -> None:
    """What a search came to, on its span."""
    trace.get_current_span().set_attributes(
        {
            "zhiyin.candidates": len(result.answer.products),
            "zhiyin.result_set.size": result.answer.size,
            "zhiyin.index.round_trips": result.answer.round_trips,
            "zhiyin.degradations": [missing.kind for missing in result.missing],
        }
    )
