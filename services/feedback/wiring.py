"""The one place where feedback's parts are put together."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from services.common.postgres import Database, open_database
from services.common.server import Registration
from services.common.tasks import end
from services.feedback.adapters.profile_store import PostgresHistories
from services.feedback.config import CounterSettings, FeedbackSettings
from services.feedback.feed_servicer import FeedServicer
from services.feedback.persons import PersonHasher
from services.feedback.profiles import Profiles
from services.feedback.retention import Upkeep
from services.feedback.servicer import FeedbackServicer
from services.feedback.user_data_servicer import UserDataServicer
from services.feedback.visitors import VisitorHasher
from services.feedback.wiring_events import EventParts, open_events
from services.feedback.wiring_privacy import ImpressionParts, impressions_of, person_hasher, purge_of, user_data_of
from services.feedback.wiring_statistics import StatisticsParts, statistics_of
from zhiyin.feedback.v1 import (
    feed_service_pb2,
    feed_service_pb2_grpc,
    feedback_service_pb2,
    feedback_service_pb2_grpc,
    user_data_service_pb2,
    user_data_service_pb2_grpc,
)

SERVICE_NAME: Final = feedback_service_pb2.DESCRIPTOR.services_by_name["FeedbackService"].full_name
FEED_SERVICE_NAME: Final = feed_service_pb2.DESCRIPTOR.services_by_name["FeedService"].full_name
USER_DATA_SERVICE_NAME: Final = user_data_service_pb2.DESCRIPTOR.services_by_name["UserDataService"].full_name


@asynccontextmanager
async def open_service(settings: FeedbackSettings) -> AsyncIterator[Sequence[Registration]]:
    """Feedback, wired. It starts and is ready while its database is away: readiness never depends on a peer."""
    hasher = VisitorHasher(settings.visitor_key.get_secret_value(), settings.visitor_key_version)
    persons = person_hasher(settings, hasher)
    async with open_database(settings) as database:
        statistics = statistics_of(settings, database, settings.event_retention_days)
        impressions = impressions_of(settings, database, hasher)
        async with (
            open_events(settings, database, hasher, statistics.worker.wake) as events,
            _running(_upkeep(settings, events, impressions).run()),
            _running(impressions.worker.run()),
            _running(purge_of(settings, database).run()),
            _counting(statistics, database, is_here=settings.count_statistics),
        ):
            yield _registrations(
                _servicer(settings, database, persons, events, impressions, statistics),
                FeedServicer(statistics.changes, impressions.training),
                user_data_of(settings, database, persons, statistics),
            )


@asynccontextmanager
async def open_counter(settings: CounterSettings) -> AsyncIterator[Sequence[Registration]]:
    """What counts, without a call that could be made: it takes no time from those who record or read."""
    async with open_database(settings) as database:
        statistics = statistics_of(settings, database, settings.event_retention_days)
        async with _counting(statistics, database, is_here=True):
            yield []


def _servicer(
    settings: FeedbackSettings,
    database: Database,
    persons: PersonHasher,
    events: EventParts,
    impressions: ImpressionParts,
    statistics: StatisticsParts,
) -> FeedbackServicer:
    return FeedbackServicer(
        events.recorder,
        impressions.recorder,
        Profiles(PostgresHistories(database), persons, settings.profile_rules(), settings.history_limits()),
        statistics.statistics,
        statistics.co_occurrences,
        statistics.trending,
    )


def _registrations(
    feedback: FeedbackServicer, feed: FeedServicer, user_data: UserDataServicer
) -> Sequence[Registration]:
    return [
        Registration(
            SERVICE_NAME,
            lambda server: feedback_service_pb2_grpc.add_FeedbackServiceServicer_to_server(feedback, server),
        ),
        Registration(
            FEED_SERVICE_NAME, lambda server: feed_service_pb2_grpc.add_FeedServiceServicer_to_server(feed, server)
        ),
        Registration(
            USER_DATA_SERVICE_NAME,
            lambda server: user_data_service_pb2_grpc.add_UserDataServiceServicer_to_server(user_data, server),
        ),
    ]


def _upkeep(settings: FeedbackSettings, events: EventParts, impressions: ImpressionParts) -> Upkeep:
    months, rows = (*events.months, *impressions.months), (*events.rows, *impressions.rows)
    return Upkeep(months, rows, settings.upkeep_rules())


@asynccontextmanager
async def _counting(statistics: StatisticsParts, database: Database, *, is_here: bool) -> AsyncIterator[None]:
    if not is_here:
        yield
        return
    async with _running(statistics.worker.run()), _running(statistics.telemetry.watch(database)):
        yield


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await end(task)
