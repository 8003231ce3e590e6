"""The catalogue's half of retrieval on a real Postgres, without servers, indexer or index."""

from contextlib import asynccontextmanager

from google.protobuf.timestamp_pb2 import Timestamp

from services.common.postgres import DatabaseSettings, open_database
from services.retrieval import convert, convert_settings
from services.retrieval.adapters.catalogue_store import PostgresCatalogue
from services.retrieval.adapters.offer_store import PostgresOffers
from services.retrieval.adapters.product_reader import PostgresProductReader
from services.retrieval.adapters.settings_store import PostgresSettings
from services.retrieval.catalog_settings import CatalogSettings, SettingsLimits
from services.retrieval.catalogue import Catalogue
from services.retrieval.listing import ListingLimits, PageQuery, ProductListing
from services.retrieval.offers import Offers
from services.retrieval.signals import IndexingSignals
from services.retrieval.validation import ProductLimits
from tests.retrieval.shops import money
from zhiyin.common.v1 import catalog_settings_pb2, product_pb2, write_pb2

REMOVE = write_pb2.OFFER_ACTION_REMOVE


def offer(price=None, at=None, region="", **fields):
    message = product_pb2.Offer(region=region, **fields)
    if price is not None:
        message.price.CopyFrom(money(price))
    if at is not None:
        message.update_time.CopyFrom(Timestamp(seconds=at))
    return message


def change(product_id, price=None, at=None, region="", action=0, **fields):
    return write_pb2.OfferUpdate(product_id=product_id, offer=offer(price, at, region, **fields), action=action)


class Shop:
    """One catalogue; takes and gives messages."""

    def __init__(self, database, catalog, limits=None, listing=None):
        self.database, self.catalog, self.signals = database, catalog, IndexingSignals()
        limits = limits or ProductLimits()
        self.products = Catalogue(PostgresCatalogue(database), self.signals, limits, 500)
        self.prices = Offers(PostgresOffers(database), self.signals, limits, 5_000)
        self.lists = ProductListing(PostgresProductReader(database), listing or ListingLimits())
        self.settings = CatalogSettings(PostgresSettings(database), self.signals, SettingsLimits())

    async def upsert(self, *messages, mask=()):
        items = [convert.patch(each, mask) if mask else convert.draft(each) for each in messages]
        return await self.products.upsert(self.catalog, items)

    async def outcomes(self, *messages, mask=()):
        return [result.outcome.name for result in await self.upsert(*messages, mask=mask)]

    async def delete(self, *ids):
        return await self.products.delete(self.catalog, ids)

    async def get(self, product_id):
        message = convert.stored_product(await self.products.get(self.catalog, product_id))
        message.ClearField("etag")
        return message

    async def etag(self, product_id):
        return convert.stored_product(await self.products.get(self.catalog, product_id)).etag

    async def update(self, *updates, mask=()):
        merge = convert.offer_merge(mask) if mask else None
        return await self.prices.update(self.catalog, [convert.offer_update(each) for each in updates], merge)

    async def updated(self, *updates, mask=()):
        return [result.outcome.name for result in await self.update(*updates, mask=mask)]

    async def page(self, size=0, after="", primary="", ids_only=False):
        page = await self.lists.page(self.catalog, PageQuery(size, after, primary, ids_only=ids_only))
        return [each.product_id for each in page.products], page.more

    async def declare(self, *attributes, etag=""):
        message = catalog_settings_pb2.CatalogSettings(attributes=attributes, etag=etag)
        return await self.settings.update(self.catalog, convert_settings.settings_draft(message))

    async def waiting(self, table="outbox"):
        """What waits for the index: (version, product id), in order."""
        rows = await self.fetch(
            f"SELECT version, product_id FROM {table} WHERE catalog = $1 ORDER BY 1, 2", self.catalog
        )
        return [tuple(row) for row in rows]

    async def settle(self):
        """The index has got everything."""
        for table in ("outbox", "offer_outbox"):
            await self.fetch(f"DELETE FROM {table} WHERE catalog = $1", self.catalog)

    async def add_version(self, number, state):
        await self.fetch(
            "INSERT INTO index_versions (catalog, number, model_name, model_revision, dims, mean_vector, "
            "analyser_version, active, state) VALUES ($1, $2, 'm', 'r', 2, '', 1, $3, $4)",
            self.catalog,
            number,
            state == "active",
            state,
        )

    async def fetch(self, statement, *arguments):
        async with self.database.connection() as connection:
            return await connection.fetch(statement, *arguments)


@asynccontextmanager
async def opened(database_url, catalog="c", **limits):
    async with open_database(DatabaseSettings(database_url=database_url)) as database:
        yield Shop(database, catalog, **limits)
