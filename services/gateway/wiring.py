"""Connects the gateway's parts."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.common.channels import open_peer
from services.common.server import Registration
from services.gateway.adapters.feedback import BackgroundImpressionLog, ProfileClient
from services.gateway.adapters.ranker import RankerClient
from services.gateway.adapters.retrieval import RetrievalClient
from services.gateway.adapters.signing import TokenSigner
from services.gateway.config import GatewaySettings
from services.gateway.convert import SearchRequests
from services.gateway.search import Search
from services.gateway.servicer import GatewayServicer
from services.gateway.tokens import Tokens
from zhiyin.gateway.v1.gateway_service_pb2_grpc import add_GatewayServiceServicer_to_server


@asynccontextmanager
async def open_service(settings: GatewaySettings) -> AsyncIterator[Sequence[Registration]]:
    """The gateway, wired; its channels connect when first used."""
    async with (
        open_peer("retrieval", settings.retrieval_target, settings) as retrieval_peer,
        open_peer("ranker", settings.ranker_target, settings) as ranker_peer,
        open_peer("feedback", settings.feedback_target, settings) as feedback_peer,
    ):
        retrieval = RetrievalClient(retrieval_peer, settings.max_places, settings.reply_reserve_seconds)
        ranker = RankerClient(ranker_peer, settings.ranker_seconds, settings.reply_reserve_seconds / 2)
        profiles = ProfileClient(feedback_peer, settings.profile_seconds)
        impressions = BackgroundImpressionLog(feedback_peer, settings.impression_queue_size)
        tokens = Tokens(TokenSigner(settings), settings.page_token_seconds)
        servicer = GatewayServicer(
            Search(retrieval, ranker, profiles, impressions, tokens), SearchRequests(settings), retrieval
        )
        async with impressions.running(settings.impression_flush_seconds):
            yield [
                Registration(
                    "zhiyin.gateway.v1.GatewayService",
                    lambda server: add_GatewayServiceServicer_to_server(servicer, server),
                )
            ]
