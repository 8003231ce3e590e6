"""The one place where retrieval's parts are put together."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from services.common.channels import Peer, open_peer
from services.common.postgres import Database, open_database
from services.common.server import Registration
from services.common.tasks import end
from services.retrieval.adapters.active_versions import ActiveVersions
from services.retrieval.adapters.catalogue_store import PostgresCatalogue
from services.retrieval.adapters.change_progress import PostgresProgress
from services.retrieval.adapters.encoders import Encoders
from services.retrieval.adapters.offer_store import PostgresOffers
from services.retrieval.adapters.product_reader import PostgresProductReader
from services.retrieval.adapters.qdrant_recommending import QdrantRecommending
from services.retrieval.adapters.qdrant_schema import QdrantSchema
from services.retrieval.adapters.queue_gauges import PostgresQueues
from services.retrieval.adapters.settings_store import PostgresSettings
from services.retrieval.adapters.stored_cards import StoredCards
from services.retrieval.adapters.telemetry import IndexingTelemetry
from services.retrieval.adapters.version_registry import PostgresVersions
from services.retrieval.answering import Answering
from services.retrieval.catalog_settings import CatalogSettings
from services.retrieval.catalog_settings_servicer import CatalogSettingsServicer
from services.retrieval.catalogue import Catalogue
from services.retrieval.config import RetrievalSettings
from services.retrieval.listing import ProductListing
from services.retrieval.offers import Offers
from services.retrieval.personal import PersonalScores
from services.retrieval.recommending import Recommending
from services.retrieval.search import CandidateSearch
from services.retrieval.servicer import RetrievalServicer
from services.retrieval.signals import IndexingSignals
from services.retrieval.similar import SimilarProducts
from services.retrieval.summaries import Summaries
from services.retrieval.waiting import SearchableWait
from services.retrieval.wiring_index import index_admin_servicer, indexer_of, open_encoders
from zhiyin.retrieval.v1 import catalog_settings_service_pb2_grpc as settings_rpc
from zhiyin.retrieval.v1 import index_admin_service_pb2_grpc as admin_rpc
from zhiyin.retrieval.v1 import retrieval_service_pb2_grpc as rpc

SERVICE: Final = "zhiyin.retrieval.v1.RetrievalService"
CATALOG_SETTINGS: Final = "zhiyin.retrieval.v1.CatalogSettingsService"
INDEX_ADMIN: Final = "zhiyin.retrieval.v1.IndexAdminService"


@asynccontextmanager
async def open_service(settings: RetrievalSettings) -> AsyncIterator[Sequence[Registration]]:
    """Retrieval with its indexer. Nothing is connected yet: it starts, and is ready, while its peers are away."""
    async with (
        open_database(settings) as database,
        open_peer("qdrant", settings.qdrant_url, settings) as qdrant,
        open_encoders(settings) as encoders,
    ):
        signals, telemetry = IndexingSignals(), IndexingTelemetry()
        servicer = _servicer(settings, database, qdrant, encoders, signals)
        catalog_settings = _catalog_settings_servicer(settings, database, signals)
        admin = index_admin_servicer(settings, database, qdrant, encoders, signals)
        indexer = indexer_of(settings, database, qdrant, encoders, signals, telemetry)
        async with _running(indexer.run()), _running(telemetry.watch(PostgresQueues(database))):
            yield [
                Registration(SERVICE, lambda server: rpc.add_RetrievalServiceServicer_to_server(servicer, server)),
                Registration(
                    CATALOG_SETTINGS,
                    lambda server: settings_rpc.add_CatalogSettingsServiceServicer_to_server(catalog_settings, server),
                ),
                Registration(
                    INDEX_ADMIN, lambda server: admin_rpc.add_IndexAdminServiceServicer_to_server(admin, server)
                ),
            ]


def _servicer(
    settings: RetrievalSettings, database: Database, qdrant: Peer, encoders: Encoders, signals: IndexingSignals
) -> RetrievalServicer:
    store, limits = PostgresCatalogue(database), settings.product_limits()
    versions = ActiveVersions(
        QdrantSchema(qdrant, settings.qdrant_seconds),
        PostgresVersions(database),
        seconds=settings.qdrant_seconds,
        reserve=settings.answer_reserve_seconds,
        version_seconds=settings.index_version_seconds,
    )
    index = QdrantRecommending(
        qdrant, versions, seconds=settings.qdrant_seconds, reserve=settings.answer_reserve_seconds
    )
    answering, rules = Answering(index, settings.answer_rules()), settings.search_rules()
    return RetrievalServicer(
        Catalogue(store, signals, limits, settings.write_batch),
        Offers(PostgresOffers(database), signals, limits, settings.offer_batch),
        ProductListing(PostgresProductReader(database), settings.listing_limits()),
        CandidateSearch(encoders, index, answering, PersonalScores(index, settings.interest_rules()), rules),
        SimilarProducts(index, answering, rules, max_excluded=settings.max_excluded_products),
        Recommending(index, encoders, settings.recommend_rules()),
        Summaries(index, StoredCards(database, settings.read_bytes), limits, settings.write_batch),
        SearchableWait(PostgresProgress(database), signals, settings.wait_reserve_seconds),
    )


def _catalog_settings_servicer(
    settings: RetrievalSettings, database: Database, signals: IndexingSignals
) -> CatalogSettingsServicer:
    return CatalogSettingsServicer(CatalogSettings(PostgresSettings(database), signals, settings.settings_limits()))


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await end(task)
