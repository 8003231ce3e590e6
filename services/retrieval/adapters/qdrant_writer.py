"""Writes of the index, over Qdrant's own messages."""

from collections.abc import Mapping, Sequence

from qdrant_client import grpc as q

from services.common.channels import Peer
from services.common.errors import Unavailable
from services.retrieval.adapters.qdrant_errors import writing
from services.retrieval.adapters.qdrant_points import offer_payload, point_of, point_uuid
from services.retrieval.index_version import IndexVersion
from services.retrieval.indexing_ports import IndexedProduct


class QdrantWriter:
    """An IndexWriter."""

    def __init__(self, peer: Peer, seconds: float) -> None:
        self._upsert = peer.unary("/qdrant.Points/Upsert", q.UpsertPoints, q.PointsOperationResponse)
        self._delete = peer.unary("/qdrant.Points/Delete", q.DeletePoints, q.PointsOperationResponse)
        self._update = peer.unary("/qdrant.Points/UpdateBatch", q.UpdateBatchPoints, q.UpdateBatchResponse)
        self._seconds = seconds

    async def write(self, version: IndexVersion, products: Sequence[IndexedProduct]) -> None:
        """Writes products; on return Qdrant has them in its write-ahead log and finds them."""
        points = [point_of(version, product) for product in products]
        with writing():
            reply = await self._upsert(
                q.UpsertPoints(collection_name=version.collection, wait=True, points=points), at_most=self._seconds
            )
            _require_completed(reply.result)

    async def write_offers(self, version: IndexVersion, offers: Mapping[str, Sequence[bytes]]) -> None:
        """Sets the fields of offers, and no other, of those products that are there."""
        operations = [_offers_of(version, product_id, of_product) for product_id, of_product in offers.items()]
        request = q.UpdateBatchPoints(collection_name=version.collection, wait=True, operations=operations)
        with writing():
            reply = await self._update(request, at_most=self._seconds)
            for result in reply.result:
                _require_completed(result)

    async def remove(self, version: IndexVersion, ids: Sequence[str]) -> None:
        """Removes products."""
        await self.remove_points(version, [point_uuid(version.catalog, product_id) for product_id in ids])

    async def remove_points(self, version: IndexVersion, named: Sequence[str]) -> None:
        """Removes points by their own ids."""
        points = [point_id(point) for point in named]
        selector = q.PointsSelector(points=q.PointsIdsList(ids=points))
        with writing():
            reply = await self._delete(
                q.DeletePoints(collection_name=version.collection, wait=True, points=selector), at_most=self._seconds
            )
            _require_completed(reply.result)


def _offers_of(version: IndexVersion, product_id: str, offers: Sequence[bytes]) -> q.PointsUpdateOperation:
    # By a filter, which may match nothing: by id, one product that is not there yet would end the whole batch.
    ids = q.HasIdCondition(has_id=[q.PointId(uuid=point_uuid(version.catalog, product_id))])
    selector = q.PointsSelector(filter=q.Filter(must=[q.Condition(has_id=ids)]))
    payload = q.PointsUpdateOperation.SetPayload(payload=offer_payload(offers), points_selector=selector)
    return q.PointsUpdateOperation(set_payload=payload)


def _require_completed(result: q.UpdateResult) -> None:
    if result.status != q.UpdateStatus.Completed:
        raise Unavailable("the index has not confirmed a write")


def point_id(text: str) -> q.PointId:
    """Id of a point, a UUID or a number, from its text."""
    return q.PointId(num=int(text)) if text.isascii() and text.isdigit() else q.PointId(uuid=text)
