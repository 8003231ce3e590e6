"""What the index holds, for comparing it with the catalogue."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from qdrant_client import grpc as q

from services.common.channels import Peer
from services.common.errors import NotFound
from services.retrieval.adapters.qdrant_errors import reading
from services.retrieval.adapters.qdrant_fields import CHANGE, ID, KEY, OFFERS_DIGEST
from services.retrieval.adapters.qdrant_points import lengths_of, point_uuid
from services.retrieval.adapters.qdrant_schema import DENSE, MAX_RESULTS
from services.retrieval.adapters.qdrant_writer import QdrantWriter, point_id
from services.retrieval.index_version import IndexVersion, index_lost
from services.retrieval.verification import PointState, ProductState

_FIELDS: Final = q.WithPayloadSelector(include=q.PayloadIncludeSelector(fields=[ID, KEY, CHANGE, OFFERS_DIGEST]))
_NO_CHANGE: Final = -1
"""Of a point that names none, which no product has."""


class QdrantContents:
    """An IndexContents."""

    def __init__(self, peer: Peer, writer: QdrantWriter, seconds: float, reserve: float) -> None:
        self._scroll = peer.unary("/qdrant.Points/Scroll", q.ScrollPoints, q.ScrollResponse)
        self._get = peer.unary("/qdrant.Points/Get", q.GetPoints, q.GetResponse)
        self._writer = writer
        self._seconds = seconds
        self._reserve = reserve

    async def points_from(self, version: IndexVersion, first: str, limit: int) -> tuple[Sequence[PointState], str]:
        request = q.ScrollPoints(
            collection_name=version.collection,
            limit=min(limit, MAX_RESULTS),
            with_payload=_FIELDS,
            offset=point_id(first) if first else None,
        )
        with _reading(version):
            reply = await self._scroll(request, at_most=self._seconds, reserve=self._reserve)
            states = await self._states(version, reply.result)
        return states, _text_of(reply.next_page_offset) if reply.HasField("next_page_offset") else ""

    async def points_of(self, version: IndexVersion, ids: Sequence[str]) -> Mapping[str, PointState]:
        if not ids:
            return {}
        points = [q.PointId(uuid=point_uuid(version.catalog, product_id)) for product_id in ids]
        request = q.GetPoints(collection_name=version.collection, ids=points, with_payload=_FIELDS)
        with _reading(version):
            reply = await self._get(request, at_most=self._seconds, reserve=self._reserve)
            states = await self._states(version, reply.result)
        return {state.product_id: state for state in states}

    def point_of(self, catalog: str, product_id: str) -> str:
        return point_uuid(catalog, product_id)

    async def remove_points(self, version: IndexVersion, points: Sequence[str]) -> None:
        if not points:
            return
        with _reading(version):
            await self._writer.remove_points(version, points)

    async def _states(self, version: IndexVersion, points: Sequence[q.RetrievedPoint]) -> list[PointState]:
        with_vectors = {
            found
            for start in range(0, len(points), MAX_RESULTS)
            for found in await self._with_vectors(version, [p.id for p in points[start : start + MAX_RESULTS]])
        }
        return [_state(point, with_vectors) for point in points]

    async def _with_vectors(self, version: IndexVersion, points: Sequence[q.PointId]) -> list[str]:
        """Those of the points that have a vector. Asked for by a condition: the vectors themselves are megabytes."""
        has_vector = q.Condition(has_vector=q.HasVectorCondition(has_vector=DENSE))
        ids = q.Condition(has_id=q.HasIdCondition(has_id=points))
        request = q.ScrollPoints(
            collection_name=version.collection,
            limit=len(points),
            filter=q.Filter(must=[ids, has_vector]),
            with_payload=q.WithPayloadSelector(enable=False),
        )
        reply = await self._scroll(request, at_most=self._seconds, reserve=self._reserve)
        return [_text_of(point.id) for point in reply.result]


@contextmanager
def _reading(version: IndexVersion) -> Iterator[None]:
    """As `reading`, of a version that is registered: where its collection is not there, it is lost."""
    try:
        with reading(version.catalog):
            yield
    except NotFound as error:
        raise index_lost(version.catalog) from error


def _state(point: q.RetrievedPoint, with_vectors: Collection[str]) -> PointState:
    payload = point.payload
    change = payload[CHANGE].integer_value if CHANGE in payload else _NO_CHANGE
    digest = payload[OFFERS_DIGEST].string_value if OFFERS_DIGEST in payload else ""
    return PointState(
        point=_text_of(point.id),
        product_id=payload[ID].string_value if ID in payload else "",
        state=ProductState(change, digest),
        tells_of_vector=KEY in payload and lengths_of(payload[KEY].string_value) is not None,
        has_vector=_text_of(point.id) in with_vectors,
    )


def _text_of(point: q.PointId) -> str:
    return point.uuid or str(point.num)
