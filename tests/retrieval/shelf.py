"""An index on the real engine with all that searches it, filled without the indexer."""

import re
from contextlib import asynccontextmanager
from types import SimpleNamespace

import numpy as np

from services.common.channels import open_peer
from services.common.settings import ServiceSettings
from services.retrieval import convert
from services.retrieval.adapters.active_versions import ActiveVersions
from services.retrieval.adapters.qdrant_recommending import QdrantRecommending
from services.retrieval.adapters.qdrant_schema import QdrantSchema
from services.retrieval.adapters.qdrant_writer import QdrantWriter
from services.retrieval.analysis import ANALYSER_VERSION, Bm25
from services.retrieval.answering import Answering, AnswerRules
from services.retrieval.documents import DocumentRules, document_of
from services.retrieval.facet_rules import FacetLimits
from services.retrieval.geometry import centre
from services.retrieval.index_version import IndexVersion, Model
from services.retrieval.indexing_ports import IndexedProduct
from services.retrieval.interests import InterestRules
from services.retrieval.personal import PersonalScores
from services.retrieval.recommend_rules import RecommendRules
from services.retrieval.recommending import Recommending
from services.retrieval.result_set import SetRules
from services.retrieval.search import CandidateSearch, EncodedQuery, EncodingCost, SearchRules
from services.retrieval.similar import SimilarProducts
from services.retrieval.validation import ProductLimits

DIMS = 16
MEAN = np.full(DIMS, 0.2, np.float32)
DOCUMENTS = DocumentRules(Bm25(0.3, 0.75, 20.0), 1_000, 1_000, 0.2)
NO_FLOOR = SetRules(window=500, ranked_window=500, dense_floor=-1.0, lexical_floor=0.0, groups=200, rounds=3)
LIMITS = SearchRules(100, 50, 100, ProductLimits())
SECONDS = 10.0


def text_vector(text, seed=0):
    """Texts that share words have similar vectors; by another seed they are another model's."""
    vector = np.zeros(DIMS)
    for word in re.findall(r"\w+", text.lower()):
        vector += np.random.default_rng([seed, *word.encode()]).standard_normal(DIMS)
    norm = np.linalg.norm(vector)
    return (MEAN + (vector / norm if norm else 0)).astype(np.float32)


class Encoder:
    """A QueryEncoder of as many models as are asked for: the revision is the seed."""

    def __init__(self):
        self.asked = []

    async def encode_query(self, text, model):
        self.asked.append(model.revision)
        return EncodedQuery(text_vector(text, int(model.revision)), EncodingCost(model, 1, 0.0, 0.0))


class NoRegistry:
    """A system of record that knows of no catalogue, or does not answer."""

    def __init__(self):
        self.error = None

    async def active(self, catalog):
        if self.error is not None:
            raise self.error


class Shelf:
    """A catalogue's index."""

    def __init__(self, peer, catalog, declarations, rules):
        self.catalog, self.declarations, self.encoder = catalog, declarations, Encoder()
        self.schema = QdrantSchema(peer, SECONDS)
        self.writer = QdrantWriter(peer, SECONDS)
        self.registry = NoRegistry()
        versions = ActiveVersions(self.schema, self.registry, seconds=SECONDS, reserve=0.0, version_seconds=3_600.0)
        self.index = QdrantRecommending(peer, versions, seconds=SECONDS, reserve=0.0)
        answering = Answering(self.index, AnswerRules(rules, 0.5, FacetLimits()))
        self.searching = CandidateSearch(
            self.encoder, self.index, answering, PersonalScores(self.index, InterestRules()), LIMITS
        )
        self.similar = SimilarProducts(self.index, answering, LIMITS, max_excluded=5)
        self.recommending = Recommending(self.index, self.encoder, RecommendRules(LIMITS, least=2))

    def version(self, number=1, revision="0"):
        model = Model("m", revision, DIMS)
        return IndexVersion(
            self.catalog, number, model, MEAN, ANALYSER_VERSION, self.declarations, self.declarations, DOCUMENTS
        )

    async def open(self, version):
        await self.schema.create(version)
        await self.schema.point_alias(version)

    async def put(self, *messages, version=None, words_only=()):
        version = version or self.version()
        await self.writer.write(version, [indexed(version, each, each.id in words_only) for each in messages])

    async def search(self, query):
        return await self.searching.search(query)


def indexed(version, message, words_only=False):
    """A product as the indexer hands it to the writer."""
    product = convert.product(message)
    document = document_of(product, DOCUMENTS, version.indexed)
    vector = None if words_only else centre(text_vector(document.text, int(version.model.revision)), version.mean)
    offers = [offer.SerializeToString(deterministic=True) for offer in message.offers]
    pending = SimpleNamespace(product_change=1)
    return IndexedProduct(pending, message.SerializeToString(), product, document, vector, offers)


@asynccontextmanager
async def open_shelf(qdrant_url, catalog, declarations=None, rules=NO_FLOOR):
    """An empty index with its alias; removed at the end."""
    async with open_peer("qdrant", qdrant_url, ServiceSettings()) as peer:
        shelf = Shelf(peer, catalog, declarations or {}, rules)
        await shelf.open(shelf.version())
        yield shelf
        await shelf.schema.drop(shelf.version())
