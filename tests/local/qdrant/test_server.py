import grpc
import pytest
from qdrant_client import grpc as pb

from local.qdrant.collections import Collections
from local.qdrant.found import FoundPoints
from local.qdrant.server import open_server


@pytest.fixture
async def channel(stack_directory):
    with Collections(stack_directory) as collections:
        server, port = await open_server(collections, "127.0.0.1", 0)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
            yield opened
        await server.stop(0.1)


async def test_a_method_outside_the_list_says_so_and_names_the_way_out(channel):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await pb.PointsStub(channel).QueryGroups(pb.QueryPointGroups(collection_name="c", group_by="brand"), timeout=5)
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "qdrant.Points/QueryGroups" in refused.value.details()
    assert "ZHIYIN_QDRANT_URL" in refused.value.details()


async def test_a_field_that_would_be_ignored_is_refused(channel):
    dense = pb.VectorParams(size=2, distance=pb.Dot)
    creation = pb.CreateCollection(
        collection_name="c", vectors_config=pb.VectorsConfig(params_map=pb.VectorParamsMap(map={"d": dense}))
    )
    await pb.CollectionsStub(channel).Create(creation, timeout=5)
    query = pb.QueryPoints(collection_name="c", prefetch=[pb.PrefetchQuery()])
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await pb.PointsStub(channel).Query(query, timeout=5)
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "QueryPoints.prefetch" in refused.value.details()


async def test_presence_inside_a_nested_filter_is_refused_because_the_engine_answers_it_wrongly(channel):
    dense = pb.VectorParams(size=2, distance=pb.Dot)
    creation = pb.CreateCollection(
        collection_name="c", vectors_config=pb.VectorsConfig(params_map=pb.VectorParamsMap(map={"d": dense}))
    )
    await pb.CollectionsStub(channel).Create(creation, timeout=5)
    empty = pb.Condition(field=pb.FieldCondition(key="region", is_empty=True))
    inside = pb.Filter(must=[pb.Condition(filter=pb.Filter(should=[empty]))])
    nested = pb.Condition(nested=pb.NestedCondition(key="offers", filter=inside))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await pb.PointsStub(channel).Count(
            pb.CountPoints(collection_name="c", filter=pb.Filter(must=[nested])), timeout=5
        )
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "is_empty" in refused.value.details()


async def test_bytes_that_are_no_message_are_a_bad_request(channel):
    call = channel.unary_unary("/qdrant.Points/Query")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(b"\xff\xff\xff", timeout=5)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_health_is_answered(channel):
    reply = await pb.QdrantStub(channel).HealthCheck(pb.HealthCheckRequest(), timeout=5)
    assert reply.version


def test_kept_payloads_are_bounded_and_right_even_where_few_fit(stack_directory):
    dense = pb.VectorParams(size=2, distance=pb.Dot)
    creation = pb.CreateCollection(
        collection_name="c", vectors_config=pb.VectorsConfig(params_map=pb.VectorParamsMap(map={"d": dense}))
    )
    import qdrant_edge as edge

    with Collections(stack_directory) as collections:
        collections.create(creation)
        shard = collections.get("c").shard
        shard.update(
            edge.UpdateOperation.upsert_points(
                [edge.Point(n, {"d": [1.0, n]}, {"text": f"number {n}"}) for n in range(50)]
            )
        )
        small = FoundPoints(shard, capacity=200)
        request = edge.QueryRequest(limit=50, query=edge.Query.Nearest([0.0, 1.0], using="d"))
        for _ in range(2):
            encoded = small.encode(shard.query(request), pb.WithPayloadSelector(enable=True))
            reply = pb.BatchResult.FromString(encoded)
            texts = [point.payload["text"].string_value for point in reply.result]
            assert texts == [f"number {n}" for n in reversed(range(50))]
            assert small._size <= 200
