"""Offers, masks and lists over the real API, on a real Postgres and Qdrant engine."""

import asyncio

import grpc
import pytest

from tests.refusals import refusal
from tests.retrieval import shops
from tests.retrieval.catalogues import REMOVE, change
from zhiyin.common.v1 import product_pb2, write_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

SEARCHABLE = write_pb2.WAIT_UNTIL_SEARCHABLE


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value)


async def update(shop, *updates, mask=(), searchable=True, catalog=None):
    request = pb.UpdateOffersRequest(catalog=catalog or shop.catalog, updates=updates)
    request.update_mask.paths.extend(mask)
    request.wait_until = SEARCHABLE if searchable else write_pb2.WAIT_UNTIL_COMMITTED
    return await shop.stub.UpdateOffers(request, timeout=shops.SECONDS)


async def found_up_to(shop, price, **fields):
    return shops.ids_of(await shops.search(shop, "milk", filter=shops.prices(highest=price), **fields))


async def test_a_changed_price_is_found_by_filters_and_shown_and_nothing_is_encoded(shop):
    await shops.upsert(shop, shops.product("milk", "Milk", price=9))
    encoded = len(shop.encoder.documents)
    assert await found_up_to(shop, 5) == []
    reply = await update(shop, change("milk", 4))
    assert [(r.product_id, r.region, r.outcome) for r in reply.results] == [
        ("milk", "", write_pb2.WRITE_OUTCOME_UPDATED)
    ]
    assert not reply.degradations
    assert await found_up_to(shop, 5) == ["milk"]
    assert (await shops.search(shop, "milk")).found[0].summary.offer.price.units == 4
    assert len(shop.encoder.documents) == encoded


async def test_a_removed_offer_is_neither_found_nor_shown(shop):
    await shops.upsert(shop, shops.product("milk", "Milk", price=4))
    await update(shop, change("milk", action=REMOVE))
    assert await found_up_to(shop, 5) == []
    assert not (await shops.search(shop, "milk")).found[0].summary.HasField("offer")


async def test_prices_change_while_the_encoder_is_away(shop):
    await shops.upsert(shop, shops.product("milk", "Milk", price=9))
    shop.encoder.error = RuntimeError("away")
    await shops.upsert(shop, shops.product("bread", "Bread"), searchable=False)
    reply = await update(shop, change("milk", 4))
    assert not reply.degradations
    assert await found_up_to(shop, 5) == ["milk"]


async def test_a_mask_changes_the_stock_alone(shop):
    await shops.upsert(shop, shops.product("milk", "Milk", price=4))
    await update(shop, change("milk", availability=2), mask=["availability"])
    offer = (await shops.search(shop, "milk")).found[0].summary.offer
    assert (offer.price.units, offer.availability) == (4, 2)


async def test_what_is_wrong_with_a_request_is_named(shop):
    error = await refused(update(shop, change("a", 1), mask=["region"]))
    assert (error.code, error.fields) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        {"update_mask.paths[0]": "UNKNOWN_FIELD"},
    )
    error = await refused(update(shop))
    assert error.fields == {"updates": "REQUIRED"}
    request = pb.UpsertProductsRequest(catalog=shop.catalog, products=[shops.product("a", "A")])
    request.update_mask.paths.extend(["title", "etag"])
    error = await refused(shop.stub.UpsertProducts(request, timeout=shops.SECONDS))
    assert error.fields == {"update_mask.paths[1]": "UNKNOWN_FIELD"}


async def test_a_mask_over_the_api_changes_one_field(shop):
    await shops.upsert(shop, shops.product("milk", "Milk", price=4, brand="Acme"))
    request = pb.UpsertProductsRequest(
        catalog=shop.catalog, products=[product_pb2.Product(id="milk", title="Oat milk")]
    )
    request.update_mask.paths.append("title")
    reply = await shop.stub.UpsertProducts(request, timeout=shops.SECONDS)
    assert [r.outcome for r in reply.results] == [write_pb2.WRITE_OUTCOME_UPDATED]
    stored = (await shops.get(shop, "milk")).product
    assert (stored.title, stored.brand, stored.offers[0].price.units) == ("Oat milk", "Acme", 4)


async def test_products_are_listed_and_read_in_batches(shop):
    await shops.upsert(shop, *[shops.product(each, "T", price=2) for each in "abc"], searchable=False)
    request = pb.ListProductsRequest(catalog=shop.catalog, page_size=2, view=product_pb2.PRODUCT_VIEW_ID)
    page = await shop.stub.ListProducts(request, timeout=shops.SECONDS)
    assert [product_pb2.Product(id=p.id, etag=p.etag) for p in page.products] == list(page.products)
    assert ([p.id for p in page.products], page.more) == (["a", "b"], True)
    request = pb.BatchGetProductsRequest(catalog=shop.catalog, product_ids=["c", "a"])
    batch = await shop.stub.BatchGetProducts(request, timeout=shops.SECONDS)
    assert list(batch.products) == [(await shops.get(shop, each)).product for each in ("c", "a")]
    request.product_ids.append("none")
    error = await refused(shop.stub.BatchGetProducts(request, timeout=shops.SECONDS))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND")
    assert error.metadata == {"product_ids": "none", "count": "1"}


async def test_a_bad_catalogue_name_is_refused_by_every_rpc(shop):
    shop.catalog = "Bad Name"
    calls = [
        update(shop, change("a", 1)),
        shop.stub.BatchGetProducts(pb.BatchGetProductsRequest(catalog=shop.catalog, product_ids=["a"]), timeout=5),
        shop.stub.ListProducts(pb.ListProductsRequest(catalog=shop.catalog), timeout=5),
    ]
    for call in calls:
        error = await refused(call)
        assert (error.code, error.fields) == (grpc.StatusCode.INVALID_ARGUMENT, {"catalog": "INVALID_FORMAT"})


async def test_writers_and_the_indexer_do_not_block_each_other_for_ever(shop):
    """The same offers and products change again and again while the indexer settles them."""
    ids = [f"p{n:02}" for n in range(30)]
    await shops.upsert(shop, *[shops.product(each, "Milk", price=1) for each in ids])

    async def prices(first):
        for number in range(first, first + 15):
            assert len((await update(shop, *[change(i, number) for i in ids], searchable=False)).results) == len(ids)

    async def titles():
        for number in range(8):
            await shops.upsert(shop, *[shops.product(i, f"Milk {number}", price=1) for i in ids], searchable=False)

    await asyncio.gather(prices(10), prices(30), titles())
    await update(shop, *[change(each, 3) for each in ids])
    assert sorted(await found_up_to(shop, 3)) == ids
