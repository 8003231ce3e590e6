"""A list of products in an order, page by page: what every RPC that shows one has in common.

First page: the RPC makes the list -> it is frozen, its first page shown, the rest in the page token.
Next pages: the list out of the token -> what results show of those products now.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from services.common.errors import InvalidArgument, NotFound, ServiceError
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
    user_id: str = ""


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
    feature_schema: int = 0
    """Schema of the places' features; 0 = none."""
    personal_share: float = 0.0
    """Share of the order that the visitor's own interests decide, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Made:
    """A whole list, and what its first page tells of it."""

    order: Order
    summaries: Mapping[str, Any]
    """What results show, by product id."""
    other_variant_counts: Mapping[str, int]
    usage: Any = None
    degradations: Sequence[Any] = ()
    """Retrieval's own, as messages of the API."""
    missing: Sequence[Missing] = ()
    result_set: Any = None
    behaviour_count: int = 0
    """Behaviours that the list rests on."""


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
    """None on all pages but the first, as what follows is 0."""
    personal_share: float = 0.0
    behaviour_count: int = 0
    feature_schema: int = 0
    """Schema of the places' features, on every page."""


class SummarySource(Protocol):
    """Knows what results show of products."""

    async def summaries(self, catalog: str, region: str, product_ids: Sequence[str]) -> Mapping[str, Any]:
        """What results show of products, by id; those that are gone are left out."""
        ...


class Ranker(Protocol):
    """Decides the order."""

    async def rank(self, catalog: str, policy: str, handover: Any) -> Order:
        """All candidates, best first."""
        ...


class ImpressionLog(Protocol):
    """Keeps what was shown."""

    def record(self, surface: str, request: ListRequest, page: ShownPage, query: str = "") -> None:
        """Takes note without waiting; what cannot be kept is counted, never raised.

        `surface` is the name of feedback's Surface without its prefix, `query` what was searched for.
        """
        ...


class RankedLists:
    """Shows and continues the lists of one RPC."""

    def __init__(self, summaries: SummarySource, tokens: ListTokens) -> None:
        self._summaries = summaries
        self._tokens = tokens

    async def page(self, request: ListRequest, make: Callable[[], Awaitable[Made]]) -> ShownPage:
        """The page that is asked for.

        Args:
            request: which page, for whom.
            make: gives the list; called for the first page only.

        Raises:
            InvalidArgument: the page token is not of this request.
            Unavailable: what results show cannot be had; and what `make` raises.
        """
        return await (self._next_page(request) if request.page_token else self._first_page(request, make))

    async def _first_page(self, request: ListRequest, make: Callable[[], Awaitable[Made]]) -> ShownPage:
        made = await make()
        order = made.order
        places = [_with_variants(place, made.other_variant_counts) for place in order.places]
        frozen = FrozenList(
            new_attribution_id(), order.policy, order.schema, 1, len(places), places, order.feature_schema
        )
        return self._shown(
            request,
            frozen,
            made.summaries,
            usage=made.usage,
            degradations=made.degradations,
            missing=made.missing,
            result_set=made.result_set,
            personal_share=order.personal_share,
            behaviour_count=made.behaviour_count,
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
            feature_schema=frozen.feature_schema,
            **extra,
        )


async def ranked(ranker: Ranker, request: ListRequest, found: Candidates, missing: Sequence[Missing] = ()) -> Made:
    """The list of candidates in the ranker's order, or in retrieval's where the ranker is away.

    Raises:
        NotFound: the ranker has no policy of that name.
    """
    order, not_ranked = await _order(ranker, request, found)
    return Made(
        order,
        found.summaries,
        found.other_variant_counts,
        found.usage,
        found.degradations,
        [*missing, *not_ranked],
        found.result_set,
    )


async def _order(ranker: Ranker, request: ListRequest, found: Candidates) -> tuple[Order, Sequence[Missing]]:
    if found.is_sorted:
        return kept_order("sort_order", found.product_ids), ()
    if not found.product_ids:
        return kept_order("retrieval_order", ()), ()
    ranking = ranker.rank(request.catalog, request.policy, found.handover)
    return await order_or_kept(ranking, found.product_ids)


async def order_or_kept(ranking: Awaitable[Order], product_ids: Sequence[str]) -> tuple[Order, Sequence[Missing]]:
    """The ranker's order, or the one in which the candidates came where the ranker is away.

    Raises:
        InvalidArgument: the policy is not for lists of this kind.
        NotFound: the ranker has no policy of that name.
    """
    try:
        return await ranking, ()
    except ServiceError as error:
        # The caller named a policy that does not exist or orders something else: its fault, not a part that is away.
        names_policy = isinstance(error, InvalidArgument) and any(one.field == "policy" for one in error.violations)
        if names_policy or isinstance(error, NotFound):
            raise
        return kept_order("retrieval_order", product_ids), [Missing("NOT_RANKED", "ranker", error.reason)]


def kept_order(scorer: str, product_ids: Sequence[str]) -> Order:
    """The order in which candidates came; a place's score is the reciprocal of its position."""
    places = [
        Place(product_id, 1.0 / position, (1.0 / position,)) for position, product_id in enumerate(product_ids, 1)
    ]
    return Order("", FactorSchema(scorer, ("reciprocal_position",), (_TERM,)), places)


def _with_variants(place: Place, counts: Mapping[str, int]) -> Place:
    count = counts.get(place.product_id, 0)
    return replace(place, other_variant_count=count) if count else place
