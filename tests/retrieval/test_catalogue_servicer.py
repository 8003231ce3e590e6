"""Writing, reading and deleting over the real API, on a real Postgres and Qdrant engine."""

import asyncio
from contextlib import suppress

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from tests.refusals import refusal
from tests.retrieval import shops
from zhiyin.common.v1 import degradation_pb2, product_pb2, write_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

CREATED, UPDATED = write_pb2.WRITE_OUTCOME_CREATED, write_pb2.WRITE_OUTCOME_UPDATED
UNCHANGED, REJECTED = write_pb2.WRITE_OUTCOME_UNCHANGED, write_pb2.WRITE_OUTCOME_REJECTED
DELETED, NOT_FOUND = write_pb2.WRITE_OUTCOME_DELETED, write_pb2.WRITE_OUTCOME_NOT_FOUND
NOT_YET = degradation_pb2.DEGRADATION_KIND_NOT_YET_SEARCHABLE


async def outcome(shop, product):
    reply = await shops.upsert(shop, product, searchable=False)
    return reply.results[0]


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value)


async def test_a_product_is_created_then_unchanged_then_updated(shop):
    milk = shops.product("milk", "Milk", price=2)
    first, again = await outcome(shop, milk), await outcome(shop, milk)
    milk.title = "Milk 2"
    updated = await outcome(shop, milk)
    assert [r.outcome for r in (first, again, updated)] == [CREATED, UNCHANGED, UPDATED]
    assert first.etag == again.etag != updated.etag


async def test_a_product_comes_back_as_it_was_imported_with_its_etag(shop):
    milk = shops.product(
        "milk", "<b>Milk</b>\x00!!!", price=2.5, sku="x-1", sales_count=0, description="线上 &amp;amp;"
    )
    milk.attributes["colour"].texts.append("white")
    milk.attributes["organic"].flag = False
    reply = await shops.upsert(shop, milk)
    stored = await shops.get(shop, "milk")
    assert stored.product.etag == reply.results[0].etag
    stored.product.ClearField("etag")
    assert stored.product == milk
    assert stored.index_state == pb.INDEX_STATE_SEARCHABLE


async def test_a_bad_item_is_rejected_with_its_field_and_the_rest_goes_in(shop):
    reply = await shops.upsert(shop, shops.product("bad", ""), shops.product("good", "Good"))
    assert [r.outcome for r in reply.results] == [REJECTED, CREATED]
    assert [(v.field, v.reason) for v in reply.results[0].violations] == [("title", "REQUIRED")]
    assert reply.results[0].etag == ""


async def test_an_older_update_is_stale_and_an_equal_or_undated_one_is_not(shop):
    def milk(title, seconds=None):
        fields = {} if seconds is None else {"update_time": Timestamp(seconds=seconds)}
        return shops.product("milk", title, **fields)

    assert (await outcome(shop, milk("Milk", 1_000))).outcome == CREATED
    stale = await outcome(shop, milk("Old milk", 999))
    assert stale.outcome == REJECTED
    assert [(v.field, v.reason) for v in stale.violations] == [("update_time", "STALE")]
    assert (await outcome(shop, milk("Newer milk", 1_000))).outcome == UPDATED
    assert (await outcome(shop, milk("Undated milk"))).outcome == UPDATED


async def test_a_write_with_another_etag_than_the_stored_one_is_rejected(shop):
    etag = (await outcome(shop, shops.product("milk", "Milk"))).etag
    assert (await outcome(shop, shops.product("milk", "Milk 2", etag=etag))).outcome == UPDATED
    late = await outcome(shop, shops.product("milk", "Milk 3", etag=etag))
    missing = await outcome(shop, shops.product("none", "None", etag=etag))
    for result in (late, missing):
        assert result.outcome == REJECTED
        assert [(v.field, v.reason) for v in result.violations] == [("etag", "ETAG_MISMATCH")]
    assert late.etag != etag
    assert missing.etag == ""


async def test_a_write_that_is_repeated_because_its_answer_was_lost_is_unchanged(shop):
    etag = (await outcome(shop, shops.product("milk", "Milk"))).etag
    written = await outcome(shop, shops.product("milk", "Milk 2", etag=etag))
    repeated = await outcome(shop, shops.product("milk", "Milk 2", etag=etag))
    assert (repeated.outcome, repeated.etag) == (UNCHANGED, written.etag)


async def test_an_id_twice_in_one_batch_refuses_the_whole_request(shop):
    error = await refused(shops.upsert(shop, *[shops.product(i, "T") for i in ("a", "b", "a")]))
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert error.fields == {"products[2].id": "DUPLICATE"}
    with pytest.raises(grpc.aio.AioRpcError, match="no such product"):
        await shops.get(shop, "b")


@pytest.mark.parametrize(("count", "reason"), [(0, "REQUIRED"), (501, "TOO_MANY")])
async def test_an_empty_or_too_large_batch_is_refused_with_the_limit(shop, count, reason):
    ids = [str(number) for number in range(count)]
    for call, field in (
        (shops.upsert(shop, *[shops.product(i, "T") for i in ids]), "products"),
        (shops.delete(shop, *ids), "product_ids"),
        (shops.summaries(shop, *ids), "product_ids"),
    ):
        error = await refused(call)
        assert error.code == grpc.StatusCode.INVALID_ARGUMENT
        assert error.fields == {field: reason}


async def test_a_bad_catalogue_name_is_refused_by_every_rpc(shop):
    shop.catalog = "No Such/Name"
    for call in (
        shops.upsert(shop, shops.product("a", "A")),
        shops.delete(shop, "a"),
        shops.get(shop, "a"),
        shops.search(shop, "a"),
        shops.summaries(shop, "a"),
    ):
        error = await refused(call)
        assert error.code == grpc.StatusCode.INVALID_ARGUMENT
        assert error.fields == {"catalog": "INVALID_FORMAT"}


async def test_a_product_that_is_not_there_is_not_found(shop):
    error = await refused(shops.get(shop, "nobody"))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND")
    error = await refused(shops.get(shop, "no id"))
    assert error.fields == {"product_id": "INVALID_FORMAT"}


async def test_deleting_tells_each_id_its_own_result(shop):
    await shops.upsert(shop, shops.product("a", "Milk"))
    reply = await shops.delete(shop, "a", "b", "no id")
    assert [r.outcome for r in reply.results] == [DELETED, NOT_FOUND, REJECTED]
    assert shops.ids_of(await shops.search(shop, "milk")) == []
    assert [r.outcome for r in (await shops.delete(shop, "a")).results] == [NOT_FOUND]
    error = await refused(shops.delete(shop, "a", "a"))
    assert error.fields == {"product_ids[1]": "DUPLICATE"}


async def test_a_product_that_is_deleted_and_created_again_has_a_new_etag_and_is_found(shop):
    first = (await shops.upsert(shop, shops.product("a", "Milk"))).results[0]
    await shops.delete(shop, "a")
    again = (await shops.upsert(shop, shops.product("a", "Milk"))).results[0]
    assert again.outcome == CREATED
    assert again.etag != first.etag
    assert shops.ids_of(await shops.search(shop, "milk")) == ["a"]


async def test_unchanged_text_is_not_encoded_again_not_even_by_another_process(shop, serve):
    milk = shops.product("milk", "Milk", price=2)
    await shops.upsert(shop, milk)
    milk.offers[0].price.units = 3
    await shops.upsert(shop, milk)
    async with serve(shop.database_url, shop.qdrant_url, shop.encoder_target) as other:
        milk.offers[0].price.units = 4
        request = pb.UpsertProductsRequest(
            catalog=shop.catalog, products=[milk], wait_until=write_pb2.WAIT_UNTIL_SEARCHABLE
        )
        reply = await other.UpsertProducts(request, timeout=shops.SECONDS)
    assert not reply.degradations
    assert shop.encoder.documents == ["Milk"]
    found = (await shops.search(shop, "milk")).found[0]
    assert found.summary.offer.price.units == 4
    assert found.candidate.scores.HasField("cosine")


async def test_while_the_encoder_is_away_writes_are_found_by_words_and_later_by_meaning(shop):
    await shops.upsert(shop, shops.product("bread", "Bread"))
    shop.encoder.error = RuntimeError("away")
    reply = await shops.upsert(shop, shops.product("milk", "Milk"))
    assert [(d.kind, d.component) for d in reply.degradations] == [(NOT_YET, "encoder")]
    assert (await shops.get(shop, "milk")).index_state == pb.INDEX_STATE_WORDS_ONLY
    assert shops.ids_of(await shops.search(shop, "milk")) == ["milk"]
    shop.encoder.error = None

    async def searchable():
        return (await shops.get(shop, "milk")).index_state == pb.INDEX_STATE_SEARCHABLE

    await shops.eventually(searchable)
    assert (await shops.search(shop, "milk")).found[0].candidate.scores.HasField("cosine")


async def test_a_wait_that_is_too_short_is_told_and_the_write_stands(shop):
    shop.encoder.hang = True
    await shops.upsert(shop, shops.product("milk", "Milk"), within=0.6, searchable=True)
    reply = await shops.get(shop, "milk")
    assert reply.product.title == "Milk"
    assert reply.index_state != pb.INDEX_STATE_SEARCHABLE


async def test_a_text_that_the_encoder_refuses_harms_no_other_product(shop):
    shop.encoder.refused = {"Poison"}
    products = [shops.product(str(number), "Milk") for number in range(5)]
    reply = await shops.upsert(shop, *products, shops.product("poison", "Poison"))
    assert not reply.degradations
    scored = {f.candidate.product_id: f.candidate.scores for f in (await shops.search(shop, "milk poison")).found}
    assert set(scored) == {"0", "1", "2", "3", "4", "poison"}
    assert not scored["poison"].HasField("cosine")
    assert all(scored[product.id].HasField("cosine") for product in products)


async def test_two_writers_of_the_same_new_products_create_each_once(shop):
    batches = [
        [product_pb2.Product(id=str(n), title=f"T{n} by {writer}") for n in order]
        for writer, order in enumerate((range(40), reversed(range(40))))
    ]
    replies = await asyncio.gather(*(shops.upsert(shop, *batch, searchable=False) for batch in batches))
    by_id = {}
    for reply in replies:
        for result in reply.results:
            by_id.setdefault(result.product_id, []).append(result.outcome)
    assert all(sorted(outcomes) == [CREATED, UPDATED] for outcomes in by_id.values())


async def test_writes_of_two_replicas_are_all_indexed_and_searches_find_the_last_one(shop, serve):
    async with serve(shop.database_url, shop.qdrant_url, shop.encoder_target) as other:
        for round_number in range(3):
            for stub in (shop.stub, other):
                title = f"Milk {round_number} {stub is other}"
                request = pb.UpsertProductsRequest(
                    catalog=shop.catalog,
                    products=[product_pb2.Product(id="milk", title=title)],
                    wait_until=write_pb2.WAIT_UNTIL_SEARCHABLE,
                )
                assert not (await stub.UpsertProducts(request, timeout=shops.SECONDS)).degradations
                assert (await shops.search(shop, "milk")).found[0].summary.title == title


async def test_a_lost_index_is_rebuilt_from_postgres_without_encoding_anything_again(shop):
    from qdrant_client import grpc as q

    await shops.upsert(shop, *[shops.product(str(n), f"Milk {n}") for n in range(5)])
    encoded = len(shop.encoder.documents)
    async with grpc.aio.insecure_channel(shop.qdrant_url) as channel:
        name = f"zhiyin.{shop.catalog}.1"
        await q.CollectionsStub(channel).Delete(q.DeleteCollection(collection_name=name), timeout=5)

    async def rebuilt():
        with suppress(grpc.aio.AioRpcError):
            return len((await shops.search(shop, "milk")).found) == 5
        return False

    await shops.eventually(rebuilt)
    assert len(shop.encoder.documents) == encoded


async def test_migrations_can_be_applied_twice(database_url, migrate_catalogue):
    await migrate_catalogue(database_url)
    await migrate_catalogue(database_url)
