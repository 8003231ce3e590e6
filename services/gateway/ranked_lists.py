"""A list of products in an order, from the candidates to its pages: what every RPC that shows one has in common.

First page: profile and candidates at once -> order -> a frozen list, its first page shown, the rest in the page token.
Next pages: the list out of the token -> what results show of those products now.

The candidates are the one part that a list cannot do without. Everything else that is away is named in the reply.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from services.common.errors import NotFound, ServiceError
from services.gateway.frozen_list import FactorSchema, FrozenList, Place
from services.gateway.tokens import ListTokens, new_attribution_id

_TERM: Final = 2
"""FACTOR_ROLE_TERM."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What every request for a page of a list says; validated."""

    catalog: str
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
    """What retrieval found."""

    product_ids: Sequence[str]
    handover: Any
    """What the ranker is given, unchanged."""
    summaries: Mapping[str, Any]
    """What results show, by product id."""
    other_variant_counts: Mapping[str, int]
    """Further variants in the result set, by product id; those without any are left out."""
    degradations: Sequence[Any]
    """Retrieval's own, as messages of the API."""
    result_set: Any
    """The result set that the candidates are the first of, as a message of the API."""
    usage: Any = None
    """What the query's vector cost; None where none was made."""
    is_sorted: bool = False
    """Whether they are in the order that the shopper chose, which is kept; else it is the ranker's to decide."""


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
    result_set: Any = None
    """None on all pages but the first."""


class SummarySource(Protocol):
    """Knows what results show of products."""

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

    def record(self, surface: str, request: ListRequest, page: ShownPage) -> None:
        """Takes note without waiting; what cannot be kept is counted, never raised.

        `surface` is the name of feedback's Surface without its prefix.
        """
        ...


class RankedLists:
    """Makes and continues the lists of one RPC."""

    def __init__(self, summaries: SummarySource, ranker: Ranker, profiles: ProfileSource, tokens: ListTokens) -> None:
        self._summaries = summaries
        self._ranker = ranker
        self._profiles = profiles
        self._tokens = tokens

    async def page(self, request: ListRequest, find: Callable[[], Awaitable[Candidates]]) -> ShownPage:
        """The page that is asked for.

        Args:
            request: which page, for whom.
            find: gives the candidates; called for the first page only.

        Raises:
            InvalidArgument: the page token is not of this request.
            NotFound: the ranker has no policy of that name.
            Unavailable: no candidates can be had.
        """
        return await (self._next_page(request) if request.page_token else self._first_page(request, find()))

    async def _first_page(self, request: ListRequest, finding: Awaitable[Candidates]) -> ShownPage:
        # No policy reads the profile yet; it is fetched so that a reply says whether it could have been used.
        not_personal, found = await asyncio.gather(self._profile_missing(request), finding)
        order, not_ranked = await self._order(request, found)
        places = [_with_variants(place, found.other_variant_counts) for place in order.places]
        frozen = FrozenList(new_attribution_id(), order.policy, order.schema, 1, len(places), places)
        return self._shown(
            request,
            frozen,
            found.summaries,
            usage=found.usage,
            degradations=found.degradations,
            missing=[part for part in (not_personal, not_ranked) if part is not None],
            result_set=found.result_set,
        )

    async def _next_page(self, request: ListRequest) -> ShownPage:
        frozen = self._tokens.page(request.page_token, request.digest)
        ids = [place.product_id for place in frozen.places[: request.page_size]]
        summaries = await self._summaries.summaries(request.catalog, request.region, ids)
        return self._shown(request, frozen, summaries)

    def _shown(self, request: ListRequest, frozen: FrozenList, summaries: Mapping[str, Any], **extra: Any) -> ShownPage:
        places, rest = frozen.page(request.page_size)
        return ShownPage(
            frozen.attribution_id,
            self._tokens.attribution(frozen.attribution_id),
            frozen.policy,
            frozen.schema,
            frozen.first_position,
            frozen.total_size,
            places,
            summaries,
            self._tokens.next_page(rest, request.digest),
            **extra,
        )

    async def _profile_missing(self, request: ListRequest) -> Missing | None:
        if not request.visitor_id:
            return None
        try:
            await self._profiles.profile(request.catalog, request.visitor_id)
        except ServiceError as error:
            return Missing("NOT_PERSONALISED", "feedback", error.reason)
        return None

    async def _order(self, request: ListRequest, found: Candidates) -> tuple[Order, Missing | None]:
        if found.is_sorted:
            return kept_order("sort_order", found.product_ids), None
        if not found.product_ids:
            return kept_order("retrieval_order", ()), None
        try:
            return await self._ranker.rank(request.policy, found.handover), None
        except NotFound:
            # The caller named a policy that does not exist: its fault, not a part that is away.
            raise
        except ServiceError as error:
            missing = Missing("NOT_RANKED", "ranker", error.reason)
            return kept_order("retrieval_order", found.product_ids), missing


def kept_order(scorer: str, product_ids: Sequence[str]) -> Order:
    """The order in which candidates came; a place's score is the reciprocal of its position."""
    places = [
        Place(product_id, 1.0 / position, (1.0 / position,)) for position, product_id in enumerate(product_ids, 1)
    ]
    return Order("", FactorSchema(scorer, ("reciprocal_position",), (_TERM,)), places)


def _with_variants(place: Place, counts: Mapping[str, int]) -> Place:
    count = counts.get(place.product_id, 0)
    return replace(place, other_variant_count=count) if count else place
