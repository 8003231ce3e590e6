"""The two systems under the same queries: our front in a process of its own, and the bare engine in this one."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import grpc
import numpy as np
import psutil
import qdrant_edge as edge
from qdrant_client import grpc as q

from benchmarks import retrieval_points as points
from local.processes import LocalError
from local.qdrant import QdrantServer, shards
from local.qdrant.settings import OptimiserSettings

PORTION: Final = 500
_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.2
_GRPC_OPTIONS: Final = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


class Front:
    """Qdrant's API in front of the engine, called as retrieval calls it."""

    def __init__(self, server: QdrantServer, channel: grpc.aio.Channel, directory: Path) -> None:
        self._server = server
        self._directory = directory
        self.points = q.PointsStub(channel)  # type: ignore[no-untyped-call]
        self.collections = q.CollectionsStub(channel)  # type: ignore[no-untyped-call]

    async def create(self) -> None:
        """Makes the collection with its indexes."""
        dense = q.VectorParams(size=points.DIMS, distance=q.Distance.Dot)
        request = q.CreateCollection(
            collection_name=points.COLLECTION,
            vectors_config=q.VectorsConfig(params_map=q.VectorParamsMap(map={points.DENSE: dense})),
            sparse_vectors_config=q.SparseVectorConfig(map={points.SPARSE: q.SparseVectorParams(modifier=q.Idf)}),
        )
        await self.collections.Create(request, timeout=_SECONDS)
        for field, kind in points.INDEXES.items():
            index = q.CreateFieldIndexCollection(
                collection_name=points.COLLECTION, field_name=field, field_type=kind, wait=True
            )
            await self.points.CreateFieldIndex(index, timeout=_SECONDS)

    async def fill(self, count: int) -> float:
        """Stores products, one call after another; points/s, the making of the messages not counted."""
        spent = 0.0
        for numbers, texts in points.portions(count, PORTION):
            products = [points.message(*each) for each in zip(numbers, texts.vectors, texts.words, strict=True)]
            request = q.UpsertPoints(collection_name=points.COLLECTION, wait=True, points=products)
            began = time.perf_counter()
            await self.points.Upsert(request, timeout=_SECONDS)
            spent += time.perf_counter() - began
        return count / spent

    async def search(self, texts: points.Texts, *, filtered: bool) -> list[float]:
        """Milliseconds of each query, one after another."""
        taken = []
        for vector, words in zip(texts.vectors, texts.words, strict=True):
            request = points.both_legs(vector, words, filtered=filtered)
            began = time.perf_counter()
            await self.points.QueryBatch(request, timeout=_SECONDS)
            taken.append((time.perf_counter() - began) * 1e3)
        return taken

    async def set_prices(self, count: int) -> float:
        """Prices of single products in batches, as offers are written; products/s."""
        spent = 0.0
        for start in range(0, count, PORTION):
            request = q.UpdateBatchPoints(
                collection_name=points.COLLECTION,
                wait=True,
                operations=[_price(number) for number in range(start, min(start + PORTION, count))],
            )
            began = time.perf_counter()
            await self.points.UpdateBatch(request, timeout=_SECONDS)
            spent += time.perf_counter() - began
        return count / spent

    async def is_building(self) -> bool:
        """Whether graphs are being built."""
        request = q.GetCollectionInfoRequest(collection_name=points.COLLECTION)
        status = (await self.collections.Get(request, timeout=_SECONDS)).result.status
        return bool(status == q.CollectionStatus.Yellow)

    async def wait_until_building(self) -> None:
        """Returns when the building of graphs has begun."""
        while not await self.is_building():  # noqa: ASYNC110 - the server does not call back
            await asyncio.sleep(_POLL_SECONDS)

    def shard(self) -> Path:
        """The directory of the shard that is in use."""
        (collection,) = (self._directory / "collections").glob("*/")
        return shards.current(collection)

    def memory(self) -> tuple[float, float]:
        """MiB of the process: resident, and of these its own, without mapped files."""
        child = self._server.child
        if child is None:
            raise LocalError("the engine is not running")
        info = psutil.Process(child.pid).memory_info()
        return info.rss / 2**20, (info.rss - info.shared) / 2**20


@asynccontextmanager
async def front(directory: Path, exact_points: int) -> AsyncIterator[Front]:
    """Our front on a data directory."""
    settings = OptimiserSettings(exact_points=exact_points, check_seconds=1.0)
    async with (
        QdrantServer(directory, settings=settings) as server,
        grpc.aio.insecure_channel(server.address, options=_GRPC_OPTIONS) as channel,
    ):
        yield Front(server, channel, directory)


class Bare:
    """The engine in this process, on a copy of the same shard."""

    def __init__(self, shard: Path, copy: Path) -> None:
        shutil.copytree(shard, copy)
        self._shard = edge.EdgeShard.load(str(copy))

    def search(self, texts: points.Texts, *, filtered: bool) -> list[float]:
        """Milliseconds of each query, one after another."""
        taken = []
        for vector, words in zip(texts.vectors, texts.words, strict=True):
            request = points.bare_both_legs(vector, words, filtered=filtered)
            began = time.perf_counter()
            self._shard.query_batch(request)
            taken.append((time.perf_counter() - began) * 1e3)
        return taken

    def recall(self, texts: points.Texts) -> float:
        """Mean share of the exact best 200 that the dense leg finds."""
        shares = []
        for vector in texts.vectors:
            nearest = edge.Query.Nearest(vector.tolist(), using=points.DENSE)
            found, best = (
                {
                    result.id
                    for result in self._shard.query(
                        edge.QueryRequest(points.LEG_LIMIT, query=nearest, params=edge.SearchParams(exact=exact))
                    )
                }
                for exact in (False, True)
            )
            shares.append(len(found & best) / len(best))
        return float(np.mean(shares))

    def fill(self, count: int) -> float:
        """Stores the same products again; points/s, the making of the objects not counted."""
        spent = 0.0
        for numbers, texts in points.portions(count, PORTION):
            products = [points.bare_point(*each) for each in zip(numbers, texts.vectors, texts.words, strict=True)]
            began = time.perf_counter()
            self._shard.update(edge.UpdateOperation.upsert_points(products))
            spent += time.perf_counter() - began
        return count / spent

    def set_prices(self, count: int) -> float:
        """The same prices; products/s."""
        numbers: Sequence[int] = range(count)
        offers = {number: {"offers": _offers(number)} for number in numbers}
        alone = {number: edge.Filter(must=[edge.HasIdCondition({points.point_id(number)})]) for number in numbers}
        began = time.perf_counter()
        for number in numbers:
            self._shard.update(edge.UpdateOperation.set_payload_by_filter(alone[number], offers[number]))
        return count / (time.perf_counter() - began)

    def close(self) -> None:
        """Closes the shard."""
        self._shard.close()


def _offers(number: int) -> list[dict[str, object]]:
    return [{"region": "cn", "currency": "CNY", "price": float(number % 900), "availability": 1}]


def _price(number: int) -> q.PointsUpdateOperation:
    ids = q.HasIdCondition(has_id=[q.PointId(uuid=points.point_id(number))])
    selector = q.PointsSelector(filter=q.Filter(must=[q.Condition(has_id=ids)]))
    payload = {"offers": points.value(_offers(number))}
    return q.PointsUpdateOperation(
        set_payload=q.PointsUpdateOperation.SetPayload(payload=payload, points_selector=selector)
    )
