"""How the statistics are put together."""

from dataclasses import dataclass

from services.common.postgres import Database
from services.feedback.adapters.statistics_changes import PostgresChanges
from services.feedback.adapters.statistics_reader import PostgresStatistics
from services.feedback.adapters.statistics_sweeps import PairSweep, VisitorSweep
from services.feedback.adapters.statistics_telemetry import StatisticsTelemetry
from services.feedback.adapters.statistics_turns import PostgresTurns
from services.feedback.config_statistics import StatisticsSettings
from services.feedback.popularity import Trending
from services.feedback.statistics import Statistics
from services.feedback.statistics_changes import StatisticsChanges
from services.feedback.statistics_pairs import CoOccurrences
from services.feedback.statistics_turn import Contributions, Counter, VisitorKinds
from services.feedback.statistics_worker import StatisticsWorker


@dataclass(frozen=True, slots=True)
class StatisticsParts:
    """What answers, what counts, and what changes who is counted."""

    statistics: Statistics
    co_occurrences: CoOccurrences
    trending: Trending
    changes: StatisticsChanges
    kinds: VisitorKinds
    contributions: Contributions
    worker: StatisticsWorker
    """`run` for the life of the process; `wake` when events or impressions were recorded."""
    telemetry: StatisticsTelemetry
    """`watch` for the life of the process."""


def statistics_of(settings: StatisticsSettings, database: Database, event_retention_days: int) -> StatisticsParts:
    """The statistics on feedback's database."""
    rules, turns, telemetry = settings.counting_rules(), PostgresTurns(database), StatisticsTelemetry()
    tables = PostgresStatistics(database, settings.score_rules(), settings.pair_half_life_days)
    statistics = Statistics(tables, prior=settings.rate_prior, max_products=settings.max_statistics_products)
    return StatisticsParts(
        statistics,
        CoOccurrences(tables, settings.co_occurring_limits(), settings.max_seed_products),
        Trending(tables, settings.trending_limits()),
        StatisticsChanges(PostgresChanges(database), statistics, settings.change_limits(), settings.wait_rules()),
        VisitorKinds(turns, rules),
        Contributions(rules),
        StatisticsWorker(
            Counter(turns, rules, settings.batch_limits()),
            _sweeps(settings, database, event_retention_days),
            telemetry,
            settings.worker_rules(),
        ),
        telemetry,
    )


def _sweeps(
    settings: StatisticsSettings, database: Database, event_retention_days: int
) -> tuple[PairSweep, VisitorSweep]:
    rows = settings.statistics_sweep_rows
    pairs = PairSweep(
        database, half_life=settings.pair_half_life_days, negligible=settings.pair_negligible, stretch=rows
    )
    return pairs, VisitorSweep(database, retention_days=event_retention_days, stretch=rows)
