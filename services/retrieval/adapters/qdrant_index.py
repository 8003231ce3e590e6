"""Searches of the index, over Qdrant's own messages.

The stock client's models would cost 2.9 ms per 200 points; the messages are read as they come.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import cast

import numpy as np
from qdrant_client import grpc as q

from services.common.channels import Peer
from services.common.errors import NotFound
from services.retrieval.adapters.active_versions import ActiveVersions
from services.retrieval.adapters.qdrant_conditions import condition_of, only_points
from services.retrieval.adapters.qdrant_errors import reading
from services.retrieval.adapters.qdrant_fields import GROUP, KEY
from services.retrieval.adapters.qdrant_hits import HitReader, Payload, card_of, shown_fields
from services.retrieval.adapters.qdrant_points import lengths_of, point_uuid
from services.retrieval.adapters.qdrant_schema import DENSE, MAX_RESULTS, SPARSE
from services.retrieval.analysis import SparseVector
from services.retrieval.geometry import CentredVector
from services.retrieval.index_version import IndexVersion, alias_of, index_lost
from services.retrieval.product_index import Card, Hit, LegHits, LegQuery, LegScores, StoredProduct, Window


class QdrantIndex:
    """A StoredProducts."""

    def __init__(self, peer: Peer, versions: ActiveVersions, *, seconds: float, reserve: float) -> None:
        self._query = peer.unary("/qdrant.Points/QueryBatch", q.QueryBatchPoints, q.QueryBatchResponse)
        self._get = peer.unary("/qdrant.Points/Get", q.GetPoints, q.GetResponse)
        self._versions = versions
        self._seconds = seconds
        self._reserve = reserve

    async def version(self, catalog: str) -> IndexVersion:
        """The active version, as it was some seconds ago at most."""
        return await self._versions.version(catalog)

    async def version_now(self, catalog: str) -> IndexVersion:
        """The active version, looked up."""
        return await self._versions.version_now(catalog)

    async def find(
        self, version: IndexVersion, legs: LegQuery, region: str, windows: Sequence[Window]
    ) -> Sequence[LegHits]:
        """The best of each leg in each window, in one round trip."""
        vectors = _vectors(legs)
        readers = [HitReader(window.facts, region, cards=window.cards) for window in windows]
        queries = [
            q.QueryPoints(query=vector, using=using, filter=condition, limit=window.size, with_payload=reader.fields)
            for window, reader in zip(windows, readers, strict=True)
            for condition in [condition_of(window.wanted, region, window.without_groups)]
            for using, vector in vectors.items()
        ]
        results = iter(await self._batch(version, queries))
        return [_leg_hits(vectors, reader, results) for reader in readers]

    async def scores(
        self, version: IndexVersion, legs: LegQuery, dense: Sequence[str], lexical: Sequence[str]
    ) -> LegScores:
        """Scores of the given points, in one round trip."""
        vectors = _vectors(legs)
        asked = [
            (using, points[start : start + MAX_RESULTS])
            for using, points in ((DENSE, dense), (SPARSE, lexical))
            for start in range(0, len(points), MAX_RESULTS)
        ]
        queries = [
            q.QueryPoints(query=vectors[using], using=using, filter=only_points(points), limit=len(points))
            for using, points in asked
        ]
        scores: dict[str, dict[str, float]] = {DENSE: {}, SPARSE: {}}
        for (using, _), result in zip(asked, await self._batch(version, queries), strict=True):
            scores[using].update((point.id.uuid, point.score) for point in result.result)
        return LegScores(scores[DENSE], scores[SPARSE])

    def card(self, hit: Hit, region: str) -> Card:
        """What a result shows of a hit."""
        return card_of(cast("Payload", hit.fields), region)

    async def shown(self, catalog: str, ids: Sequence[str], region: str) -> list[Card]:
        """Card and packed offer of products, in the order of `ids`; what is gone is left out.

        By the alias: it is never without a version, whichever one is active.

        Raises:
            NotFound: there is no such catalogue.
            Unavailable: the index is away or lost.
        """
        points = [point_uuid(catalog, product_id) for product_id in ids]
        try:
            stored = await self._points(alias_of(catalog), catalog, points, shown_fields(region))
        except NotFound as error:
            # Tells a catalogue that is not there from one whose index is lost; where it is back by now, it was lost.
            await self.version_now(catalog)
            raise index_lost(catalog) from error
        found = {point.id.uuid: card_of(point.payload, region) for point in stored}
        return [found[point] for point in points if point in found]

    async def stored(self, version: IndexVersion, product_id: str) -> StoredProduct | None:
        """A product with its vectors; None where it is not there."""
        points = [point_uuid(version.catalog, product_id)]
        found = await self._points(version.collection, version.catalog, points, _fields(KEY, GROUP), with_vectors=True)
        return _stored(found[0]) if found else None

    async def groups(self, version: IndexVersion, ids: Sequence[str]) -> Sequence[str]:
        """The groups of those products that are there."""
        points = [point_uuid(version.catalog, product_id) for product_id in ids]
        found = await self._points(version.collection, version.catalog, points, _fields(GROUP))
        return [point.payload[GROUP].string_value for point in found if GROUP in point.payload]

    async def _points(
        self,
        collection: str,
        catalog: str,
        points: Sequence[str],
        fields: q.WithPayloadSelector,
        *,
        with_vectors: bool = False,
    ) -> Sequence[q.RetrievedPoint]:
        request = q.GetPoints(
            collection_name=collection,
            ids=[q.PointId(uuid=point) for point in points],
            with_payload=fields,
            with_vectors=q.WithVectorsSelector(enable=with_vectors),
        )
        try:
            with reading(catalog):
                reply = await self._get(request, at_most=self._seconds, reserve=self._reserve)
        except NotFound:
            self._versions.forget(catalog)
            raise
        return reply.result

    async def _batch(self, version: IndexVersion, queries: Sequence[q.QueryPoints]) -> Sequence[q.BatchResult]:
        for query in queries:
            query.collection_name = version.collection
        request = q.QueryBatchPoints(collection_name=version.collection, query_points=queries)
        try:
            with reading(version.catalog):
                reply = await self._query(request, at_most=self._seconds, reserve=self._reserve)
        except NotFound:
            self._versions.forget(version.catalog)
            raise
        return reply.result


def _vectors(legs: LegQuery) -> dict[str, q.Query]:
    """The query of each leg that runs."""
    queries: dict[str, q.Query] = {}
    if legs.direction is not None:
        dense = q.DenseVector(data=legs.direction.tolist())
        queries[DENSE] = q.Query(nearest=q.VectorInput(dense=dense))
    if legs.words is not None:
        indices, values = legs.words
        queries[SPARSE] = q.Query(nearest=q.VectorInput(sparse=q.SparseVector(indices=indices, values=values)))
    return queries


def _leg_hits(vectors: Mapping[str, q.Query], reader: HitReader, results: Iterator[q.BatchResult]) -> LegHits:
    """What the next results of a batch say, one for each leg that ran."""
    found = {
        using: reader.read(result.result) for using, result in zip(vectors, islice(results, len(vectors)), strict=True)
    }
    return LegHits(found.get(DENSE), found.get(SPARSE))


def _fields(*names: str) -> q.WithPayloadSelector:
    return q.WithPayloadSelector(include=q.PayloadIncludeSelector(fields=names))


def _stored(point: q.RetrievedPoint) -> StoredProduct:
    vectors = point.vectors.vectors.vectors
    return StoredProduct(
        point.payload[GROUP].string_value,
        dense_vector_of(point.payload[KEY].string_value, vectors[DENSE]) if DENSE in vectors else None,
        _sparse(vectors[SPARSE]) if SPARSE in vectors else ((), ()),
    )


def dense_vector_of(key: str, vector: q.VectorOutput) -> CentredVector | None:
    """A stored vector; None where the product's key tells of none."""
    lengths = lengths_of(key)
    # The form of this message changed; `data` is the one before.
    data = vector.dense.data or vector.data
    return None if lengths is None else CentredVector(np.array(data, np.float32), lengths[1], lengths[0])


def _sparse(vector: q.VectorOutput) -> SparseVector:
    if vector.HasField("sparse"):
        return list(vector.sparse.indices), list(vector.sparse.values)
    return list(vector.indices.data), list(vector.data)
