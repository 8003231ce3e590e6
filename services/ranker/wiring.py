"""The one place where the ranker's parts are put together."""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from services.common.channels import open_peer
from services.common.server import Registration
from services.ranker.adapters.feedback import FeedbackStatistics, observe
from services.ranker.adapters.policy_files import read_policies
from services.ranker.candidates import Limits
from services.ranker.config import RankerSettings
from services.ranker.policy_book import PolicyBook
from services.ranker.ranking import Ranker
from services.ranker.recommending import Recommender
from services.ranker.servicer import RankerServicer
from services.ranker.statistics import StatisticsTable
from services.ranker.statistics_feed import StatisticsFollower
from zhiyin.ranker.v1 import ranker_service_pb2 as pb
from zhiyin.ranker.v1 import ranker_service_pb2_grpc as rpc

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["RankerService"].full_name


@asynccontextmanager
async def open_service(settings: RankerSettings) -> AsyncIterator[Sequence[Registration]]:
    """The ranker, wired; it serves whether feedback is there or not.

    Raises:
        SettingsError: a policy file is not valid.
    """
    policies = PolicyBook(read_policies(settings.policy_directory))
    statistics = StatisticsTable(settings.max_statistics_products, time.time)
    servicer = RankerServicer(
        Ranker(policies, statistics, time.time),
        Recommender(policies, statistics, time.time, lambda: secrets.randbits(64)),
        _limits(settings),
    )
    async with _following(settings, statistics):
        yield [Registration(SERVICE_NAME, lambda server: rpc.add_RankerServiceServicer_to_server(servicer, server))]


@asynccontextmanager
async def _following(settings: RankerSettings, table: StatisticsTable) -> AsyncIterator[None]:
    if settings.feedback_target is None:
        yield
        return
    observe(table)
    async with open_peer("feedback", settings.feedback_target, settings) as peer:
        feed = FeedbackStatistics(peer, settings.statistics_page_size, settings.statistics_wait_seconds)
        follower = StatisticsFollower(feed, table, settings.statistics_pause_seconds, settings.statistics_retry_seconds)
        async with follower.running():
            yield


def _limits(settings: RankerSettings) -> Limits:
    return Limits(
        max_candidates=settings.max_candidates,
        max_vector_dims=settings.max_vector_dims,
        max_sources=settings.max_sources,
        max_behaviours=settings.max_behaviours,
        max_titles=settings.max_titles,
    )
