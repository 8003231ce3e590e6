"""Connects the gateway's parts."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from services.common.channels import Peer, open_peer
from services.common.server import Registration
from services.gateway.adapters.feedback import FeedbackClient
from services.gateway.adapters.hand_through import AdminService, HandedThrough
from services.gateway.adapters.impressions import BackgroundImpressionLog
from services.gateway.adapters.ranker import RankerClient
from services.gateway.adapters.retrieval import RetrievalClient
from services.gateway.adapters.signing import TokenSigner
from services.gateway.config import GatewaySettings
from services.gateway.convert import ListRequests
from services.gateway.events import EventRecorder
from services.gateway.popularity import Popularity
from services.gateway.product_pages import ProductPages
from services.gateway.ranked_lists import ImpressionLog, RankedLists
from services.gateway.recommending import Recommending, RecommendLimits
from services.gateway.search import Search
from services.gateway.servicer import HANDED_THROUGH, HANDED_TO_FEEDBACK, GatewayServicer
from services.gateway.similar import SimilarProducts
from services.gateway.sources import Sources
from services.gateway.tokens import AttributionTokens, ListTokens, PageTokens
from zhiyin.gateway.v1 import (
    catalog_settings_service_pb2,
    gateway_service_pb2,
    index_admin_service_pb2,
    user_data_service_pb2,
)
from zhiyin.gateway.v1.gateway_service_pb2_grpc import add_GatewayServiceServicer_to_server

_PUBLIC = gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"]
_CATALOG_SETTINGS = catalog_settings_service_pb2.DESCRIPTOR.services_by_name["CatalogSettingsService"]
_INDEX_ADMIN = index_admin_service_pb2.DESCRIPTOR.services_by_name["IndexAdminService"]
_USER_DATA = user_data_service_pb2.DESCRIPTOR.services_by_name["UserDataService"]
_RETRIEVAL, _FEEDBACK = "zhiyin.retrieval.v1", "zhiyin.feedback.v1"


@asynccontextmanager
async def open_service(settings: GatewaySettings) -> AsyncIterator[Sequence[Registration]]:
    """The gateway, wired; its channels connect when first used."""
    async with (
        open_peer("retrieval", settings.retrieval_target, settings) as retrieval,
        open_peer("ranker", settings.ranker_target, settings) as ranker,
        open_peer("feedback", settings.feedback_target, settings) as feedback,
        AsyncExitStack() as stack,
    ):
        impressions = BackgroundImpressionLog(feedback, settings.impression_queue_size)
        client = _feedback_client(settings, feedback)
        popularity = Popularity(
            client,
            fresh_seconds=settings.popular_fresh_seconds,
            stale_seconds=settings.popular_stale_seconds,
            most_catalogs=settings.popular_catalogs,
            clock=time.monotonic,
        )
        stack.push_async_callback(popularity.close)
        servicer = _servicer(settings, retrieval, ranker, feedback, client, popularity, impressions)
        async with impressions.running(settings.impression_flush_seconds):
            yield [
                Registration(_PUBLIC.full_name, lambda server: add_GatewayServiceServicer_to_server(servicer, server)),
                *_admin_services(settings, retrieval, feedback),
            ]


def _feedback_client(settings: GatewaySettings, feedback: Peer) -> FeedbackClient:
    return FeedbackClient(
        feedback,
        profile_seconds=settings.profile_seconds,
        long_profile_seconds=settings.long_profile_seconds,
        related_seconds=settings.related_seconds,
        popular_seconds=settings.popular_seconds,
        event_seconds=settings.event_seconds,
        event_reserve=settings.reply_reserve_seconds,
        behaviours=settings.max_behaviours,
    )


def _servicer(
    settings: GatewaySettings,
    retrieval: Peer,
    ranker: Peer,
    feedback: Peer,
    client: FeedbackClient,
    popularity: Popularity,
    impressions: ImpressionLog,
) -> GatewayServicer:
    reserve = settings.reply_reserve_seconds
    signer = TokenSigner(settings)
    candidates = RetrievalClient(retrieval, settings.max_places, reserve, settings.content_seconds)
    ranking = RankerClient(ranker, settings.ranker_seconds, reserve / 2)

    def page_tokens(purpose: str) -> PageTokens:
        return PageTokens(signer, purpose, settings.page_token_seconds)

    def lists(purpose: str) -> RankedLists:
        return RankedLists(candidates, ListTokens(signer, page_tokens(purpose)))

    def handed(peer: Peer, names: Sequence[str], at: str) -> HandedThrough:
        return HandedThrough(peer, [_PUBLIC.methods_by_name[name] for name in names], at, reserve)

    return GatewayServicer(
        ListRequests(settings),
        Search(candidates, ranking, client, lists("page"), impressions),
        SimilarProducts(candidates, ranking, lists("similar-page"), impressions),
        ProductPages(candidates, page_tokens("product-page")),
        Recommending(
            candidates,
            client,
            Sources(client, popularity, settings.max_sourced_products),
            ranking,
            lists("recommend-page"),
            impressions,
            _recommend_limits(settings),
        ),
        EventRecorder(client, AttributionTokens(signer, settings.attribution_token_seconds)),
        handed(retrieval, HANDED_THROUGH, f"{_RETRIEVAL}.RetrievalService"),
        handed(feedback, HANDED_TO_FEEDBACK, f"{_FEEDBACK}.FeedbackService"),
    )


def _recommend_limits(settings: GatewaySettings) -> RecommendLimits:
    return RecommendLimits(
        settings.max_behaviours,
        settings.max_seed_events,
        settings.max_seed_products,
        settings.max_sourced_products,
        settings.max_excluded_recommendations,
        settings.recommend_unseen_only,
    )


def _admin_services(settings: GatewaySettings, retrieval: Peer, feedback: Peer) -> list[Registration]:
    reserve = settings.reply_reserve_seconds

    def handed(peer: Peer, methods: Sequence[Any], at: str) -> HandedThrough:
        return HandedThrough(peer, methods, at, reserve)

    # A profile is what feedback answers every recommendation with; the rest is for operators there too.
    profile = [method for method in _USER_DATA.methods if method.name == "GetUserProfile"]
    others = [method for method in _USER_DATA.methods if method.name != "GetUserProfile"]
    parts = {
        _CATALOG_SETTINGS: [handed(retrieval, _CATALOG_SETTINGS.methods, f"{_RETRIEVAL}.{_CATALOG_SETTINGS.name}")],
        _INDEX_ADMIN: [handed(retrieval, _INDEX_ADMIN.methods, f"{_RETRIEVAL}.{_INDEX_ADMIN.name}")],
        _USER_DATA: [
            handed(feedback, profile, f"{_FEEDBACK}.FeedbackService"),
            handed(feedback, others, f"{_FEEDBACK}.{_USER_DATA.name}"),
        ],
    }
    services = [AdminService(one, by, settings.admin_deadline_seconds) for one, by in parts.items()]
    return [Registration(service.name, service.add_to) for service in services]
