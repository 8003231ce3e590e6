"""In-memory stand-ins for the collaborators of indexing."""

import asyncio
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from services.common.errors import FailedPrecondition, Internal, NotFound, Unavailable, invalid
from services.retrieval.analysis import Bm25
from services.retrieval.current_offers import CurrentOffers
from services.retrieval.document_vectors import DocumentVectors
from services.retrieval.documents import DocumentRules
from services.retrieval.index_version import IndexVersion, Model
from services.retrieval.indexing import BatchIndexer
from services.retrieval.indexing_ports import PendingChange
from services.retrieval.offers_indexing import OffersIndexer, PendingOffers
from services.retrieval.pauses import Pause
from services.retrieval.product import Product
from services.retrieval.search import EncodedQuery, EncodingCost

MODEL = Model("m", "r1", 2)
MEAN = np.array([0.5, 0.0], np.float32)
RULES = DocumentRules(Bm25(0.3, 0.75, 20.0), 100, 100, 0.2)


def version_of(catalog, number=1):
    """Version n of a catalogue is of model n."""
    return IndexVersion(catalog, number, Model("m", f"r{number}", 2), MEAN, 1)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class MemoryOutbox:
    """Entries by (catalog, version, product id)."""

    def __init__(self):
        self.entries = {}
        self.failed = {}
        self.on_settle = lambda: None

    def add(self, product_id, change, catalog="c", version=1, deleted=False, words_indexed=False):
        product = None if deleted else Product(id=product_id, title=product_id)
        content = None if deleted else b"content"
        self.entries[catalog, version, product_id] = PendingChange(
            catalog, version, product_id, change, change, content, product, words_indexed, None
        )

    async def take(self, limit, *, without_vectors, without):
        rows = [
            entry
            for entry in self.entries.values()
            if f"{entry.catalog}.{entry.version}" not in without
            and not (entry.words_indexed and version_of(entry.catalog, entry.version).model.revision in without_vectors)
        ]
        return sorted(rows, key=lambda entry: (entry.version, entry.words_indexed))[:limit]

    async def settle(self, done, words_only):
        self.on_settle()
        for change in done:
            if self._is_last(change):
                del self.entries[_key(change)]
        for change in words_only:
            if self._is_last(change):
                self.entries[_key(change)] = replace(change, words_indexed=True)

    async def give_up(self, change, reason):
        self.failed[change.product_id] = reason
        del self.entries[_key(change)]

    def _is_last(self, change):
        entry = self.entries.get(_key(change))
        return entry is not None and entry.change == change.change


def _key(entry):
    return entry.catalog, entry.version, entry.product_id


class MemoryOffers:
    """Offers by (catalog, product id), and an outbox of them."""

    def __init__(self):
        self.rows = {}
        self.entries = {}
        self.on_read = None
        """Awaited after offers were read, before they are handed out."""

    def change(self, product_id, *offers, catalog="c", version=1):
        self.rows[catalog, product_id] = list(offers)
        change = len(self.entries) + 1
        self.entries[catalog, version, product_id] = PendingOffers(catalog, version, product_id, change)

    async def offers(self, catalog, ids):
        found = {i: self.rows[catalog, i] for i in ids if (catalog, i) in self.rows}
        if self.on_read is not None:
            await self.on_read()
        return found

    async def take(self, limit, *, without):
        rows = [entry for entry in self.entries.values() if f"{entry.catalog}.{entry.version}" not in without]
        return sorted(rows, key=lambda entry: entry.change)[:limit]

    async def settle(self, done):
        for entry in done:
            if self.entries.get(_key(entry)) == entry:
                del self.entries[_key(entry)]


class MemoryVectors:
    def __init__(self):
        self.rows = {}

    async def kept(self, catalog, revision, ids):
        return {i: self.rows[catalog, revision, i] for i in ids if (catalog, revision, i) in self.rows}

    async def keep(self, catalog, revision, vectors):
        self.rows |= {(catalog, revision, i): vector for i, vector in vectors.items()}


class MemoryVersions:
    """All versions exist but those of `deleted`."""

    def __init__(self):
        self.errors = {}
        self.deleted = set()
        self.analyser = 1
        self.checks = 0
        self.restores = set()
        """What a check empties: catalogues whose collection is gone."""
        self.advances = []
        """What each step of a build returns; afterwards none goes on."""

    async def version(self, catalog, number):
        if catalog in self.errors:
            raise self.errors[catalog]
        found = replace(version_of(catalog, number), analyser_version=self.analyser)
        return None if (catalog, number) in self.deleted else found

    async def check(self):
        self.checks += 1
        self.restores.clear()

    async def advance(self):
        step = self.advances.pop(0) if self.advances else False
        if isinstance(step, Exception):
            raise step
        return step


class StubEncoder:
    """Gives every text the same vector."""

    def __init__(self):
        self.error = None
        self.hang = False
        self.away = set()
        """Revisions of models whose encoder is away."""
        self.refused = set()
        self.calls = []

    async def encode_documents(self, texts, model):
        if self.hang:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        if model.revision in self.away:
            raise Unavailable("away")
        if self.refused & set(texts):
            raise invalid("texts", "refused")
        self.calls.append(list(texts))
        return [np.array([0.6, 0.8], "<f2").tobytes() for _ in texts]

    async def encode_query(self, text, model):
        if self.error is not None:
            raise self.error
        return EncodedQuery(np.array([0.6, 0.8], np.float32), EncodingCost(model, 1, 0.0, 0.0))


class MemoryIndex:
    """Written products by (catalog, id): whether with a vector; of the first version. All of them by version."""

    def __init__(self):
        self.points = {}
        self.by_version = {}
        self.offers = {}
        self.refused = set()
        self.poison = set()
        """Products that the index fails on, and does not say that they are to blame."""
        self.broken = set()
        """Catalogues whose collection answers nothing but errors."""
        self.lost = set()
        """Catalogues whose collection is gone."""
        self.error = None
        self.calls = 0

    async def write(self, version, products):
        self._require(version, [p.product.id for p in products])
        for product in products:
            self.by_version[version.catalog, version.number, product.product.id] = product
            self.offers[version.catalog, product.product.id] = list(product.offers)
            if version.number == 1:
                self.points[version.catalog, product.product.id] = product.vector is not None

    async def write_offers(self, version, offers):
        self._require(version, offers)
        for product_id, of_product in offers.items():
            if (version.catalog, version.number, product_id) in self.by_version:
                self.offers[version.catalog, product_id] = list(of_product)

    async def remove(self, version, ids):
        for product_id in ids:
            self.points.pop((version.catalog, product_id), None)

    def _require(self, version, ids):
        self.calls += 1
        if self.error is not None:
            raise self.error
        if version.catalog in self.lost:
            raise NotFound("no such collection")
        if version.catalog in self.broken:
            raise FailedPrecondition("a shard is broken")
        if self.poison & set(ids):
            raise Internal("a panic")
        if self.refused & set(ids):
            raise invalid("points", "refused")


class Meter:
    def __init__(self):
        self.heard = []

    def gave_up(self, change, reason):
        self.heard.append(("gave_up", change.product_id))

    def text_refused(self, product_id):
        self.heard.append(("text_refused", product_id))

    def offers_refused(self, product_id):
        self.heard.append(("offers_refused", product_id))

    def offers_indexed(self, count):
        self.heard.append(("offers_indexed", count))

    def part_away(self, part, error, seconds):
        self.heard.append(("part_away", part))

    @contextmanager
    def one_pass(self, changes):
        yield

    def finished(self, report):
        self.heard.append(report)


class Bench:
    """A BatchIndexer with all its collaborators in memory."""

    def __init__(self):
        self.outbox, self.vectors, self.versions = MemoryOutbox(), MemoryVectors(), MemoryVersions()
        self.encoder, self.index, self.meter, self.clock = StubEncoder(), MemoryIndex(), Meter(), Clock()
        self.pause = Pause(4.0, self.clock)
        self.offers = MemoryOffers()
        offers = CurrentOffers(self.offers)
        vectors = DocumentVectors(self.vectors, self.encoder, self.meter, self.pause)
        self.batches = BatchIndexer(
            self.outbox, offers, vectors, self.versions, self.index, self.meter, RULES, self.pause
        )
        self.offers_batches = OffersIndexer(self.offers, offers, self.versions, self.index, self.meter, self.pause)

    async def one_pass(self, limit=100):
        return await self.batches.index(await self.batches.take(limit))
