"""One recommendation: from the visitor, or nobody known, to a page of products with reasons.

Profile -> what goes together with its products, and what is popular -> candidates by content from retrieval, with all
of these under one filter and one exclusion list -> order, reasons and chance from the ranker. Each part that is away
is named in the reply; only retrieval is indispensable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.common.errors import ServiceError, Unavailable
from services.gateway.behaviours import Behaviour, bought, bought_products, dismissed_products, merged, wanted_products
from services.gateway.ranked_lists import (
    ImpressionLog,
    ListRequest,
    Made,
    Missing,
    Order,
    RankedLists,
    ShownPage,
    kept_order,
    order_or_kept,
)
from services.gateway.sources import Sourced, Sources
from services.gateway.visitors import Profile, ProfileSource, Visitor, known


@dataclass(frozen=True, slots=True)
class RecommendQuery:
    """A validated request. Messages of the API are handed to retrieval unchanged."""

    page: ListRequest
    surface: str
    """Name of feedback's Surface without its prefix."""
    product_ids: Sequence[str]
    """Of the page; never recommended."""
    session: Sequence[Behaviour]
    filter: Any
    """None = the shop's rule on what is out of stock alone."""
    has_filter: bool
    """Whether the caller filters."""
    excluded: Sequence[str]
    variants: int
    across_categories: bool
    language_code: str
    purchased_allowed: bool


@dataclass(frozen=True, slots=True)
class RecommendLimits:
    """Bounds of what one recommendation looks at."""

    behaviours: int
    events: int
    """Last events whose products co-occurrence starts from."""
    seeds: int
    """Such products at most, those of the page included."""
    named: int
    """Products that are looked up by id at most while the index is away."""
    excluded: int
    seen_excluded: bool
    """Whether what the visitor has turned to lately is left out."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What retrieval is asked for."""

    query: RecommendQuery
    behaviours: Sequence[Behaviour]
    extras: Sequence[str]
    excluded: Sequence[str]


@dataclass(frozen=True, slots=True)
class Recommendable:
    """Candidates from retrieval."""

    product_ids: Sequence[str]
    handover: Any
    """What the ranker is given of each, beside what the other sources say."""
    summaries: Mapping[str, Any]
    other_variant_counts: Mapping[str, int]
    titles: Mapping[str, str]
    """Of products that reasons may name."""
    degradations: Sequence[Any] = ()


class CandidateSource(Protocol):
    """Retrieval."""

    async def recommend(self, wanted: Wanted) -> Recommendable:
        """Candidates by content and the extra products that pass.

        Raises:
            InvalidArgument: names the field as the public API does.
            Unavailable: retrieval or its index cannot be reached in the caller's time.
        """
        ...

    async def stored(self, catalog: str, region: str, product_ids: Sequence[str]) -> Mapping[str, Any]:
        """What results show of products, by id, without the index; those that are gone are left out."""
        ...

    def shown(self, summaries: Mapping[str, Any], product_ids: Sequence[str]) -> Recommendable:
        """Candidates of which only what results show is known; those out of stock are left out."""
        ...

    def groups(self, summaries: Mapping[str, Any]) -> Mapping[str, str]:
        """Id of the primary product by product id."""
        ...


class RecommendationRanker(Protocol):
    """The ranker."""

    async def recommend(
        self, query: RecommendQuery, found: Recommendable, sources: Sourced, behaviours: Sequence[Behaviour]
    ) -> Order:
        """All candidates in their places, with reasons."""
        ...


class Recommending:
    """The Recommend RPC without its wire format."""

    def __init__(
        self,
        candidates: CandidateSource,
        profiles: ProfileSource,
        sources: Sources,
        ranker: RecommendationRanker,
        lists: RankedLists,
        impressions: ImpressionLog,
        limits: RecommendLimits,
    ) -> None:
        self._candidates = candidates
        self._profiles = profiles
        self._sources = sources
        self._ranker = ranker
        self._lists = lists
        self._impressions = impressions
        self._limits = limits

    async def page(self, query: RecommendQuery) -> ShownPage:
        """The page that the query asks for.

        Raises:
            InvalidArgument: retrieval refuses a field, or the page token is not of this request.
            NotFound: the ranker has no policy of that name.
            Unavailable: nothing can be shown.
        """
        page = await self._lists.page(query.page, lambda: self._made(query))
        if page.summaries and page.places:
            self._impressions.record(query.surface, query.page, page)
        return page

    async def _made(self, query: RecommendQuery) -> Made:
        catalog = query.page.catalog
        visitor = Visitor(query.page.visitor_id, query.page.user_id)
        of_visitor = await known(self._profiles, catalog, visitor, is_all=True)
        profile = of_visitor.profile
        behaviours = merged(profile.behaviours, query.session, self._limits.behaviours)
        excluded = self._excluded(query, profile, behaviours)
        seeds = dict.fromkeys(
            [*query.product_ids, *wanted_products(behaviours, self._limits.events, self._limits.seeds)]
        )
        bought_before = bought(behaviours, profile.repeated) if query.purchased_allowed else ()
        sources, missing = await self._sources.of(catalog, list(seeds)[: self._limits.seeds], bought_before, excluded)
        found, without_content = await self._found(Wanted(query, behaviours, sources.product_ids, excluded))
        order, not_ranked = await self._order(query, found, sources, behaviours)
        return Made(
            order,
            found.summaries,
            found.other_variant_counts,
            degradations=found.degradations,
            missing=[*of_visitor.missing, *missing, *without_content, *not_ranked],
            behaviour_count=len(behaviours),
        )

    def _excluded(self, query: RecommendQuery, profile: Profile, behaviours: Sequence[Behaviour]) -> list[str]:
        """The one exclusion list. What the caller named comes first: it is never cut off."""
        ids = [*query.product_ids, *query.excluded, *dismissed_products(behaviours), *profile.dismissed]
        again = bought_products(behaviours) if query.purchased_allowed else set()
        if self._limits.seen_excluded:
            ids += [one.product_id for one in behaviours if one.product_id and one.product_id not in again]
        if not query.purchased_allowed:
            ids += profile.purchased
        return list(dict.fromkeys(ids))[: self._limits.excluded]

    async def _found(self, wanted: Wanted) -> tuple[Recommendable, Sequence[Missing]]:
        try:
            return await self._candidates.recommend(wanted), ()
        except Unavailable as error:
            # A filter, a category or a variant's choice can only be told by the index.
            if wanted.query.has_filter or wanted.query.across_categories or not wanted.extras:
                raise
            found = await self._by_id(wanted, error)
            return found, [Missing("WITHOUT_CONTENT", "qdrant", error.reason)]

    async def _by_id(self, wanted: Wanted, away: Unavailable) -> Recommendable:
        """What the other sources bring, while the index is away; what results show is then in the database."""
        page = wanted.query.page
        ids = [*wanted.extras, *wanted.excluded][: self._limits.named]
        try:
            summaries = await self._candidates.stored(page.catalog, page.region, ids)
        except ServiceError:
            raise away from None
        groups = self._candidates.groups(summaries)
        left_out = {*wanted.excluded, *(groups[one] for one in wanted.excluded if one in groups)}
        chosen: dict[str, str] = {}
        for product_id in wanted.extras:
            group = groups.get(product_id, "")
            if group and group not in left_out and product_id not in left_out:
                chosen.setdefault(group, product_id)
        found = self._candidates.shown(summaries, list(chosen.values()))
        if not found.product_ids:
            raise away
        return found

    async def _order(
        self, query: RecommendQuery, found: Recommendable, sources: Sourced, behaviours: Sequence[Behaviour]
    ) -> tuple[Order, Sequence[Missing]]:
        if not found.product_ids:
            return kept_order("retrieval_order", ()), ()
        return await order_or_kept(self._ranker.recommend(query, found, sources, behaviours), found.product_ids)
