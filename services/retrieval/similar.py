"""Products that are similar to one, by the vector and the words that the index keeps of it: no encoder is asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import NotFound, Violation
from services.retrieval.active_search import PRODUCT_NOT_INDEXED, in_active_version
from services.retrieval.analysis import has_analyser
from services.retrieval.answering import Answering, Legs, Wish
from services.retrieval.filter_rules import declared_filter, filter_violations
from services.retrieval.filters import EVERYTHING, ProductFilter
from services.retrieval.index_version import IndexVersion
from services.retrieval.product_index import LegQuery, StoredProduct, StoredProducts
from services.retrieval.ranking import Missing
from services.retrieval.requests import require
from services.retrieval.search import (
    SearchResult,
    SearchRules,
    limit_violations,
    mode_violations,
)
from services.retrieval.validation import product_id_violations, too_long, too_many
from services.retrieval.variants import VariantMode


@dataclass(frozen=True, slots=True)
class SimilarQuery:
    """What a caller asks for."""

    catalog: str
    product_id: str
    limit: int
    wanted: ProductFilter = EVERYTHING
    region: str = ""
    excluded: Sequence[str] = ()
    """Ids of products that must not be found, nor their variants."""
    variants: int = VariantMode.COLLAPSED


class SimilarProducts:
    """Finds products that are similar to one."""

    def __init__(self, index: StoredProducts, answering: Answering, rules: SearchRules, *, max_excluded: int) -> None:
        self._index = index
        self._answering = answering
        self._rules = rules
        self._max_excluded = max_excluded

    async def find(self, query: SimilarQuery) -> SearchResult:
        """Candidates in retrieval's own order, ties by product id, without the product and its variants.

        Raises:
            InvalidArgument: a rule of the request is broken.
            NotFound: there is no such catalogue, or its index has no such product.
            Unavailable: the index is away.
        """
        require(self._violations(query))
        return await in_active_version(
            query.catalog, query.wanted, self._index, lambda version: self._find(query, version)
        )

    def _violations(self, query: SimilarQuery) -> list[Violation]:
        rules = self._rules
        violations = list(product_id_violations("product_id", query.product_id))
        violations += limit_violations(query.limit)
        violations += too_long("region", query.region, rules.product_limits.region_characters)
        violations += filter_violations(query.wanted, rules.filter_limits, rules.product_limits)
        violations += too_many("excluded_product_ids", len(query.excluded), self._max_excluded)
        for position, product_id in enumerate(query.excluded[: self._max_excluded]):
            violations += product_id_violations(f"excluded_product_ids[{position}]", product_id)
        violations += mode_violations("variants", query.variants, VariantMode)
        return violations

    async def _find(self, query: SimilarQuery, version: IndexVersion) -> SearchResult:
        violations: list[Violation] = []
        wanted = declared_filter(query.wanted, version.declarations, violations)
        require(violations)
        product = await self._index.stored(version, query.product_id)
        if product is None:
            raise NotFound(
                "the index has no such product", reason=PRODUCT_NOT_INDEXED, metadata={"catalog": query.catalog}
            )
        excluded = await self._index.groups(version, query.excluded) if query.excluded else ()
        # An excluded product may be the primary one of variants without being there itself.
        groups = list(dict.fromkeys([product.group, *excluded, *query.excluded]))
        limit, mode = self._rules.limit_of(query.limit), VariantMode(query.variants)
        wish = Wish(wanted, query.region, limit, variants=mode, without_groups=groups)
        legs, missing = _legs(product, version)
        answer = await self._answering.answer(legs, wish)
        return SearchResult(answer, version, [*missing, *answer.missing])


def _legs(product: StoredProduct, version: IndexVersion) -> tuple[Legs, list[Missing]]:
    words = product.words if product.words[0] and has_analyser(version.analyser_version) else None
    missing = [] if product.vector is not None else [Missing("LEXICAL_ONLY", "retrieval", "VECTOR_NOT_THERE_YET")]
    direction = None if product.vector is None else product.vector.direction
    return Legs(version, LegQuery(direction, words), product.vector), missing
