"""Searches and writes of the index, over Qdrant's own messages.

The stock client's models would cost 2.9 ms per 200 points; the messages are read as they come.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from qdrant_client import grpc as q

from services.common.channels import Peer
from services.common.deadlines import detached
from services.common.errors import NotFound, ServiceError, Unavailable
from services.retrieval.adapters.cards import offer_field
from services.retrieval.adapters.qdrant_errors import reading, writing
from services.retrieval.adapters.qdrant_points import (
    CARD,
    CENTRED_LENGTH,
    ID,
    LENGTH,
    condition_of,
    point_of,
    point_uuid,
    shown_fields,
)
from services.retrieval.adapters.qdrant_schema import DENSE, SPARSE, QdrantSchema
from services.retrieval.index_version import IndexVersion, alias_of
from services.retrieval.indexing import IndexedProduct
from services.retrieval.search import Hit, LegHits, LegQuery, LegScores, SearchQuery

_KNOWN_CATALOGS: Final = 1_000
"""Catalogues whose version a replica remembers; beyond them the oldest entry goes."""


class QdrantIndex:
    """A ProductIndex."""

    def __init__(
        self, peer: Peer, schema: QdrantSchema, *, seconds: float, reserve: float, version_seconds: float
    ) -> None:
        self._query = peer.unary("/qdrant.Points/QueryBatch", q.QueryBatchPoints, q.QueryBatchResponse)
        self._get = peer.unary("/qdrant.Points/Get", q.GetPoints, q.GetResponse)
        self._schema = schema
        self._seconds = seconds
        self._reserve = reserve
        self._version_seconds = version_seconds
        self._versions: dict[str, tuple[float, IndexVersion]] = {}
        self._look_ups: dict[str, asyncio.Task[None]] = {}

    async def version(self, catalog: str) -> IndexVersion:
        """The active version: remembered, and looked up again in the background, so that no search waits for it."""
        known = self._versions.get(catalog)
        if known is None:
            return await self._look_up(catalog)
        if known[0] < time.monotonic() and catalog not in self._look_ups:
            self._look_ups[catalog] = asyncio.create_task(self._look_up_again(catalog))
        return known[1]

    async def find(self, version: IndexVersion, legs: LegQuery, query: SearchQuery) -> LegHits:
        """The best of each leg, with what results show of them, in one round trip."""
        condition, payload = condition_of(query.wanted, query.region), shown_fields(query.region)
        queries = [
            q.QueryPoints(query=vector, using=using, filter=condition, limit=query.limit, with_payload=payload)
            for using, vector in _vectors(legs).items()
        ]
        offer = offer_field(query.region)
        found = [[_hit(point, offer) for point in result.result] for result in await self._batch(version, queries)]
        by_leg = dict(zip(_vectors(legs), found, strict=True))
        return LegHits(by_leg.get(DENSE), by_leg.get(SPARSE))

    async def scores(
        self, version: IndexVersion, legs: LegQuery, dense: Sequence[str], lexical: Sequence[str]
    ) -> LegScores:
        """Scores of the given points, in one round trip."""
        vectors = _vectors(legs)
        asked = [(using, points) for using, points in ((DENSE, dense), (SPARSE, lexical)) if points]
        queries = [
            q.QueryPoints(query=vectors[using], using=using, filter=_only(points), limit=len(points))
            for using, points in asked
        ]
        results = await self._batch(version, queries)
        by_leg = {
            using: {point.id.uuid: point.score for point in result.result}
            for (using, _), result in zip(asked, results, strict=True)
        }
        return LegScores(by_leg.get(DENSE, {}), by_leg.get(SPARSE, {}))

    async def shown(self, catalog: str, ids: Sequence[str], region: str) -> list[tuple[str, str]]:
        """Card and packed offer of products, in the order of `ids`; what is gone is left out.

        Raises:
            NotFound: there is no such catalogue.
            Unavailable: Qdrant is away or too slow.
        """
        points = [point_uuid(catalog, product_id) for product_id in ids]
        request = q.GetPoints(
            collection_name=alias_of(catalog),
            ids=[q.PointId(uuid=point) for point in points],
            with_payload=shown_fields(region),
        )
        with reading(catalog):
            reply = await self._get(request, at_most=self._seconds, reserve=self._reserve)
        found = {point.id.uuid: point.payload for point in reply.result}
        offer = offer_field(region)
        return [
            (found[point][CARD].string_value, found[point][offer].string_value if offer in found[point] else "")
            for point in points
            if point in found
        ]

    async def _look_up(self, catalog: str) -> IndexVersion:
        with reading(catalog):
            try:
                version = await self._schema.active(catalog, at_most=self._seconds, reserve=self._reserve)
            except NotFound:
                self._versions.pop(catalog, None)
                raise
        while len(self._versions) >= _KNOWN_CATALOGS:
            self._versions.pop(next(iter(self._versions)))
        self._versions[catalog] = time.monotonic() + self._version_seconds, version
        return version

    async def _look_up_again(self, catalog: str) -> None:
        try:
            # The search that noticed the age may be over before the answer is here. What fails now is tried again
            # by the next search.
            with detached(), suppress(ServiceError):
                await self._look_up(catalog)
        finally:
            del self._look_ups[catalog]

    async def _batch(self, version: IndexVersion, queries: Sequence[q.QueryPoints]) -> Sequence[q.BatchResult]:
        for query in queries:
            query.collection_name = version.collection
        request = q.QueryBatchPoints(collection_name=version.collection, query_points=queries)
        try:
            with reading(version.catalog):
                reply = await self._query(request, at_most=self._seconds, reserve=self._reserve)
        except NotFound:
            self._versions.pop(version.catalog, None)
            raise
        return reply.result


class QdrantWriter:
    """An IndexWriter."""

    def __init__(self, peer: Peer, seconds: float) -> None:
        self._upsert = peer.unary("/qdrant.Points/Upsert", q.UpsertPoints, q.PointsOperationResponse)
        self._delete = peer.unary("/qdrant.Points/Delete", q.DeletePoints, q.PointsOperationResponse)
        self._seconds = seconds

    async def write(self, version: IndexVersion, products: Sequence[IndexedProduct]) -> None:
        """Writes products; on return Qdrant has them in its write-ahead log and finds them."""
        points = [point_of(version.catalog, product) for product in products]
        with writing():
            reply = await self._upsert(
                q.UpsertPoints(collection_name=version.collection, wait=True, points=points), at_most=self._seconds
            )
            _require_completed(reply)

    async def remove(self, version: IndexVersion, ids: Sequence[str]) -> None:
        """Removes products."""
        points = [q.PointId(uuid=point_uuid(version.catalog, product_id)) for product_id in ids]
        selector = q.PointsSelector(points=q.PointsIdsList(ids=points))
        with writing():
            reply = await self._delete(
                q.DeletePoints(collection_name=version.collection, wait=True, points=selector), at_most=self._seconds
            )
            _require_completed(reply)


def _require_completed(reply: q.PointsOperationResponse) -> None:
    if reply.result.status != q.UpdateStatus.Completed:
        raise Unavailable("the index has not confirmed a write")


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


def _only(points: Sequence[str]) -> q.Filter:
    ids = q.HasIdCondition(has_id=[q.PointId(uuid=point) for point in points])
    return q.Filter(must=[q.Condition(has_id=ids)])


def _hit(point: q.ScoredPoint, offer: str) -> Hit:
    payload = point.payload
    known = LENGTH in payload
    return Hit(
        point.id.uuid,
        point.score,
        payload[ID].string_value,
        payload[CARD].string_value,
        payload[offer].string_value if offer in payload else "",
        payload[LENGTH].double_value if known else math.nan,
        payload[CENTRED_LENGTH].double_value if known else math.nan,
    )
