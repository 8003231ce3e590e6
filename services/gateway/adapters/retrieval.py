"""The retrieval service, as the gateway uses it."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.common.channels import Peer
from services.gateway.search import Candidates, SearchQuery
from zhiyin.gateway.v1 import gateway_service_pb2 as api
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

_SERVICE = "/zhiyin.retrieval.v1.RetrievalService"


class RetrievalClient:
    """A `search.CandidateSource`, and the catalogue RPCs that are handed through."""

    def __init__(self, peer: Peer, max_places: int, reserve_seconds: float) -> None:
        self._max_places = max_places
        self._reserve = reserve_seconds
        self._search = peer.unary(
            f"{_SERVICE}/SearchCandidates", pb.SearchCandidatesRequest, pb.SearchCandidatesResponse
        )
        self._summaries = peer.unary(f"{_SERVICE}/GetSummaries", pb.GetSummariesRequest, pb.GetSummariesResponse)
        self._upsert = peer.unary(f"{_SERVICE}/UpsertProducts", pb.UpsertProductsRequest, pb.UpsertProductsResponse)
        self._delete = peer.unary(f"{_SERVICE}/DeleteProducts", pb.DeleteProductsRequest, pb.DeleteProductsResponse)
        self._get = peer.unary(f"{_SERVICE}/GetProduct", pb.GetProductRequest, pb.GetProductResponse)

    async def search(self, query: SearchQuery) -> Candidates:
        """Candidates for a query.

        Raises:
            Unavailable: retrieval or its index cannot be reached in the caller's time.
        """
        request = pb.SearchCandidatesRequest(
            catalog=query.catalog, query=query.text, filter=query.filter, region=query.region, limit=self._max_places
        )
        reply = await self._search(request, at_most=_LONGEST, reserve=self._reserve)
        return Candidates(
            [found.candidate.product_id for found in reply.found],
            [found.candidate for found in reply.found],
            {found.candidate.product_id: found.summary for found in reply.found},
            reply.usage if reply.HasField("usage") else None,
            reply.degradations,
        )

    async def summaries(self, catalog: str, region: str, product_ids: Sequence[str]) -> Mapping[str, Any]:
        """What results show of products, by id."""
        request = pb.GetSummariesRequest(catalog=catalog, region=region, product_ids=product_ids)
        reply = await self._summaries(request, at_most=_LONGEST, reserve=self._reserve)
        return {summary.id: summary for summary in reply.summaries}

    async def upsert_products(self, request: api.UpsertProductsRequest) -> api.UpsertProductsResponse:
        """Hands products through; retrieval validates them."""
        reply = await self._upsert(
            pb.UpsertProductsRequest(catalog=request.catalog, products=request.products, wait_until=request.wait_until),
            at_most=_LONGEST,
            reserve=self._reserve,
        )
        return api.UpsertProductsResponse(results=reply.results, degradations=reply.degradations)

    async def delete_products(self, request: api.DeleteProductsRequest) -> api.DeleteProductsResponse:
        """Hands ids through; retrieval validates them."""
        reply = await self._delete(
            pb.DeleteProductsRequest(
                catalog=request.catalog, product_ids=request.product_ids, wait_until=request.wait_until
            ),
            at_most=_LONGEST,
            reserve=self._reserve,
        )
        return api.DeleteProductsResponse(results=reply.results, degradations=reply.degradations)

    async def get_product(self, request: api.GetProductRequest) -> api.GetProductResponse:
        """Hands an id through."""
        reply = await self._get(
            pb.GetProductRequest(catalog=request.catalog, product_id=request.product_id),
            at_most=_LONGEST,
            reserve=self._reserve,
        )
        return api.GetProductResponse(product=reply.product)


_LONGEST = 120.0
"""Seconds; the caller's own deadline is always shorter."""
