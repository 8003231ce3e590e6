"""One search, from the shopper's words to a page of results."""

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
from services.gateway.visitors import ProfileSource, Visitor, known


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

    async def search(self, query: SearchQuery, behaviours: Sequence[Any]) -> Candidates:
        """Candidates for a query, in the order that it asks for; `behaviours` are what the visitor did."""
        ...


class Search:
    """The Search RPC without its wire format."""

    def __init__(
        self,
        candidates: CandidateSource,
        ranker: Ranker,
        profiles: ProfileSource,
        lists: RankedLists,
        impressions: ImpressionLog,
    ) -> None:
        self._candidates = candidates
        self._ranker = ranker
        self._profiles = profiles
        self._lists = lists
        self._impressions = impressions

    async def page(self, query: SearchQuery) -> ShownPage:
        """The page that the query asks for.

        Raises:
            InvalidArgument: retrieval refuses a field, or the page token is not of this search.
            NotFound: the ranker has no policy of that name.
            Unavailable: no candidates can be had.
        """
        page = await self._lists.page(query.page, lambda: self._made(query))
        if page.summaries and page.places:
            self._impressions.record("SEARCH", query.page, page, query.text)
        return page

    async def _made(self, query: SearchQuery) -> Made:
        visitor = Visitor(query.page.visitor_id, query.page.user_id)
        # An order by a value is the same for everybody.
        visitor = Visitor("") if query.is_sorted else visitor
        of_visitor = await known(self._profiles, query.page.catalog, visitor)
        found = await self._candidates.search(query, of_visitor.profile.behaviours)
        return await ranked(self._ranker, query.page, found, of_visitor.missing)
