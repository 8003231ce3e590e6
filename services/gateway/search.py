"""One search, from the shopper's words to a page of results.

First page: profile and candidates at once -> order -> a frozen list, its first page shown, the rest in the page token.
Next pages: the list out of the token -> what results show of those products now.

The candidates are the one part that a search cannot do without. Everything else that is away is named in the reply.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from services.common.errors import InvalidArgument, NotFound, ServiceError
from services.gateway.frozen_list import FactorSchema, FrozenList, Place
from services.gateway.tokens import Tokens, new_attribution_id

_TERM: Final = 2
"""FACTOR_ROLE_TERM."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A validated search."""

    catalog: str
    text: str
    filter: Any
    """The API's filter message, handed to retrieval unchanged; None = none."""
    region: str
    page_size: int
    page_token: str
    visitor_id: str
    policy: str
    digest: bytes
    """16 bytes over everything but page size and token."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that the reply had to do without."""

    kind: str
    """Name of the API's DegradationKind without its prefix."""
    component: str
    reason: str


@dataclass(frozen=True, slots=True)
class Candidates:
    """What retrieval found, in its own order."""

    product_ids: Sequence[str]
    handover: Any
    """What the ranker is given, unchanged."""
    summaries: Mapping[str, Any]
    """What results show, by product id."""
    usage: Any
    """What the query's vector cost; None where none was made."""
    degradations: Sequence[Any]
    """Retrieval's own, as messages of the API."""


@dataclass(frozen=True, slots=True)
class Order:
    """Candidates in their places."""

    policy: str
    schema: FactorSchema
    places: Sequence[Place]


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page for the shopper, and the record of it."""

    attribution_id: str
    attribution_token: str
    policy: str
    schema: FactorSchema
    first_position: int
    total_size: int
    places: Sequence[Place]
    summaries: Mapping[str, Any]
    next_page_token: str
    usage: Any = None
    degradations: Sequence[Any] = ()
    missing: Sequence[Missing] = ()


class CandidateSource(Protocol):
    """Retrieval."""

    async def search(self, query: SearchQuery) -> Candidates:
        """Candidates for a query."""
        ...

    async def summaries(self, catalog: str, region: str, product_ids: Sequence[str]) -> Mapping[str, Any]:
        """What results show of products, by id; those that are gone are left out."""
        ...


class Ranker(Protocol):
    """Decides the order."""

    async def rank(self, policy: str, handover: Any) -> Order:
        """All candidates, best first."""
        ...


class ProfileSource(Protocol):
    """Knows what visitors did."""

    async def profile(self, catalog: str, visitor_id: str) -> object:
        """The visitor's recent behaviour."""
        ...


class ImpressionLog(Protocol):
    """Keeps what was shown."""

    def record(self, query: SearchQuery, page: ShownPage) -> None:
        """Takes note without waiting; what cannot be kept is counted, never raised."""
        ...


class Search:
    """The Search RPC without its wire format."""

    def __init__(
        self,
        candidates: CandidateSource,
        ranker: Ranker,
        profiles: ProfileSource,
        impressions: ImpressionLog,
        tokens: Tokens,
    ) -> None:
        self._candidates = candidates
        self._ranker = ranker
        self._profiles = profiles
        self._impressions = impressions
        self._tokens = tokens

    async def page(self, query: SearchQuery) -> ShownPage:
        """The page that the query asks for.

        Raises:
            InvalidArgument: the page token is not of this search.
            Unavailable: no candidates can be had.
        """
        page = await (self._next_page(query) if query.page_token else self._first_page(query))
        if page.summaries and page.places:
            self._impressions.record(query, page)
        return page

    async def _first_page(self, query: SearchQuery) -> ShownPage:
        # No policy reads the profile yet; it is fetched so that a reply says whether it could have been used.
        not_personal, found = await asyncio.gather(self._profile_missing(query), self._candidates.search(query))
        order, not_ranked = await self._order(query, found)
        frozen = FrozenList(new_attribution_id(), order.policy, order.schema, 1, len(order.places), order.places)
        return self._shown(
            query,
            frozen,
            found.summaries,
            usage=found.usage,
            degradations=found.degradations,
            missing=[part for part in (not_personal, not_ranked) if part is not None],
        )

    async def _next_page(self, query: SearchQuery) -> ShownPage:
        frozen = self._tokens.page(query.page_token, query.digest)
        ids = [place.product_id for place in frozen.places[: query.page_size]]
        summaries = await self._candidates.summaries(query.catalog, query.region, ids)
        return self._shown(query, frozen, summaries)

    def _shown(self, query: SearchQuery, frozen: FrozenList, summaries: Mapping[str, Any], **extra: Any) -> ShownPage:
        places, rest = frozen.page(query.page_size)
        return ShownPage(
            frozen.attribution_id,
            self._tokens.attribution(frozen.attribution_id),
            frozen.policy,
            frozen.schema,
            frozen.first_position,
            frozen.total_size,
            places,
            summaries,
            self._tokens.next_page(rest, query.digest),
            **extra,
        )

    async def _profile_missing(self, query: SearchQuery) -> Missing | None:
        if not query.visitor_id:
            return None
        try:
            await self._profiles.profile(query.catalog, query.visitor_id)
        except ServiceError as error:
            return Missing("NOT_PERSONALISED", "feedback", error.reason)
        return None

    async def _order(self, query: SearchQuery, found: Candidates) -> tuple[Order, Missing | None]:
        if not found.product_ids:
            return retrieval_order(()), None
        try:
            return await self._ranker.rank(query.policy, found.handover), None
        except (InvalidArgument, NotFound):
            # The caller named a policy that does not exist: its fault, not a part that is away.
            raise
        except ServiceError as error:
            return retrieval_order(found.product_ids), Missing("NOT_RANKED", "ranker", error.reason)


def retrieval_order(product_ids: Sequence[str]) -> Order:
    """Retrieval's own order, where the ranker is away; a place's score is the reciprocal of its position."""
    places = [
        Place(product_id, 1.0 / position, (1.0 / position,)) for position, product_id in enumerate(product_ids, 1)
    ]
    return Order("", FactorSchema("retrieval_order", ("reciprocal_position",), (_TERM,)), places)
