"""A collection of clustered vectors, and what an exact search of it finds, counted here."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
from qdrant_client import grpc as pb

from local.qdrant import QdrantServer
from local.qdrant.settings import OptimiserSettings

SECONDS = 30.0
DIMENSIONS = 16
EXACT_POINTS = 300
SPREAD = 1.0


def vectors(count: int, seed: int) -> np.ndarray:
    """Unit vectors, (count, 16), around twenty centres that overlap, as the products of a shop do.

    Where clusters are far apart and half of their points are filtered out, a graph of 600 points now and then has no
    way into one of them, with any server that searches through HNSW.
    """
    chosen = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(20, DIMENSIONS))
    around = centres[chosen.integers(0, 20, count)] + SPREAD * chosen.normal(size=(count, DIMENSIONS))
    return (around / np.linalg.norm(around, axis=1, keepdims=True)).astype(np.float32)


def creation(name: str) -> pb.CreateCollection:
    dense = pb.VectorParams(size=DIMENSIONS, distance=pb.Dot)
    return pb.CreateCollection(
        collection_name=name,
        vectors_config=pb.VectorsConfig(params_map=pb.VectorParamsMap(map={"text": dense})),
        sparse_vectors_config=pb.SparseVectorConfig(map={"words": pb.SparseVectorParams(modifier=pb.Idf)}),
        strict_mode_config=pb.StrictModeConfig(enabled=True, unindexed_filtering_retrieve=False),
    )


def point(number: int, vector: np.ndarray, price: int = 0) -> pb.PointStruct:
    words = pb.SparseVector(indices=[number % 7], values=[1.0])
    named = {
        "text": pb.Vector(dense=pb.DenseVector(data=vector.tolist())),
        "words": pb.Vector(sparse=words),
    }
    return pb.PointStruct(
        id=pb.PointId(num=number),
        vectors=pb.Vectors(vectors=pb.NamedVectors(vectors=named)),
        payload={"price": pb.Value(integer_value=price), "half": pb.Value(string_value="ab"[number % 2])},
    )


class Client:
    """Short ways to talk to a server."""

    def __init__(self, channel: grpc.aio.Channel, name: str) -> None:
        self.name = name
        self.points = pb.PointsStub(channel)
        self.collections = pb.CollectionsStub(channel)

    async def create(self) -> None:
        await self.collections.Create(creation(self.name), timeout=SECONDS)
        for field, kind in {"price": pb.FieldTypeInteger, "half": pb.FieldTypeKeyword}.items():
            index = pb.CreateFieldIndexCollection(
                collection_name=self.name, field_name=field, field_type=kind, wait=True
            )
            await self.points.CreateFieldIndex(index, timeout=SECONDS)

    async def store(self, *points: pb.PointStruct) -> None:
        request = pb.UpsertPoints(collection_name=self.name, wait=True, points=points)
        await self.points.Upsert(request, timeout=SECONDS)

    async def delete(self, *numbers: int) -> None:
        selector = pb.PointsSelector(points=pb.PointsIdsList(ids=[pb.PointId(num=number) for number in numbers]))
        await self.points.Delete(
            pb.DeletePoints(collection_name=self.name, wait=True, points=selector), timeout=SECONDS
        )

    async def set_price(self, number: int, price: int) -> None:
        selector = pb.PointsSelector(points=pb.PointsIdsList(ids=[pb.PointId(num=number)]))
        request = pb.SetPayloadPoints(
            collection_name=self.name,
            wait=True,
            payload={"price": pb.Value(integer_value=price)},
            points_selector=selector,
        )
        await self.points.SetPayload(request, timeout=SECONDS)

    async def found(self, vector: np.ndarray, limit: int, half: str = "", *, exact: bool = False) -> list[int]:
        match = pb.FieldCondition(key="half", match=pb.Match(keyword=half))
        request = pb.QueryPoints(
            collection_name=self.name,
            query=pb.Query(nearest=pb.VectorInput(dense=pb.DenseVector(data=vector.tolist()))),
            using="text",
            filter=pb.Filter(must=[pb.Condition(field=match)]) if half else None,
            limit=limit,
            params=pb.SearchParams(exact=exact),
        )
        return [result.id.num for result in (await self.points.Query(request, timeout=SECONDS)).result]

    async def prices(self) -> dict[int, int]:
        """Price by number, of all points."""
        request = pb.ScrollPoints(
            collection_name=self.name, limit=1_000_000, with_payload=pb.WithPayloadSelector(enable=True)
        )
        reply = await self.points.Scroll(request, timeout=SECONDS)
        return {record.id.num: record.payload["price"].integer_value for record in reply.result}

    async def status(self) -> "pb.CollectionStatus.ValueType":
        request = pb.GetCollectionInfoRequest(collection_name=self.name)
        return (await self.collections.Get(request, timeout=SECONDS)).result.status


@contextlib.asynccontextmanager
async def client(address: str, name: str = "c"):
    async with grpc.aio.insecure_channel(address) as channel:
        yield Client(channel, name)


def impatient_server(directory: Path, **options: float) -> QdrantServer:
    """A server that builds graphs above 300 points and looks ten times a second."""
    given = {"exact_points": EXACT_POINTS, "check_seconds": 0.1, "pause_seconds": 0.1} | options
    return QdrantServer(directory, settings=OptimiserSettings(**given))


def recall(found: list[int], stored: dict[int, np.ndarray], vector: np.ndarray) -> float:
    """Share of the exact best that was found."""
    numbers = list(stored)
    scores = np.stack([stored[number] for number in numbers]) @ vector
    best = {numbers[place] for place in np.argsort(-scores)[: len(found)]}
    return len(best & set(found)) / len(found)


async def until(condition: Callable[[], object]) -> None:
    """Waits until a condition holds; the runner's own limit ends a test that waits for ever."""
    while True:
        held = condition()
        if await held if asyncio.iscoroutine(held) else held:
            return
        await asyncio.sleep(0.02)


def pointer(directory: Path) -> str:
    """What the collection's pointer names; nothing before the first graphs."""
    return "".join(path.read_text(encoding="utf-8") for path in directory.glob("collections/*/shard.current"))
