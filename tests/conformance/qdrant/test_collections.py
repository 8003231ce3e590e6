import grpc
import pytest
from qdrant_client import AsyncQdrantClient, models
from qdrant_client import grpc as pb

from tests.conformance.qdrant.catalogue import INDEXES, SECONDS, creation, names, near, product, store, value


async def test_a_collection_tells_its_vectors_indexes_and_size(collections, points, collection):
    await store(points, collection, product("a"), product("b"))
    request = pb.GetCollectionInfoRequest(collection_name=collection)
    info = (await collections.Get(request, timeout=SECONDS)).result
    vectors = info.config.params.vectors_config.params_map.map
    assert (vectors["dense"].size, vectors["dense"].distance) == (4, pb.Cosine)
    assert (vectors["dot"].size, vectors["dot"].distance) == (2, pb.Dot)
    assert info.config.params.sparse_vectors_config.map["words"].modifier == pb.Idf
    assert info.config.strict_mode_config.enabled
    assert set(info.payload_schema) == set(INDEXES)
    assert info.payload_schema["brand"].data_type == pb.PayloadSchemaType.Keyword
    assert info.points_count == 2


async def test_a_collection_gives_back_the_metadata_that_it_was_created_with(collections, collection_name):
    request = creation(collection_name)
    request.metadata["number"].integer_value = 3
    request.metadata["model"].string_value = "多语言"
    await collections.Create(request, timeout=SECONDS)
    try:
        information = pb.GetCollectionInfoRequest(collection_name=collection_name)
        config = (await collections.Get(information, timeout=SECONDS)).result.config
        assert config.metadata["number"].integer_value == 3
        assert config.metadata["model"].string_value == "多语言"
    finally:
        await collections.Delete(pb.DeleteCollection(collection_name=collection_name), timeout=SECONDS)


async def test_metadata_is_merged_and_a_null_removes_its_key(collections, points, collection):
    await store(points, collection, product("a"))
    for changes in (
        {"number": value(1), "state": value("building")},
        {"state": value("active"), "number": value(None)},
    ):
        update = pb.UpdateCollection(collection_name=collection, metadata=changes)
        assert (await collections.Update(update, timeout=SECONDS)).result
    information = pb.GetCollectionInfoRequest(collection_name=collection)
    result = (await collections.Get(information, timeout=SECONDS)).result
    assert dict(result.config.metadata) == {"state": value("active")}
    assert result.config.strict_mode_config.enabled
    assert await names(points, collection, query=near(1, 0, 0, 0), using="dense") == ["a"]


async def test_metadata_of_no_collection_is_not_found(collections):
    update = pb.UpdateCollection(collection_name="no-such-collection", metadata={"a": value(1)})
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await collections.Update(update, timeout=SECONDS)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


async def test_a_collection_is_listed_until_it_is_deleted(collections, collection_name):
    exists = pb.CollectionExistsRequest(collection_name=collection_name)
    assert not (await collections.CollectionExists(exists, timeout=SECONDS)).result.exists
    await collections.Create(creation(collection_name), timeout=SECONDS)
    assert (await collections.CollectionExists(exists, timeout=SECONDS)).result.exists
    listed = await collections.List(pb.ListCollectionsRequest(), timeout=SECONDS)
    assert collection_name in [description.name for description in listed.collections]
    deletion = pb.DeleteCollection(collection_name=collection_name)
    assert (await collections.Delete(deletion, timeout=SECONDS)).result
    assert not (await collections.CollectionExists(exists, timeout=SECONDS)).result.exists


async def test_a_second_collection_of_the_same_name_is_refused(collections, collection):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await collections.Create(creation(collection), timeout=SECONDS)
    assert refused.value.code() in {grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.INVALID_ARGUMENT}


async def test_an_alias_is_switched_in_one_step_and_reads_and_writes_go_through_it(collections, points, collection):
    old, new, alias = collection, f"{collection}-new", f"{collection}-alias"
    await collections.Create(creation(new), timeout=SECONDS)
    try:
        await store(points, old, product("old"))
        await store(points, new, product("new"))
        await change_aliases(collections, create(alias, old))
        assert await names(points, alias, query=near(1, 0, 0, 0), using="dense") == ["old"]
        await change_aliases(collections, drop(alias), create(alias, new))
        assert await names(points, alias, query=near(1, 0, 0, 0), using="dense") == ["new"]
        await store(points, alias, product("newer"))
        assert len(await names(points, new, query=near(1, 0, 0, 0), using="dense")) == 2
        aliases = await collections.ListAliases(pb.ListAliasesRequest(), timeout=SECONDS)
        assert [one.collection_name for one in aliases.aliases if one.alias_name == alias] == [new]
    finally:
        await collections.Delete(pb.DeleteCollection(collection_name=new), timeout=SECONDS)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await names(points, alias, query=near(1, 0, 0, 0), using="dense")
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


async def test_an_alias_switch_that_fails_changes_nothing(collections, points, collection):
    alias = f"{collection}-alias"
    await store(points, collection, product("a"))
    await change_aliases(collections, create(alias, collection))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await change_aliases(collections, drop(alias), create(alias, "missing-collection"))
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert await names(points, alias, query=near(1, 0, 0, 0), using="dense") == ["a"]


async def test_the_stock_client_works(qdrant_url, collection_name):
    host, port = qdrant_url.rsplit(":", 1)
    client = AsyncQdrantClient(host=host, grpc_port=int(port), prefer_grpc=True, check_compatibility=False, timeout=10)
    try:
        await client.create_collection(
            collection_name,
            vectors_config={"dense": models.VectorParams(size=2, distance=models.Distance.COSINE)},
            sparse_vectors_config={"words": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )
        await client.create_payload_index(collection_name, "brand", models.PayloadSchemaType.KEYWORD)
        words = models.SparseVector(indices=[3], values=[1.0])
        await client.upsert(
            collection_name,
            [models.PointStruct(id=1, vector={"dense": [0.6, 0.8], "words": words}, payload={"brand": "a"})],
            wait=True,
        )
        brand = models.FieldCondition(key="brand", match=models.MatchValue(value="a"))
        response = await client.query_points(
            collection_name,
            query=[0.6, 0.8],
            using="dense",
            query_filter=models.Filter(must=[brand]),
            with_vectors=True,
        )
        (point,) = response.points
        assert (point.id, point.payload) == (1, {"brand": "a"})
        assert point.vector["dense"] == pytest.approx([0.6, 0.8])
        assert point.vector["words"] == words
        info = await client.get_collection(collection_name)
        assert info.payload_schema["brand"].data_type == models.PayloadSchemaType.KEYWORD
        assert (await client.count(collection_name)).count == 1
        records, following = await client.scroll(collection_name)
        assert (len(records), following) == (1, None)
        await client.delete_collection(collection_name)
    finally:
        await client.close()


async def change_aliases(collections, *actions: pb.AliasOperations) -> None:
    await collections.UpdateAliases(pb.ChangeAliases(actions=actions), timeout=SECONDS)


def create(alias: str, collection: str) -> pb.AliasOperations:
    return pb.AliasOperations(create_alias=pb.CreateAlias(alias_name=alias, collection_name=collection))


def drop(alias: str) -> pb.AliasOperations:
    return pb.AliasOperations(delete_alias=pb.DeleteAlias(alias_name=alias))
