"""How impressions, training examples, and what is kept of a person are put together."""

from dataclasses import dataclass

from services.common.postgres import Database
from services.feedback.adapters.erased_visitors import PostgresErasedVisitors
from services.feedback.adapters.erasure_log import DirectoryErasureLog, NoErasureLog
from services.feedback.adapters.erasure_store import PostgresErasures
from services.feedback.adapters.export_store import PostgresExports
from services.feedback.adapters.partition_store import PostgresPartitions
from services.feedback.adapters.postgres import PostgresImpressions
from services.feedback.adapters.purge_store import PostgresPurge
from services.feedback.adapters.training_replies import TrainingReplies
from services.feedback.adapters.training_store import PostgresTraining
from services.feedback.config import FeedbackSettings
from services.feedback.erasure import Erasures
from services.feedback.export import Exports
from services.feedback.kinds import Kinds
from services.feedback.persons import PersonHasher
from services.feedback.purging import Purge
from services.feedback.recording import ImpressionRecorder
from services.feedback.retention import KeptMonths, KeptRows
from services.feedback.statistics_requests import PageLimits
from services.feedback.training import TrainingFeed, TrainingWorker
from services.feedback.user_data_servicer import UserDataServicer
from services.feedback.visitors import VisitorHasher
from services.feedback.wiring_statistics import StatisticsParts


@dataclass(frozen=True, slots=True)
class ImpressionParts:
    """What keeps impressions and makes examples of them, and for how long they are kept."""

    recorder: ImpressionRecorder
    training: TrainingReplies
    worker: TrainingWorker
    """`run` for the life of the process."""
    months: tuple[KeptMonths, ...]
    rows: tuple[KeptRows, ...]


def person_hasher(settings: FeedbackSettings, present: VisitorHasher) -> PersonHasher:
    """Finds persons under the present key and the one before."""
    previous = settings.visitor_previous_key
    # The version is not looked at: it stands beside what is kept, and nothing is kept under this key any more.
    return PersonHasher([present, VisitorHasher(previous.get_secret_value(), 1)] if previous else [present])


def impressions_of(settings: FeedbackSettings, database: Database, hasher: VisitorHasher) -> ImpressionParts:
    """The impressions of feedback's database."""
    partitions = PostgresPartitions(database, "impressions")
    store = PostgresImpressions(database, partitions, PostgresErasedVisitors())
    training, purge = PostgresTraining(database), PostgresPurge(database, settings.purge_statement_seconds)
    rules, days = settings.training_rules(), settings.impression_retention_days
    limits = PageLimits(settings.default_training_examples, settings.max_training_examples)
    return ImpressionParts(
        ImpressionRecorder(store, hasher, settings.impression_limits()),
        TrainingReplies(TrainingFeed(training, rules.late_seconds, limits, settings.wait_rules())),
        TrainingWorker(training, rules),
        (KeptMonths(partitions, days),),
        (
            KeptRows(store.forget, days),
            KeptRows(purge.forget_examples, days),
            # Older events are refused, and older impressions are of no use.
            KeptRows(purge.forget_marks, max(days, settings.event_retention_days)),
        ),
    )


def user_data_of(
    settings: FeedbackSettings, database: Database, persons: PersonHasher, statistics: StatisticsParts
) -> UserDataServicer:
    """What is kept of a person, in feedback's database."""
    log = DirectoryErasureLog(settings.erasure_log) if settings.erasure_log else NoErasureLog()
    erasures = PostgresErasures(database, statistics.contributions, log, settings.erase_statement_seconds)
    return UserDataServicer(
        Exports(PostgresExports(database), persons, settings.max_export_bytes),
        Erasures(erasures, persons, settings.purge_hours),
        Kinds(statistics.kinds, persons),
    )


def purge_of(settings: FeedbackSettings, database: Database) -> Purge:
    """Clears away what was erased; `run` for the life of the process."""
    return Purge(PostgresPurge(database, settings.purge_statement_seconds), settings.purge_poll_seconds)
