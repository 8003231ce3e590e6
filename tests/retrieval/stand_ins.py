"""In-memory stand-ins for the collaborators of indexing and search."""

from contextlib import contextmanager

import numpy as np

from services.common.errors import FailedPrecondition, NotFound, invalid
from services.retrieval.analysis import Bm25
from services.retrieval.documents import DocumentRules
from services.retrieval.index_version import IndexVersion, Model
from services.retrieval.indexing import BatchIndexer, PendingChange
from services.retrieval.pauses import Pause
from services.retrieval.product import Product
from services.retrieval.search import EncodedQuery, EncodingCost, Hit, LegHits, LegScores

MODEL = Model("m", "r1", 2)
MEAN = np.array([0.5, 0.0], np.float32)
RULES = DocumentRules(Bm25(0.3, 0.75, 20.0), 100, 100, 0.2)


def version_of(catalog):
    return IndexVersion(catalog, 1, MODEL, MEAN, 1)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class MemoryOutbox:
    """Entries by (catalog, product id)."""

    def __init__(self):
        self.entries = {}
        self.failed = {}
        self.on_settle = lambda: None

    def add(self, product_id, change, catalog="c", deleted=False):
        product = None if deleted else Product(id=product_id, title=product_id)
        content = None if deleted else b"content"
        self.entries[catalog, product_id] = PendingChange(catalog, product_id, change, content, product, False, None)

    async def take(self, limit, *, vectors_too, without):
        rows = [e for e in self.entries.values() if e.catalog not in without and (vectors_too or not e.words_indexed)]
        return sorted(rows, key=lambda e: e.words_indexed)[:limit]

    async def settle(self, done, words_only):
        self.on_settle()
        for change in done:
            if self._is_last(change):
                del self.entries[change.catalog, change.product_id]
        for change in words_only:
            if self._is_last(change):
                fields = (change.change, change.content, change.product, True, None)
                key = change.catalog, change.product_id
                self.entries[key] = PendingChange(*key, *fields)

    async def give_up(self, change, reason):
        self.failed[change.product_id] = reason
        del self.entries[change.catalog, change.product_id]

    def _is_last(self, change):
        entry = self.entries.get((change.catalog, change.product_id))
        return entry is not None and entry.change == change.change


class MemoryVectors:
    def __init__(self):
        self.rows = {}

    async def kept(self, catalog, revision, ids):
        return {i: self.rows[catalog, revision, i] for i in ids if (catalog, revision, i) in self.rows}

    async def keep(self, catalog, revision, vectors):
        self.rows |= {(catalog, revision, i): vector for i, vector in vectors.items()}


class MemoryVersions:
    def __init__(self):
        self.errors = {}

    async def active(self, catalog):
        if catalog in self.errors:
            raise self.errors[catalog]
        return version_of(catalog)

    async def restore_missing(self):
        pass


class StubEncoder:
    """Gives every text the same vector."""

    def __init__(self):
        self.error = None
        self.refused = set()
        self.calls = []

    async def encode_documents(self, texts, model):
        if self.error is not None:
            raise self.error
        if self.refused & set(texts):
            raise invalid("texts", "refused")
        self.calls.append(list(texts))
        return [np.array([0.6, 0.8], "<f2").tobytes() for _ in texts]

    async def encode_query(self, text, model):
        if self.error is not None:
            raise self.error
        return EncodedQuery(np.array([0.6, 0.8], np.float32), EncodingCost(model, 1, 0.0, 0.0))


class MemoryIndex:
    """Written products by (catalog, id): whether with a vector."""

    def __init__(self):
        self.points = {}
        self.refused = set()
        self.broken = set()
        """Catalogues whose collection answers nothing but errors."""
        self.error = None

    async def write(self, version, products):
        if self.error is not None:
            raise self.error
        if version.catalog in self.broken:
            raise FailedPrecondition("a shard is broken")
        if self.refused & {p.product.id for p in products}:
            raise invalid("points", "refused")
        for product in products:
            self.points[version.catalog, product.product.id] = product.vector is not None

    async def remove(self, version, ids):
        for product_id in ids:
            self.points.pop((version.catalog, product_id), None)


class Meter:
    def __init__(self):
        self.heard = []

    def gave_up(self, change, reason):
        self.heard.append(("gave_up", change.product_id))

    def text_refused(self, product_id):
        self.heard.append(("text_refused", product_id))

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
        self.batches = BatchIndexer(
            self.outbox, self.vectors, self.versions, self.encoder, self.index, self.meter, RULES, self.pause
        )

    async def one_pass(self, limit=100):
        return await self.batches.index(await self.batches.take(limit))


class ScriptedIndex:
    """Legs that return what a test says; notes what is asked for."""

    def __init__(self, dense, lexical, scores=None, error=None):
        self.dense, self.lexical = dense, lexical
        self.second = scores or LegScores({}, {})
        self.error = error
        self.asked = []

    async def version(self, catalog):
        if catalog == "none":
            raise NotFound("none")
        return version_of(catalog)

    async def find(self, version, legs, query):
        self.asked.append(("find", query.limit))
        return LegHits(
            None if legs.direction is None else [_hit(*pair) for pair in self.dense][: query.limit],
            None if legs.words is None else [_hit(*pair) for pair in self.lexical][: query.limit],
        )

    async def scores(self, version, legs, dense, lexical):
        self.asked.append(("scores", sorted(dense), sorted(lexical)))
        if self.error is not None:
            raise self.error
        return self.second


def _hit(point, score):
    return Hit(point, score, f"id-{point}", "", "", 1.0, 0.9)
