"""Letting go of pairs that have decayed to nothing, and of visitors whose events are gone."""

from typing import Any, Final

from services.common.postgres import Database

# A stretch of the primary key at a time, from where the last one ended; it never waits for one who counts.
_STRETCH: Final = """
    SELECT catalog, a, b FROM product_pairs WHERE (catalog, a, b) > ($1, $2, $3) ORDER BY catalog, a, b
    OFFSET $4 - 1 LIMIT 1
"""
_TURN: Final = "SELECT FROM cursors WHERE name = 'statistics' FOR UPDATE SKIP LOCKED"
_PAIRS: Final = """
    DELETE FROM product_pairs
    WHERE (catalog, a, b) > ($1, $2, $3) AND ($4::text IS NULL OR (catalog, a, b) <= ($4, $5, $6))
        AND (weight <= 1e-9 OR order_key < $7::integer)
"""
_VISITORS: Final = """
    DELETE FROM visitor_states WHERE (catalog, visitor_hash) IN (
        SELECT catalog, visitor_hash FROM visitor_states WHERE last_arrival < now() - make_interval(days => $1) LIMIT $2
    )
"""
_BEGINNING: Final = ("", "", "")
_LEAST_KEY: Final = """
    SELECT floor(2 * order_key($1::float8, extract(epoch FROM now())::float8 / 86400, $2::float8))::integer
"""


class PairSweep:
    """A Sweep over the pairs: those that weigh less than `negligible` now."""

    def __init__(self, database: Database, *, half_life: float, negligible: float, stretch: int) -> None:
        self._database = database
        self._half_life = half_life
        self._negligible = negligible
        self._stretch = stretch
        self._after: tuple[Any, ...] = _BEGINNING

    async def one_pass(self) -> None:
        async with self._database.transaction() as connection:
            if await connection.fetchrow(_TURN) is None:
                return
            least = await connection.fetchval(_LEAST_KEY, self._negligible, self._half_life)
            end = await connection.fetchrow(_STRETCH, *self._after, self._stretch)
            until = (None, None, None) if end is None else tuple(end)
            await connection.execute(_PAIRS, *self._after, *until, least)
        self._after = _BEGINNING if end is None else until


class VisitorSweep:
    """A Sweep over the visitors: those of whom nothing has arrived for longer than events are kept."""

    def __init__(self, database: Database, *, retention_days: int, stretch: int) -> None:
        self._database = database
        self._retention_days = retention_days
        self._stretch = stretch

    async def one_pass(self) -> None:
        async with self._database.transaction() as connection:
            if await connection.fetchrow(_TURN) is not None:
                await connection.execute(_VISITORS, self._retention_days, self._stretch)
