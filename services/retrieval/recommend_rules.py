"""What a caller of recommendations asks for, and the rules of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from services.common.errors import Violation
from services.retrieval.filter_rules import filter_violations
from services.retrieval.filters import EVERYTHING, ProductFilter
from services.retrieval.interests import InterestRules
from services.retrieval.search import SearchRules, limit_violations, mode_violations
from services.retrieval.seeds import Behaviour, behaviour_violations
from services.retrieval.validation import product_id_violations, too_long, too_many
from services.retrieval.variants import VariantMode


class CategoryScope(IntEnum):
    """Numbers as in zhiyin.retrieval.v1.CategoryScope."""

    ALL = 1
    ACROSS = 2


@dataclass(frozen=True, slots=True)
class RecommendQuery:
    """What a caller asks for. Modes are numbers of their enums, not yet known to be values of them."""

    catalog: str
    behaviours: Sequence[Behaviour]
    """Newest first."""
    page: Sequence[str]
    """Ids of the page's products."""
    named: Sequence[str]
    """Ids of products that other sources bring."""
    excluded: Sequence[str]
    limit: int
    wanted: ProductFilter = EVERYTHING
    region: str = ""
    scope: int = CategoryScope.ALL
    variants: int = VariantMode.COLLAPSED


@dataclass(frozen=True, slots=True)
class RecommendRules:
    """Limits of a request, and how behaviours become candidates."""

    search: SearchRules
    page: int = 50
    named: int = 500
    excluded: int = 2_000
    texts: int = 3
    """Texts that are encoded, the heaviest ones."""
    page_seeds: int = 5
    """Products of the page that candidates are searched for, the first ones."""
    least: int = 20
    """Candidates of a direction at least."""
    exact_reasons: int = 60
    """Candidates, the closest ones, that are compared with every behaviour of an interest."""
    interests: InterestRules = field(default_factory=InterestRules)


def recommend_violations(query: RecommendQuery, rules: RecommendRules) -> Iterator[Violation]:
    """Every rule that a request breaks."""
    search = rules.search
    yield from behaviour_violations(query.behaviours, search.behaviours, search.query_characters)
    yield from _ids_violations("page_product_ids", query.page, rules.page)
    yield from _ids_violations("extra_product_ids", query.named, rules.named)
    yield from _ids_violations("excluded_product_ids", query.excluded, rules.excluded)
    yield from limit_violations(query.limit)
    yield from too_long("region", query.region, search.product_limits.region_characters)
    yield from filter_violations(query.wanted, search.filter_limits, search.product_limits)
    yield from mode_violations("category_scope", query.scope, CategoryScope)
    yield from mode_violations("variants", query.variants, VariantMode)


def _ids_violations(name: str, ids: Sequence[str], most: int) -> Iterator[Violation]:
    yield from too_many(name, len(ids), most)
    for position, product_id in enumerate(ids[:most]):
        yield from product_id_violations(f"{name}[{position}]", product_id)
