"""Counts everything again by the rules of today. Run as `python -m services.feedback.statistics_recount`.

It empties the tables and returns; the services then count all events that are still kept. Until they have, statistics
are too low.
"""

import asyncio

from services.common.postgres import DatabaseSettings, open_database
from services.common.settings import load_or_exit
from services.feedback.adapters.statistics_reset import reset
from services.feedback.config_statistics import StatisticsSettings


async def _recount(database: DatabaseSettings, statistics: StatisticsSettings) -> None:
    # Every product is written once: that takes longer than a statement of the services may.
    patient = database.model_copy(update={"database_statement_seconds": 3_600.0})
    async with open_database(patient) as opened:
        await reset(opened, statistics.counting_rules())


if __name__ == "__main__":
    asyncio.run(_recount(load_or_exit(DatabaseSettings), load_or_exit(StatisticsSettings)))
