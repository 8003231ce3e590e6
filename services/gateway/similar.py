"""Products that are similar to one, from its id to a page of results."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.gateway.ranked_lists import (
    Candidates,
    ImpressionLog,
    ListRequest,
    Made,
    RankedLists,
    Ranker,
    ShownPage,
    ranked,
)


@dataclass(frozen=True, slots=True)
class SimilarQuery:
    """A validated request. Messages of the API are handed to retrieval unchanged."""

    page: ListRequest
    product_id: str
    filter: Any
    """None = none."""
    excluded_product_ids: Sequence[str]
    variants: int


class SimilarSource(Protocol):
    """Retrieval."""

    async def similar(self, query: SimilarQuery) -> Candidates:
        """Products that are similar to the one."""
        ...


class SimilarProducts:
    """The ListSimilarProducts RPC without its wire format."""

    def __init__(
        self, candidates: SimilarSource, ranker: Ranker, lists: RankedLists, impressions: ImpressionLog
    ) -> None:
        self._candidates = candidates
        self._ranker = ranker
        self._lists = lists
        self._impressions = impressions

    async def page(self, query: SimilarQuery) -> ShownPage:
        """The page that the query asks for.

        Raises:
            InvalidArgument: retrieval refuses a field, or the page token is not of this request.
            NotFound: the index has no such product, or the ranker no policy of that name.
            Unavailable: no candidates can be had.
        """
        page = await self._lists.page(query.page, lambda: self._made(query))
        if page.summaries and page.places:
            self._impressions.record("SIMILAR_PRODUCTS", query.page, page)
        return page

    async def _made(self, query: SimilarQuery) -> Made:
        return await ranked(self._ranker, query.page, await self._candidates.similar(query))
