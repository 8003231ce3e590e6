"""Adding to the tables of the statistics."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from services.common.postgres import Connection
from services.feedback.counting import Deltas

# Of two days the later one holds; each side decays up to it.
_TO_LATER: Final = """
    decayed({table}.{column}, greatest(excluded.as_of - {table}.as_of, 0) / {half_life})
        + decayed(excluded.{column}, greatest({table}.as_of - excluded.as_of, 0) / {half_life})
"""


def _sum(table: str, column: str, half_life: str) -> str:
    return _TO_LATER.format(table=table, column=column, half_life=half_life)


_COUNTS: Final = f"""
    INSERT INTO product_counts AS kept
        (catalog, product_id, action, count, quantity, decayed_1, decayed_7, decayed_30, as_of)
    SELECT added.*, $9::float8 FROM unnest(
        $1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::bigint[], $6::float8[], $7::float8[], $8::float8[]
    ) AS added
    ON CONFLICT (catalog, product_id, action) DO UPDATE SET
        count = kept.count + excluded.count,
        quantity = kept.quantity + excluded.quantity,
        decayed_1 = {_sum("kept", "decayed_1", "1")},
        decayed_7 = {_sum("kept", "decayed_7", "7")},
        decayed_30 = {_sum("kept", "decayed_30", "30")},
        as_of = greatest(kept.as_of, excluded.as_of)
"""  # noqa: S608 - only the constants of this file
_TOTALS: Final = """
    INSERT INTO catalog_counts AS kept (catalog, action, count)
    SELECT * FROM unnest($1::text[], $2::smallint[], $3::bigint[])
    ON CONFLICT (catalog, action) DO UPDATE SET count = kept.count + excluded.count
"""
_POPULARITY: Final = f"""
    INSERT INTO product_popularity AS kept (catalog, product_id, trending, popular, chosen, as_of)
    SELECT added.*, $6::float8 FROM unnest($1::text[], $2::text[], $3::float8[], $4::float8[], $5::float8[]) AS added
    ON CONFLICT (catalog, product_id) DO UPDATE SET
        trending = {_sum("kept", "trending", "1")},
        popular = {_sum("kept", "popular", "30")},
        chosen = {_sum("kept", "chosen", "$7::float8")},
        as_of = greatest(kept.as_of, excluded.as_of),
        tx = excluded.tx,
        seq = excluded.seq
"""  # noqa: S608 - as above
_PAIR: Final = _sum("kept", "weight", "$6::float8")
_PAIRS: Final = f"""
    INSERT INTO product_pairs AS kept (catalog, a, b, weight, as_of, order_key)
    SELECT added.*, $5::float8, floor(2 * order_key(added.weight, $5::float8, $6::float8))
    FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[]) AS added (catalog, a, b, weight)
    ON CONFLICT (catalog, a, b) DO UPDATE SET
        weight = {_PAIR},
        as_of = greatest(kept.as_of, excluded.as_of),
        order_key = floor(2 * order_key({_PAIR}, greatest(kept.as_of, excluded.as_of), $6::float8))
"""  # noqa: S608 - as above


async def add_deltas(connection: Connection, deltas: Deltas, pair_half_life: float) -> None:
    """Adds everything, in the order of the keys."""
    if deltas.counts:
        await connection.execute(
            _COUNTS, *_columns((*key, *value) for key, value in deltas.counts.items()), deltas.as_of
        )
        await connection.execute(_TOTALS, *_columns(_totals(deltas)))
    if deltas.popularity:
        rows = ((*key, *value) for key, value in deltas.popularity.items())
        await connection.execute(_POPULARITY, *_columns(rows), deltas.as_of, pair_half_life)
    if deltas.pairs:
        pairs = ((*key, value) for key, value in deltas.pairs.items())
        await connection.execute(_PAIRS, *_columns(pairs), deltas.as_of, pair_half_life)


def _totals(deltas: Deltas) -> Iterable[tuple[str, int, int]]:
    totals: dict[tuple[str, int], int] = defaultdict(int)
    for (catalog, _, action), counts in deltas.counts.items():
        totals[catalog, action] += int(counts[0])
    return ((*key, count) for key, count in totals.items())


def _columns(rows: Iterable[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
    return zip(*sorted(rows), strict=True)
