"""What counting does, and how far it lags behind, as metrics."""

import asyncio
import logging
from typing import Final

from opentelemetry import metrics

from services.common.errors import ServiceError
from services.common.postgres import Database
from services.feedback.statistics_turn import Pass

logger = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 5.0
_MOST: Final = 100_000
"""Rows that are counted of those that wait."""
_LAGS: Final = {
    kind: f"""
        SELECT count(*) AS waiting, coalesce(greatest(extract(epoch FROM now() - min(arrival_time)), 0), 0)::float8
        FROM cursors CROSS JOIN LATERAL (
            SELECT arrival_time FROM {kind}
            WHERE {kind}.tx IS NOT NULL AND ({kind}.tx, {kind}.seq) > (cursors.tx, cursors.seq)
            ORDER BY {kind}.tx, {kind}.seq LIMIT $1
        ) AS waiting
        WHERE cursors.name = '{cursor}'
    """  # noqa: S608 - the two tables below
    for kind, cursor in (("events", "statistics"), ("impressions", "statistics_impressions"))
}


class StatisticsTelemetry:
    """A CountingMeter."""

    def __init__(self, meter: metrics.Meter | None = None) -> None:
        meter = meter or metrics.get_meter(__name__)
        self._counted = meter.create_counter("zhiyin.statistics.counted", description="Rows counted, by `kind`.")
        self._flagged = meter.create_counter(
            "zhiyin.statistics.flagged", unit="{visitor}", description="Visitors that turned out to be programs."
        )
        self._waiting = meter.create_gauge(
            "zhiyin.statistics.waiting", description=f"Rows that are not counted yet, by `kind`; {_MOST} at most."
        )
        self._lag = meter.create_gauge(
            "zhiyin.statistics.lag", unit="s", description="Age of the oldest row that is not counted yet, by `kind`."
        )

    def counted(self, counts: Pass) -> None:
        self._counted.add(counts.events, {"kind": "events"})
        self._counted.add(counts.impressions, {"kind": "impressions"})
        self._flagged.add(counts.flagged)

    async def watch(self, database: Database) -> None:
        """Reports how much waits, until cancelled."""
        while True:
            try:
                await self.look(database)
            except ServiceError:
                logger.info("the lag of the statistics cannot be read")
            except Exception:  # the gauges must outlive a schema that is not there yet
                logger.exception("the lag of the statistics cannot be read")
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self, database: Database) -> None:
        """Reports how much waits now. Raises Unavailable."""
        async with database.connection() as connection:
            for kind, statement in _LAGS.items():
                row = await connection.fetchrow(statement, _MOST)
                if row is not None:
                    self._waiting.set(row[0], {"kind": kind})
                    self._lag.set(row[1], {"kind": kind})
