import asyncio
import itertools
import os
import signal

import grpc
import pytest
from qdrant_client import grpc as pb

from local.qdrant import QdrantServer

SECONDS = 10.0
DENSE = pb.VectorsConfig(params_map=pb.VectorParamsMap(map={"dense": pb.VectorParams(size=8, distance=pb.Cosine)}))


def point(number: int) -> pb.PointStruct:
    vectors = pb.NamedVectors(vectors={"dense": pb.Vector(dense=pb.DenseVector(data=[1.0] * 8))})
    return pb.PointStruct(
        id=pb.PointId(num=number),
        vectors=pb.Vectors(vectors=vectors),
        payload={"number": pb.Value(integer_value=number)},
    )


async def upsert_until_the_server_dies(points, acknowledged, numbers):
    for number in numbers:
        try:
            await points.Upsert(
                pb.UpsertPoints(collection_name="c", wait=True, points=[point(number)]), timeout=SECONDS
            )
        except grpc.aio.AioRpcError:
            return
        acknowledged.append(number)


async def stored(points) -> set[int]:
    request = pb.ScrollPoints(collection_name="c", limit=100_000)
    reply = await points.Scroll(request, timeout=SECONDS)
    return {record.id.num for record in reply.result}


async def test_kill_9_under_upserts_loses_nothing_acknowledged(stack_directory):
    acknowledged, numbers = [], itertools.count(1)
    async with QdrantServer(stack_directory) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            await pb.CollectionsStub(channel).Create(
                pb.CreateCollection(collection_name="c", vectors_config=DENSE), timeout=SECONDS
            )
        for round_number in (1, 2):
            async with grpc.aio.insecure_channel(server.address) as channel:
                points = pb.PointsStub(channel)
                writers = [
                    asyncio.create_task(upsert_until_the_server_dies(points, acknowledged, numbers)) for _ in range(4)
                ]
                while len(acknowledged) < 200 * round_number:
                    await asyncio.sleep(0.01)
                os.kill(server.child.pid, signal.SIGKILL)
                await asyncio.gather(*writers)
            address = server.address
            await server.stop()
            await server.start()
            assert server.address == address
            async with grpc.aio.insecure_channel(server.address) as channel:
                assert set(acknowledged) <= await stored(pb.PointsStub(channel))


async def test_collections_indexes_and_aliases_survive_a_restart(stack_directory):
    async with QdrantServer(stack_directory) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            collections, points = pb.CollectionsStub(channel), pb.PointsStub(channel)
            for name in ("c", "gone"):
                creation = pb.CreateCollection(collection_name=name, vectors_config=DENSE)
                await collections.Create(creation, timeout=SECONDS)
            index = pb.CreateFieldIndexCollection(
                collection_name="c", field_name="number", field_type=pb.FieldTypeInteger, wait=True
            )
            await points.CreateFieldIndex(index, timeout=SECONDS)
            alias = pb.AliasOperations(create_alias=pb.CreateAlias(alias_name="a", collection_name="c"))
            await collections.UpdateAliases(pb.ChangeAliases(actions=[alias]), timeout=SECONDS)
            await collections.Delete(pb.DeleteCollection(collection_name="gone"), timeout=SECONDS)
        os.kill(server.child.pid, signal.SIGKILL)
        await server.stop()
        await server.start()
        async with grpc.aio.insecure_channel(server.address) as channel:
            collections = pb.CollectionsStub(channel)
            info = await collections.Get(pb.GetCollectionInfoRequest(collection_name="a"), timeout=SECONDS)
            assert info.result.payload_schema["number"].data_type == pb.PayloadSchemaType.Integer
            listed = await collections.List(pb.ListCollectionsRequest(), timeout=SECONDS)
            assert [one.name for one in listed.collections] == ["c"]


async def test_a_directory_that_another_process_serves_is_refused(stack_directory):
    async with QdrantServer(stack_directory):
        second = QdrantServer(stack_directory)
        with pytest.raises(Exception, match="in use by process"):
            await second.start()
