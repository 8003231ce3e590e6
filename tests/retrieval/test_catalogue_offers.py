"""Offers that come with their product, on a real Postgres."""

from tests.retrieval.catalogues import offer
from tests.retrieval.shops import product


def milk(*offers, title="Milk", **fields):
    message = product("milk", title, **fields)
    message.offers.extend(offers)
    return message


async def test_a_product_comes_back_with_its_offers_by_region(store):
    await store.upsert(milk(offer(2, region="eu"), offer(1)))
    assert await store.get("milk") == milk(offer(1), offer(2, region="eu"))


async def test_offers_alone_are_an_update_that_leaves_etag_and_words_alone(store):
    await store.upsert(milk(offer(1)))
    await store.settle()
    etag = await store.etag("milk")
    (result,) = await store.upsert(milk(offer(2)))
    assert result.outcome.name == "UPDATED"
    assert await store.etag("milk") == etag
    assert await store.waiting("outbox") == []
    assert await store.waiting("offer_outbox") == [(1, "milk")]


async def test_offers_of_a_changed_product_do_not_wait_for_its_words(store):
    await store.upsert(milk(offer(1)))
    await store.settle()
    await store.upsert(milk(offer(2), title="Milk 2"))
    assert await store.waiting("outbox") == await store.waiting("offer_outbox") == [(1, "milk")]


async def test_a_new_products_offers_go_to_the_index_with_it(store):
    await store.upsert(milk(offer(1)))
    assert await store.waiting("outbox") == [(1, "milk")]
    assert await store.waiting("offer_outbox") == []


async def test_the_same_product_with_the_same_offers_is_unchanged_whatever_their_order(store):
    await store.upsert(milk(offer(1), offer(2, region="eu")))
    assert await store.outcomes(milk(offer(2, region="eu"), offer(1))) == ["UNCHANGED"]


async def test_offers_that_a_product_does_not_have_any_more_are_gone(store):
    await store.upsert(milk(offer(1), offer(2, region="eu")))
    assert await store.outcomes(milk(offer(2, region="eu"))) == ["UPDATED"]
    assert await store.get("milk") == milk(offer(2, region="eu"))
    assert await store.outcomes(milk()) == ["UPDATED"]
    assert await store.get("milk") == milk()


async def test_a_stale_offer_rejects_the_product_and_is_named_by_its_position(store):
    await store.upsert(milk(offer(1, at=1_000), offer(1, at=1_000, region="eu")))
    late = milk(offer(2, at=1_000), offer(2, at=999, region="eu"), title="Milk 2")
    (result,) = await store.upsert(late)
    assert [(v.field, v.reason) for v in result.violations] == [("offers[1].update_time", "STALE")]
    assert await store.get("milk") == milk(offer(1, at=1_000), offer(1, at=1_000, region="eu"))


async def test_an_offer_that_is_older_but_the_same_is_not_stale(store):
    await store.upsert(milk(offer(1, at=1_000)))
    assert await store.outcomes(milk(offer(1, at=1_000), title="Milk 2")) == ["UPDATED"]


async def test_an_old_etag_refuses_offers_too(store):
    await store.upsert(milk(offer(1)))
    (result,) = await store.upsert(milk(offer(2), etag="0"))
    assert [(v.field, v.reason) for v in result.violations] == [("etag", "ETAG_MISMATCH")]


async def test_variants_are_kept_by_their_primary_product(store):
    await store.upsert(product("red", "Red", primary_product_id="shirt"), product("shirt", "Shirt"))
    await store.upsert(product("shirt", "Shirt 2"))
    rows = await store.fetch("SELECT id, primary_product_id FROM products ORDER BY id")
    assert [tuple(row) for row in rows] == [("red", "shirt"), ("shirt", None)]
    await store.upsert(product("red", "Red"))
    assert await store.fetch("SELECT FROM products WHERE primary_product_id IS NOT NULL") == []
