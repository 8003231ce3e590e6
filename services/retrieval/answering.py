"""From legs to an answer: result set, order, variants, facets, relaxation. Searches and similar products share it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.retrieval.facet_rules import FacetLimits
from services.retrieval.facets import Facet, FacetScope, FacetSpec, counted
from services.retrieval.filters import ProductFilter, without_field
from services.retrieval.geometry import CentredVector
from services.retrieval.index_version import IndexVersion
from services.retrieval.product_index import LegQuery, ProductIndex, Window
from services.retrieval.ranking import Missing, ScoredProduct, by_relevance, completed, scored
from services.retrieval.relaxing import Relaxed, relaxations
from services.retrieval.result_set import ResultSet, SetRules, collect
from services.retrieval.sorting import SortOrder, facts_of, ordered
from services.retrieval.variants import VariantMode, results_of


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of what the legs find; every part of it checked before."""

    wanted: ProductFilter
    region: str
    limit: int
    facets: Sequence[FacetSpec] = ()
    order: SortOrder = SortOrder.RELEVANCE
    variants: VariantMode = VariantMode.COLLAPSED
    may_relax: bool = False
    without_groups: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Legs:
    """What the legs look for, and in which version."""

    version: IndexVersion
    query: LegQuery
    centred: CentredVector | None
    """The dense leg's query; None = that leg does not run."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The first products of a result set, and what the whole of it is like."""

    products: Sequence[ScoredProduct]
    size: int
    """Results of the set, variants as asked for."""
    truncated: bool
    relaxed_fields: Sequence[str]
    facets: Sequence[Facet]
    missing: Sequence[Missing]
    round_trips: int


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """Bounds and weights of answers."""

    sets: SetRules
    lexical_weight: float
    facets: FacetLimits


@dataclass(frozen=True, slots=True)
class _Sets:
    """The result set, and those that facets without their own filter are counted over, by the facet's field."""

    main: ResultSet
    by_field: Mapping[str, ResultSet]
    round_trips: int


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is shown of a result set."""

    products: Sequence[ScoredProduct]
    size: int
    missing: Sequence[Missing]
    round_trips: int


class Answering:
    """Answers wishes from the index."""

    def __init__(self, index: ProductIndex, rules: AnswerRules) -> None:
        self._index = index
        self._rules = rules

    async def answer(self, legs: Legs, wish: Wish) -> Answer:
        """Results in the order asked for, ties by product id. Raises as ProductIndex.find."""
        sets = await self._collect(legs, wish)
        trips = sets.round_trips
        dropped: Sequence[str] = ()
        if wish.may_relax and not sets.main.members:
            weaker = await self._relaxed(legs, wish)
            trips += 1
            if weaker is not None:
                wish, dropped = replace(wish, wanted=weaker.wanted), weaker.dropped
                sets = await self._collect(legs, wish)
                trips += sets.round_trips
        shown = await self._shown(legs, wish, sets.main)
        return Answer(
            shown.products,
            shown.size,
            sets.main.truncated,
            dropped,
            self._facets(legs.version, wish, sets),
            shown.missing,
            trips + shown.round_trips,
        )

    async def _collect(self, legs: Legs, wish: Wish) -> _Sets:
        own = {spec.field: without_field(wish.wanted, spec.field) for spec in wish.facets if _is_apart(spec, wish)}
        facts = facts_of(wish.order) | {spec.field for spec in wish.facets if not _is_apart(spec, wish)}
        main = Window(wish.wanted, self._window_of(wish), facts, cards=True, without_groups=wish.without_groups)
        apart = [replace(main, wanted=wanted, facts=frozenset({field}), cards=False) for field, wanted in own.items()]
        collapsed = wish.variants is VariantMode.COLLAPSED
        sets, trips = await collect(
            self._index, legs.version, legs.query, wish.region, [main, *apart], self._rules.sets, collapsed=collapsed
        )
        return _Sets(sets[0], dict(zip(own, sets[1:], strict=True)), trips)

    def _window_of(self, wish: Wish) -> int:
        sets = self._rules.sets
        is_ranked_only = not wish.facets and wish.order is SortOrder.RELEVANCE and wish.limit <= sets.ranked_window
        return min(sets.ranked_window, sets.window) if is_ranked_only else sets.window

    async def _relaxed(self, legs: Legs, wish: Wish) -> Relaxed | None:
        """The strongest of the weaker filters that leaves anything; None where none does."""
        weaker = relaxations(wish.wanted)
        windows = [Window(one.wanted, 1, without_groups=wish.without_groups) for one in weaker]
        found = await self._index.find(legs.version, legs.query, wish.region, windows) if windows else ()
        return next((one for one, hits in zip(weaker, found, strict=True) if hits.dense or hits.lexical), None)

    async def _shown(self, legs: Legs, wish: Wish, found: ResultSet) -> _Shown:
        """The first results, with scores and cards.

        The order by relevance needs the scores of all that was found, any other one only those of what is shown.
        """
        index, version, query = self._index, legs.version, legs.query
        if wish.order is SortOrder.RELEVANCE:
            done = await completed(index, version, query, found, found.hits)
            results = results_of(by_relevance(done.found, query, self._rules.lexical_weight), wish.variants)
        else:
            results = results_of(ordered(found.members, wish.order), wish.variants)
            done = await completed(index, version, query, found, [result.hit.point for result in results[: wish.limit]])
        first = results[: wish.limit]
        cards = [index.card(result.hit, wish.region) for result in first]
        products = scored(first, cards, done.found, legs.centred, version.mean)
        return _Shown(products, len(results), done.missing, done.round_trips)

    def _facets(self, version: IndexVersion, wish: Wish, sets: _Sets) -> list[Facet]:
        limits, declarations = self._rules.facets, version.declarations
        return [
            counted(
                spec,
                (sets.by_field[spec.field] if _is_apart(spec, wish) else sets.main).members,
                declarations,
                limits.values_of(spec),
                wish.variants,
            )
            for spec in wish.facets
        ]


def _is_apart(spec: FacetSpec, wish: Wish) -> bool:
    """Whether a facet is counted over another set than the results."""
    return spec.scope == FacetScope.WITHOUT_OWN_FILTER and without_field(wish.wanted, spec.field) != wish.wanted
