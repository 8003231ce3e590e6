"""Found points as messages, without turning the same payload into protobuf again and again.

Building the payloads of 400 points from Python objects takes 8 ms and copying them from bytes 1 ms, so the bytes
are kept. The engine counts up a point's version with every change, which tells whether they still hold.
"""

from collections.abc import Sequence
from typing import Any

import qdrant_edge as edge
from qdrant_client import grpc as pb

from local.qdrant import replies, requests


class FoundPoints:
    """Serialised ids and payloads of points found before, bounded in bytes; the oldest leave first."""

    def __init__(self, shard: edge.EdgeShard, capacity: int) -> None:
        """`capacity` is in bytes of serialised payloads."""
        self._shard = shard
        self._capacity = capacity
        self._kept: dict[tuple[bytes, Any], tuple[int, bytes]] = {}
        self._size = 0

    def write(
        self,
        found: Sequence[edge.ScoredPoint],
        selection: pb.WithPayloadSelector,
        reply: pb.QueryResponse | pb.BatchResult,
    ) -> None:
        """Appends `found`, queried without payload, to a reply, with the payload that `selection` names."""
        selected = selection.SerializeToString()
        self._read_missing(found, selection, selected)
        for point in found:
            message = reply.result.add()
            message.MergeFromString(self._kept[selected, point.id][1])
            message.score = point.score
            message.version = point.version
            if point.vector is not None:
                message.vectors.CopyFrom(replies.vectors(point.vector))
            if point.order_value is not None:
                message.order_value.CopyFrom(replies.order_value(point.order_value))
        self._evict()

    def _read_missing(
        self, found: Sequence[edge.ScoredPoint], selection: pb.WithPayloadSelector, selected: bytes
    ) -> None:
        missing = {}
        for point in found:
            kept = self._kept.get((selected, point.id))
            if kept is None or kept[0] != point.version:
                missing[point.id] = point.version
        if not missing:
            return
        for record in self._shard.retrieve(list(missing), with_payload=requests.selector(selection), with_vector=False):
            self._keep((selected, record.id), missing[record.id], record)

    def _keep(self, key: tuple[bytes, Any], version: int, record: edge.Record) -> None:
        payload = None if record.payload is None else replies.payload(record.payload)
        message = pb.ScoredPoint(id=replies.point_id(record.id), payload=payload).SerializeToString()
        _, outdated = self._kept.pop(key, (0, b""))
        self._kept[key] = version, message
        self._size += len(message) - len(outdated)

    def _evict(self) -> None:
        while self._size > self._capacity:
            _, message = self._kept.pop(next(iter(self._kept)))
            self._size -= len(message)
