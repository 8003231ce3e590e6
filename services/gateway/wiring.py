"""Connects the gateway's parts."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.common.channels import Peer, open_peer
from services.common.server import Registration
from services.gateway.adapters.feedback import BackgroundImpressionLog, ProfileClient
from services.gateway.adapters.hand_through import AdminService, HandedThrough
from services.gateway.adapters.ranker import RankerClient
from services.gateway.adapters.retrieval import RetrievalClient
from services.gateway.adapters.signing import TokenSigner
from services.gateway.config import GatewaySettings
from services.gateway.convert import ListRequests
from services.gateway.product_pages import ProductPages
from services.gateway.ranked_lists import ImpressionLog, RankedLists
from services.gateway.search import Search
from services.gateway.servicer import HANDED_THROUGH, GatewayServicer
from services.gateway.similar import SimilarProducts
from services.gateway.tokens import ListTokens, PageTokens
from zhiyin.gateway.v1 import catalog_settings_service_pb2, gateway_service_pb2, index_admin_service_pb2
from zhiyin.gateway.v1.gateway_service_pb2_grpc import add_GatewayServiceServicer_to_server

_PUBLIC = gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"]
_ADMIN = (
    catalog_settings_service_pb2.DESCRIPTOR.services_by_name["CatalogSettingsService"],
    index_admin_service_pb2.DESCRIPTOR.services_by_name["IndexAdminService"],
)


@asynccontextmanager
async def open_service(settings: GatewaySettings) -> AsyncIterator[Sequence[Registration]]:
    """The gateway, wired; its channels connect when first used."""
    async with (
        open_peer("retrieval", settings.retrieval_target, settings) as retrieval,
        open_peer("ranker", settings.ranker_target, settings) as ranker,
        open_peer("feedback", settings.feedback_target, settings) as feedback,
    ):
        impressions = BackgroundImpressionLog(feedback, settings.impression_queue_size)
        servicer = _servicer(settings, retrieval, ranker, feedback, impressions)
        async with impressions.running(settings.impression_flush_seconds):
            yield [
                Registration(_PUBLIC.full_name, lambda server: add_GatewayServiceServicer_to_server(servicer, server)),
                *_admin_services(settings, retrieval),
            ]


def _servicer(
    settings: GatewaySettings, retrieval: Peer, ranker: Peer, feedback: Peer, impressions: ImpressionLog
) -> GatewayServicer:
    reserve = settings.reply_reserve_seconds
    signer = TokenSigner(settings)
    candidates = RetrievalClient(retrieval, settings.max_places, reserve)
    ranking = RankerClient(ranker, settings.ranker_seconds, reserve / 2)
    profiles = ProfileClient(feedback, settings.profile_seconds)

    def page_tokens(purpose: str) -> PageTokens:
        return PageTokens(signer, purpose, settings.page_token_seconds)

    def lists(purpose: str) -> RankedLists:
        return RankedLists(candidates, ranking, profiles, ListTokens(signer, page_tokens(purpose)))

    return GatewayServicer(
        ListRequests(settings),
        Search(candidates, lists("page"), impressions),
        SimilarProducts(candidates, lists("similar-page"), impressions),
        ProductPages(candidates, page_tokens("product-page")),
        HandedThrough(
            retrieval,
            [_PUBLIC.methods_by_name[name] for name in HANDED_THROUGH],
            "zhiyin.retrieval.v1.RetrievalService",
            reserve,
        ),
    )


def _admin_services(settings: GatewaySettings, retrieval: Peer) -> list[Registration]:
    services = [
        AdminService(retrieval, descriptor, settings.reply_reserve_seconds, settings.admin_deadline_seconds)
        for descriptor in _ADMIN
    ]
    return [Registration(service.name, service.add_to) for service in services]
