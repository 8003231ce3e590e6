"""What the index holds, for comparing it with the catalogue."""

from collections.abc import Mapping, Sequence
from typing import Final

from qdrant_client import grpc as q

from services.common.channels import Peer
from services.retrieval.adapters.qdrant_errors import reading
from services.retrieval.adapters.qdrant_fields import CHANGE, ID, OFFERS_DIGEST
from services.retrieval.adapters.qdrant_points import point_uuid
from services.retrieval.adapters.qdrant_writer import QdrantWriter, point_id
from services.retrieval.index_version import IndexVersion
from services.retrieval.verification import PointState, ProductState

_FIELDS: Final = q.WithPayloadSelector(include=q.PayloadIncludeSelector(fields=[ID, CHANGE, OFFERS_DIGEST]))
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
            limit=limit,
            with_payload=_FIELDS,
            offset=point_id(first) if first else None,
        )
        with reading(version.catalog):
            reply = await self._scroll(request, at_most=self._seconds, reserve=self._reserve)
        following = reply.next_page_offset
        return [_state(point) for point in reply.result], _text_of(following) if reply.HasField(
            "next_page_offset"
        ) else ""

    async def points_of(self, version: IndexVersion, ids: Sequence[str]) -> Mapping[str, PointState]:
        if not ids:
            return {}
        points = [q.PointId(uuid=point_uuid(version.catalog, product_id)) for product_id in ids]
        request = q.GetPoints(collection_name=version.collection, ids=points, with_payload=_FIELDS)
        with reading(version.catalog):
            reply = await self._get(request, at_most=self._seconds, reserve=self._reserve)
        return {state.product_id: state for state in map(_state, reply.result)}

    def point_of(self, catalog: str, product_id: str) -> str:
        return point_uuid(catalog, product_id)

    async def remove_points(self, version: IndexVersion, points: Sequence[str]) -> None:
        if not points:
            return
        with reading(version.catalog):
            await self._writer.remove_points(version, points)


def _state(point: q.RetrievedPoint) -> PointState:
    payload = point.payload
    change = payload[CHANGE].integer_value if CHANGE in payload else _NO_CHANGE
    digest = payload[OFFERS_DIGEST].string_value if OFFERS_DIGEST in payload else ""
    product_id = payload[ID].string_value if ID in payload else ""
    return PointState(_text_of(point.id), product_id, ProductState(change, digest))


def _text_of(point: q.PointId) -> str:
    return point.uuid or str(point.num)
