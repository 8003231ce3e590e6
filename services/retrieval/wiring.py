"""The one place where retrieval's parts are put together."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from services.common.channels import Peer, open_peer
from services.common.postgres import Database, open_database
from services.common.server import Registration
from services.retrieval.adapters.catalogue_store import PostgresCatalogue
from services.retrieval.adapters.encoder import Encoder
from services.retrieval.adapters.outbox import PostgresLease, PostgresOutbox, PostgresVectors, PostgresVersions
from services.retrieval.adapters.qdrant_index import QdrantIndex, QdrantWriter
from services.retrieval.adapters.qdrant_schema import QdrantSchema
from services.retrieval.adapters.telemetry import IndexingTelemetry
from services.retrieval.adapters.versions import IndexVersions
from services.retrieval.catalogue import Catalogue
from services.retrieval.config import RetrievalSettings
from services.retrieval.indexer import Indexer, IndexerRules
from services.retrieval.indexing import BatchIndexer
from services.retrieval.pauses import Pause
from services.retrieval.search import CandidateSearch, SearchRules
from services.retrieval.servicer import RetrievalServicer
from services.retrieval.signals import IndexingSignals
from services.retrieval.summaries import Summaries
from services.retrieval.tasks import end
from services.retrieval.waiting import SearchableWait
from zhiyin.retrieval.v1 import retrieval_service_pb2_grpc as rpc

SERVICE: Final = "zhiyin.retrieval.v1.RetrievalService"


@asynccontextmanager
async def open_service(settings: RetrievalSettings) -> AsyncIterator[Sequence[Registration]]:
    """Retrieval with its indexer. Nothing is connected yet: it starts, and is ready, while its peers are away."""
    async with (
        open_database(settings) as database,
        open_peer("qdrant", settings.qdrant_url, settings) as qdrant,
        open_peer("encoder", settings.encoder_target, settings) as encoder_peer,
    ):
        encoder = Encoder(
            encoder_peer,
            settings.encode_query_seconds,
            settings.encode_products_seconds,
            settings.search_reserve_seconds,
        )
        signals, telemetry = IndexingSignals(), IndexingTelemetry()
        servicer = _servicer(settings, database, qdrant, encoder, signals)
        indexer = _indexer(settings, database, qdrant, encoder, signals, telemetry)
        async with _running(indexer.run()), _running(telemetry.watch(PostgresOutbox(database))):
            yield [Registration(SERVICE, lambda server: rpc.add_RetrievalServiceServicer_to_server(servicer, server))]


def _servicer(
    settings: RetrievalSettings, database: Database, qdrant: Peer, encoder: Encoder, signals: IndexingSignals
) -> RetrievalServicer:
    store, limits = PostgresCatalogue(database), settings.product_limits()
    index = QdrantIndex(
        qdrant,
        QdrantSchema(qdrant, settings.qdrant_seconds),
        seconds=settings.qdrant_seconds,
        reserve=settings.answer_reserve_seconds,
        version_seconds=settings.index_version_seconds,
    )
    rules = SearchRules(
        settings.query_characters,
        settings.default_candidates,
        settings.max_candidates,
        settings.lexical_weight,
        limits,
    )
    return RetrievalServicer(
        Catalogue(store, signals, limits, settings.write_batch),
        CandidateSearch(encoder, index, rules),
        Summaries(index, limits, settings.write_batch),
        SearchableWait(store, signals, settings.wait_reserve_seconds),
    )


def _indexer(
    settings: RetrievalSettings,
    database: Database,
    qdrant: Peer,
    encoder: Encoder,
    signals: IndexingSignals,
    telemetry: IndexingTelemetry,
) -> Indexer:
    schema = QdrantSchema(qdrant, settings.index_write_seconds)
    versions = IndexVersions(PostgresVersions(database), schema, encoder)
    pause = Pause(settings.index_backoff_seconds)
    batches = BatchIndexer(
        PostgresOutbox(database),
        PostgresVectors(database),
        versions,
        encoder,
        QdrantWriter(qdrant, settings.index_write_seconds),
        telemetry,
        settings.document_rules(),
        pause,
    )
    rules = IndexerRules(
        settings.index_batch, settings.index_poll_seconds, settings.index_lease_seconds, settings.index_check_seconds
    )
    lease = PostgresLease(database, settings.index_lease_seconds)
    return Indexer(batches, lease, versions, telemetry, signals, pause, rules)


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await end(task)
