"""The retrieval service, as the gateway uses it for lists of products."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.common.channels import Peer
from services.gateway.adapters.hand_through import LONGEST_SECONDS
from services.gateway.product_pages import Portion, ProductsQuery
from services.gateway.ranked_lists import Candidates
from services.gateway.search import SearchQuery
from services.gateway.similar import SimilarQuery
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

_SERVICE = "/zhiyin.retrieval.v1.RetrievalService"


class RetrievalClient:
    """Where candidates, what results show of them, and the catalogue's products come from.

    A `CandidateSource`, `SimilarSource`, `SummarySource` and `ProductSource`.
    """

    def __init__(self, peer: Peer, max_places: int, reserve_seconds: float) -> None:
        self._max_places = max_places
        self._time = {"at_most": LONGEST_SECONDS, "reserve": reserve_seconds}
        self._search = peer.unary(
            f"{_SERVICE}/SearchCandidates", pb.SearchCandidatesRequest, pb.SearchCandidatesResponse
        )
        self._similar = peer.unary(
            f"{_SERVICE}/FindSimilarProducts", pb.FindSimilarProductsRequest, pb.FindSimilarProductsResponse
        )
        self._summaries = peer.unary(f"{_SERVICE}/GetSummaries", pb.GetSummariesRequest, pb.GetSummariesResponse)
        self._products = peer.unary(f"{_SERVICE}/ListProducts", pb.ListProductsRequest, pb.ListProductsResponse)

    async def search(self, query: SearchQuery) -> Candidates:
        """Candidates for a query.

        Raises:
            InvalidArgument: names the field as the public API does.
            Unavailable: retrieval or its index cannot be reached in the caller's time.
        """
        request = pb.SearchCandidatesRequest(
            catalog=query.page.catalog,
            query=query.text,
            filter=query.filter,
            region=query.page.region,
            limit=self._max_places,
            facets=query.facets,
            order=query.order,  # type: ignore[arg-type]
            relaxation=query.relaxation,  # type: ignore[arg-type]
            variants=query.variants,  # type: ignore[arg-type]
        )
        reply = await self._search(request, **self._time)
        usage = reply.usage if reply.HasField("usage") else None
        return replace(_candidates(reply), usage=usage, is_sorted=query.is_sorted)

    async def similar(self, query: SimilarQuery) -> Candidates:
        """Products that are similar to one.

        Raises:
            InvalidArgument: names the field as the public API does.
            NotFound: the index has no such product.
            Unavailable: retrieval or its index cannot be reached in the caller's time.
        """
        request = pb.FindSimilarProductsRequest(
            catalog=query.page.catalog,
            product_id=query.product_id,
            filter=query.filter,
            region=query.page.region,
            limit=self._max_places,
            excluded_product_ids=query.excluded_product_ids,
            variants=query.variants,  # type: ignore[arg-type]
        )
        return _candidates(await self._similar(request, **self._time))

    async def summaries(self, catalog: str, region: str, product_ids: Sequence[str]) -> Mapping[str, Any]:
        """What results show of products, by id."""
        request = pb.GetSummariesRequest(catalog=catalog, region=region, product_ids=product_ids)
        reply = await self._summaries(request, **self._time)
        return {summary.id: summary for summary in reply.summaries}

    async def products(self, query: ProductsQuery, after_id: str) -> Portion:
        """The products whose ids come after `after_id`."""
        request = pb.ListProductsRequest(
            catalog=query.catalog,
            page_size=query.page_size,
            after_product_id=after_id,
            primary_product_id=query.primary_product_id,
            view=query.view,  # type: ignore[arg-type]
        )
        reply = await self._products(request, **self._time)
        last_id = reply.products[-1].id if reply.products else ""
        return Portion(reply.products, last_id, reply.more)


def _candidates(reply: pb.SearchCandidatesResponse | pb.FindSimilarProductsResponse) -> Candidates:
    return Candidates(
        [found.candidate.product_id for found in reply.found],
        [found.candidate for found in reply.found],
        {found.candidate.product_id: found.summary for found in reply.found},
        {found.candidate.product_id: found.other_variant_count for found in reply.found if found.other_variant_count},
        reply.degradations,
        reply.result_set,
    )
