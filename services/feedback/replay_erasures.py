"""Erases again, in a restored database, what was erased since. `python -m services.feedback.replay_erasures LOG_DIR`.

Run it before anybody reads or writes. It may be run again: what the database knows of is passed over.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

from services.common.postgres import DatabaseSettings, open_database
from services.common.settings import load_or_exit
from services.feedback.adapters.erasure_log import NoErasureLog, logged_erasures
from services.feedback.adapters.erasure_store import PostgresErasures
from services.feedback.config_statistics import StatisticsSettings
from services.feedback.statistics_turn import Contributions

_SECONDS: Final = 3_600.0


async def replay(directory: Path, database: DatabaseSettings, statistics: StatisticsSettings) -> tuple[int, int]:
    """How many erasures were replayed, and how many the database knew of.

    Raises:
        OSError: the log cannot be read.
        ValueError: it holds something else.
        Unavailable: the database is away.
    """
    # Every event is read to find the visitors: that takes longer than a statement of the services may.
    patient = database.model_copy(update={"database_statement_seconds": _SECONDS})
    async with open_database(patient) as opened:
        store = PostgresErasures(opened, Contributions(statistics.counting_rules()), NoErasureLog(), _SECONDS)
        done = [await store.replay(erasure) for erasure in logged_erasures(directory)]
    return sum(done), len(done) - sum(done)


def _main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m services.feedback.replay_erasures LOG_DIR")
    directory = Path(sys.argv[1])
    if not directory.is_dir():
        raise SystemExit(f"{directory} is no directory")
    replayed, known = asyncio.run(replay(directory, load_or_exit(DatabaseSettings), load_or_exit(StatisticsSettings)))
    sys.stdout.write(f"{replayed} erasures replayed, {known} known\n")


if __name__ == "__main__":
    _main()
