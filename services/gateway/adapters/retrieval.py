"""The retrieval service, as the gateway uses it for lists of products."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from services.common.channels import Peer
from services.common.deadlines import time_left
from services.gateway.adapters.behaviours import messages_of
from services.gateway.adapters.hand_through import LONGEST_SECONDS
from services.gateway.behaviours import Behaviour
from services.gateway.product_pages import Portion, ProductsQuery
from services.gateway.ranked_lists import Candidates
from services.gateway.recommending import Recommendable, Wanted
from services.gateway.search import SearchQuery
from services.gateway.similar import SimilarQuery
from zhiyin.common.v1 import candidate_pb2, product_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

_CONTENT_SHARE: Final = 0.6
_SERVICE = "/zhiyin.retrieval.v1.RetrievalService"


class RetrievalClient:
    """Where candidates, what results show of them, and the catalogue's products come from.

    A `CandidateSource`, `SimilarSource`, `SummarySource` and `ProductSource`.
    """

    def __init__(self, peer: Peer, max_places: int, reserve_seconds: float, content_seconds: float) -> None:
        """Prepares the calls.

        Args:
            peer: retrieval.
            max_places: candidates asked for.
            reserve_seconds: the caller's time that is kept back for the reply.
            content_seconds: longest wait for candidates for a visitor.
        """
        self._max_places = max_places
        self._content_seconds = content_seconds
        self._time = {"at_most": LONGEST_SECONDS, "reserve": reserve_seconds}
        self._search = peer.unary(
            f"{_SERVICE}/SearchCandidates", pb.SearchCandidatesRequest, pb.SearchCandidatesResponse
        )
        self._similar = peer.unary(
            f"{_SERVICE}/FindSimilarProducts", pb.FindSimilarProductsRequest, pb.FindSimilarProductsResponse
        )
        self._recommend = peer.unary(
            f"{_SERVICE}/RecommendCandidates", pb.RecommendCandidatesRequest, pb.RecommendCandidatesResponse
        )
        self._summaries = peer.unary(f"{_SERVICE}/GetSummaries", pb.GetSummariesRequest, pb.GetSummariesResponse)
        self._products = peer.unary(f"{_SERVICE}/ListProducts", pb.ListProductsRequest, pb.ListProductsResponse)

    async def search(self, query: SearchQuery, behaviours: Sequence[Behaviour]) -> Candidates:
        """Candidates for a query, with their scores for a visitor who did what `behaviours` tell.

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
            # A search goes by products alone, so no text of the visitor need travel.
            behaviours=messages_of(one for one in behaviours if one.product_id),
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

    async def recommend(self, wanted: Wanted) -> Recommendable:
        """Candidates for a visitor.

        Raises:
            InvalidArgument: names the field as the public API does.
            Unavailable: retrieval or its index cannot be reached in the caller's time.
        """
        query = wanted.query
        request = pb.RecommendCandidatesRequest(
            catalog=query.page.catalog,
            behaviours=messages_of(wanted.behaviours),
            page_product_ids=query.product_ids,
            extra_product_ids=wanted.extras,
            excluded_product_ids=wanted.excluded,
            filter=query.filter,
            region=query.page.region,
            limit=self._max_places,
            category_scope=pb.CATEGORY_SCOPE_ACROSS if query.across_categories else pb.CATEGORY_SCOPE_ALL,
            variants=query.variants,  # type: ignore[arg-type]
        )
        # A part of the time is kept for the other sources: an index that hangs must not take all of it.
        left = time_left()
        at_most = self._content_seconds if left is None else min(self._content_seconds, left * _CONTENT_SHARE)
        reply = await self._recommend(request, at_most=at_most)
        return Recommendable(
            [found.candidate.product_id for found in reply.found],
            reply.found,
            {found.candidate.product_id: found.summary for found in reply.found},
            {
                found.candidate.product_id: found.other_variant_count
                for found in reply.found
                if found.other_variant_count
            },
            {summary.id: summary.title for summary in reply.seed_summaries},
            reply.degradations,
        )

    def shown(self, summaries: Mapping[str, Any], product_ids: Sequence[str]) -> Recommendable:
        """Candidates of which only what results show is known; those out of stock are left out."""
        there = [
            product_id
            for product_id in product_ids
            if summaries[product_id].offer.availability != product_pb2.AVAILABILITY_OUT_OF_STOCK
        ]
        handover = [
            pb.RecommendedProduct(
                candidate=candidate_pb2.Candidate(product_id=product_id), summary=summaries[product_id]
            )
            for product_id in there
        ]
        return Recommendable(there, handover, summaries, {}, {one: summaries[one].title for one in summaries})

    def groups(self, summaries: Mapping[str, Any]) -> Mapping[str, str]:
        """Id of the primary product by product id."""
        return {product_id: summary.primary_product_id or product_id for product_id, summary in summaries.items()}

    async def summaries(self, catalog: str, region: str, product_ids: Sequence[str]) -> Mapping[str, Any]:
        """What results show of products, by id."""
        return await self._shown(pb.GetSummariesRequest(catalog=catalog, region=region, product_ids=product_ids))

    async def stored(self, catalog: str, region: str, product_ids: Sequence[str]) -> Mapping[str, Any]:
        """The same from the database, without the index."""
        origin = pb.SUMMARY_ORIGIN_DATABASE
        return await self._shown(
            pb.GetSummariesRequest(catalog=catalog, region=region, product_ids=product_ids, origin=origin)
        )

    async def _shown(self, request: pb.GetSummariesRequest) -> Mapping[str, Any]:
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
