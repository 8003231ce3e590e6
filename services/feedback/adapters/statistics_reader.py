"""Reading the statistics."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.common.postgres import Database
from services.feedback.co_occurrence import ScoreRules
from services.feedback.popularity import OrderedProduct, Popularity
from services.feedback.statistics import CountRow, PopularityRow, Product, ProductRows
from services.feedback.statistics_pairs import CoOccurrence

# A look-up per product: OFFSET keeps the planner from scanning all of them instead.
_ROWS: Final = """
    SELECT catalog, product_id, popularity.*, counts.*
    FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[])) AS wanted (catalog, product_id)
    CROSS JOIN LATERAL (
        SELECT trending, popular, as_of FROM product_popularity AS kept
        WHERE kept.catalog = wanted.catalog AND kept.product_id = wanted.product_id OFFSET 0
    ) AS popularity
    CROSS JOIN LATERAL (
        SELECT action, count, quantity, decayed_1, decayed_7, decayed_30, kept.as_of FROM product_counts AS kept
        WHERE kept.catalog = wanted.catalog AND kept.product_id = wanted.product_id AND count > 0 OFFSET 0
    ) AS counts
"""
_TOTALS: Final = "SELECT catalog, action, count FROM catalog_counts WHERE catalog = ANY($1)"
_MOST: Final = {
    popularity: f"""
        SELECT product_id, {column}_key FROM product_popularity
        WHERE catalog = $1 AND {column} > 1e-9
        ORDER BY {column}_key DESC, product_id LIMIT $2
    """  # noqa: S608 - the two columns below
    for popularity, column in ((Popularity.TRENDING, "trending"), (Popularity.POPULAR, "popular"))
}
# The heaviest pairs of each direction by their indexes; both are in one list where a product stands before and after.
_BEST: Final = """
    SELECT seeds.product_id, best.other, best.score
    FROM (SELECT DISTINCT unnest($2::text[])) AS seeds (product_id)
    JOIN product_popularity AS seed ON seed.catalog = $1 AND seed.product_id = seeds.product_id
    CROSS JOIN LATERAL (
        SELECT pairs.other,
            sum(decayed(pairs.weight, greatest($4::float8 - pairs.as_of, 0) / $5::float8))
            / power($6::float8 + greatest(
                decayed(target.chosen, greatest($4::float8 - target.as_of, 0) / $5::float8), 0), $7::float8)
            / power($6::float8 + greatest(
                decayed(seed.chosen, greatest($4::float8 - seed.as_of, 0) / $5::float8), 0), $8::float8)
            AS score
        FROM (
            (SELECT b AS other, weight, as_of FROM product_pairs
             WHERE catalog = $1 AND a = seeds.product_id AND weight > 1e-9
             ORDER BY order_key DESC, b LIMIT $10)
            UNION ALL
            (SELECT a, weight * $9::float8, as_of FROM product_pairs
             WHERE catalog = $1 AND b = seeds.product_id AND weight > 1e-9
             ORDER BY order_key DESC, a LIMIT $10)
        ) AS pairs
        JOIN product_popularity AS target ON target.catalog = $1 AND target.product_id = pairs.other
        GROUP BY pairs.other, target.chosen, target.as_of
        ORDER BY score DESC, pairs.other LIMIT $3
    ) AS best
    WHERE best.score > 0
    ORDER BY seeds.product_id, best.score DESC, best.other
"""


class PostgresStatistics:
    """ProductTables, a PopularityTable and a PairTable."""

    def __init__(self, database: Database, rules: ScoreRules, pair_half_life: float) -> None:
        self._database = database
        self._rules = rules
        self._pair_half_life = pair_half_life

    async def rows(self, products: Sequence[Product]) -> ProductRows:
        catalogs, product_ids = [product[0] for product in products], [product[1] for product in products]
        async with self._database.connection() as connection:
            rows = await connection.fetch(_ROWS, catalogs, product_ids)
            totals = await connection.fetch(_TOTALS, list(set(catalogs)))
        return _product_rows(rows, totals)

    async def most(self, catalog: str, popularity: Popularity, limit: int) -> Sequence[OrderedProduct]:
        async with self._database.connection() as connection:
            return [OrderedProduct(*row) for row in await connection.fetch(_MOST[popularity], catalog, limit)]

    async def best(
        self, catalog: str, product_ids: Sequence[str], limit: int, day: float
    ) -> Mapping[str, Sequence[CoOccurrence]]:
        rules = self._rules
        damping = (rules.prior, rules.popularity_exponent, rules.seed_exponent, rules.backward, rules.scanned)
        async with self._database.connection() as connection:
            rows = await connection.fetch(_BEST, catalog, product_ids, limit, day, self._pair_half_life, *damping)
        best: dict[str, list[CoOccurrence]] = defaultdict(list)
        for seed, other, score in rows:
            best[seed].append(CoOccurrence(other, score))
        return best


def _product_rows(rows: Sequence[Any], totals: Sequence[Any]) -> ProductRows:
    counts: dict[Product, list[CountRow]] = defaultdict(list)
    popularity: dict[Product, PopularityRow] = {}
    for catalog, product_id, trending, popular, as_of, action, count, units, day, week, month, counts_as_of in rows:
        product = (catalog, product_id)
        popularity[product] = PopularityRow(trending, popular, as_of)
        counts[product].append(CountRow(action, count, units, (day, week, month), counts_as_of))
    return ProductRows(counts, popularity, {(row["catalog"], row["action"]): row["count"] for row in totals})
