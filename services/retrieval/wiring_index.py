"""Where the parts of the index are put together: encoders, indexer, administration."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.common.channels import Peer, open_peer
from services.common.postgres import Database
from services.retrieval.adapters.builds import PostgresBuilds, PostgresClearance
from services.retrieval.adapters.catalogue_states import PostgresCatalogueStates
from services.retrieval.adapters.encoder import Encoder
from services.retrieval.adapters.encoders import Encoders
from services.retrieval.adapters.kept_vectors import PostgresVectors
from services.retrieval.adapters.lease import PostgresLease
from services.retrieval.adapters.offer_outbox import PostgresOfferOutbox
from services.retrieval.adapters.outbox import PostgresOutbox
from services.retrieval.adapters.qdrant_contents import QdrantContents
from services.retrieval.adapters.qdrant_schema import QdrantSchema
from services.retrieval.adapters.qdrant_writer import QdrantWriter
from services.retrieval.adapters.telemetry import IndexingTelemetry
from services.retrieval.adapters.version_registry import PostgresVersions
from services.retrieval.config import RetrievalSettings
from services.retrieval.current_offers import CurrentOffers
from services.retrieval.document_vectors import DocumentVectors
from services.retrieval.index_admin import AdminLimits, IndexAdministration
from services.retrieval.index_admin_servicer import IndexAdminServicer
from services.retrieval.indexer import Indexer, IndexerRules
from services.retrieval.indexing import BatchIndexer
from services.retrieval.lanes import OfferLane, ProductLane
from services.retrieval.offers_indexing import OffersIndexer
from services.retrieval.pauses import Pause
from services.retrieval.signals import IndexingSignals
from services.retrieval.upkeep import IndexUpkeep
from services.retrieval.verification import Verification


@asynccontextmanager
async def open_encoders(settings: RetrievalSettings) -> AsyncIterator[Encoders]:
    """One peer for each target of the encoders."""
    async with AsyncExitStack() as stack:
        peers = [
            await stack.enter_async_context(open_peer("encoder", target, settings))
            for target in settings.encoder_targets()
        ]
        seconds = settings.encode_query_seconds, settings.encode_products_seconds, settings.search_reserve_seconds
        yield Encoders([Encoder(peer, *seconds) for peer in peers], settings.encode_query_seconds)


def index_admin_servicer(
    settings: RetrievalSettings, database: Database, qdrant: Peer, encoders: Encoders, signals: IndexingSignals
) -> IndexAdminServicer:
    """The API of index versions."""
    administration = IndexAdministration(
        PostgresVersions(database),
        QdrantSchema(qdrant, settings.index_write_seconds),
        encoders,
        signals,
        settings.document_rules(),
        AdminLimits(settings.max_index_versions, settings.max_revision_characters),
    )
    writer = QdrantWriter(qdrant, settings.index_write_seconds)
    contents = QdrantContents(qdrant, writer, settings.index_write_seconds, settings.answer_reserve_seconds)
    states = PostgresCatalogueStates(database)
    pages = settings.default_verify_page, settings.max_verify_page
    return IndexAdminServicer(
        administration, Verification(administration, states, contents, signals.wake_indexer, *pages)
    )


def indexer_of(
    settings: RetrievalSettings,
    database: Database,
    qdrant: Peer,
    encoders: Encoders,
    signals: IndexingSignals,
    telemetry: IndexingTelemetry,
) -> Indexer:
    """The background task that writes to the index."""
    pause, rules = Pause(settings.index_backoff_seconds), settings.document_rules()
    upkeep = IndexUpkeep(
        PostgresVersions(database),
        PostgresBuilds(database, settings.index_build_portion),
        PostgresClearance(database),
        QdrantSchema(qdrant, settings.index_write_seconds),
        encoders,
        rules,
        settings.index_delete_grace_seconds,
    )
    offer_outbox, writer = PostgresOfferOutbox(database), QdrantWriter(qdrant, settings.index_write_seconds)
    offers = CurrentOffers(offer_outbox)
    vectors = DocumentVectors(PostgresVectors(database), encoders, telemetry, pause)
    batches = BatchIndexer(PostgresOutbox(database), offers, vectors, upkeep, writer, telemetry, rules, pause)
    of_offers = OffersIndexer(offer_outbox, offers, upkeep, writer, telemetry, pause)
    products = ProductLane(
        batches,
        upkeep,
        telemetry,
        telemetry,
        signals,
        pause,
        settings.index_batch,
        settings.index_check_seconds,
    )
    lanes = (products, OfferLane(of_offers, telemetry, signals, settings.index_offers_batch))
    lease = PostgresLease(database, settings.index_lease_seconds)
    return Indexer(lanes, lease, pause, IndexerRules(settings.index_poll_seconds, settings.index_lease_seconds))
