"""One search, from the shopper's words to a page of results."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.gateway.ranked_lists import Candidates, ImpressionLog, ListRequest, RankedLists, ShownPage


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A validated search. Messages of the API are handed to retrieval unchanged."""

    page: ListRequest
    text: str
    filter: Any
    """None = none."""
    facets: Sequence[Any]
    order: int
    """Order as the API numbers them."""
    is_sorted: bool
    """Whether that is another order than the ranker's."""
    relaxation: int
    variants: int


class CandidateSource(Protocol):
    """Retrieval."""

    async def search(self, query: SearchQuery) -> Candidates:
        """Candidates for a query, in the order that it asks for."""
        ...


class Search:
    """The Search RPC without its wire format."""

    def __init__(self, candidates: CandidateSource, lists: RankedLists, impressions: ImpressionLog) -> None:
        self._candidates = candidates
        self._lists = lists
        self._impressions = impressions

    async def page(self, query: SearchQuery) -> ShownPage:
        """The page that the query asks for.

        Raises:
            InvalidArgument: retrieval refuses a field, or the page token is not of this search.
            NotFound: the ranker has no policy of that name.
            Unavailable: no candidates can be had.
        """
        page = await self._lists.page(query.page, lambda: self._candidates.search(query))
        if page.summaries and page.places:
            self._impressions.record("SEARCH", query.page, page)
        return page
