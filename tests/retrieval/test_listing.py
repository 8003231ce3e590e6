"""Reading many products, on a real Postgres."""

import asyncio

import pytest

from services.common.errors import InvalidArgument, NotFound
from services.retrieval import convert
from services.retrieval.listing import ListingLimits
from tests.retrieval import catalogues
from tests.retrieval.catalogues import REMOVE, change
from tests.retrieval.shops import product


async def walk(store, size, **fields):
    """All ids, page by page."""
    found, more = [], True
    while more:
        ids, more = await store.page(size, after=found[-1] if found else "", **fields)
        assert len(ids) <= size
        found += ids
    return found


async def batch(store, *ids):
    return [convert.stored_product(each) for each in await store.lists.batch(store.catalog, ids)]


async def test_products_are_listed_by_id_compared_as_bytes(store):
    ids = ["b", "B", "a-1", "a1", "_", "a.1", "0"]
    await store.upsert(*[product(each, "T") for each in ids])
    for size in (1, 2, 3, 7, 100):
        assert await walk(store, size) == sorted(ids, key=str.encode)


async def test_a_page_tells_whether_more_comes(store):
    await store.upsert(*[product(str(n), "T") for n in range(3)])
    assert await store.page(2) == (["0", "1"], True)
    assert await store.page(1, after="1") == (["2"], False)
    assert await store.page(3) == (["0", "1", "2"], False)
    assert await store.page(3, after="2") == ([], False)


async def test_walking_lists_every_untouched_product_once_while_others_come_and_go(store):
    kept = [f"k{n:03}" for n in range(60)]
    await store.upsert(*[product(each, "T") for each in kept])

    async def trouble():
        for number in range(30):
            await store.upsert(*[product(f"k{number:03}-{n}", "T") for n in range(3)])
            await store.delete(f"k{number:03}-1")
            await store.upsert(product(f"k{number:03}-0", "T2"))

    task = asyncio.create_task(trouble())
    found = await walk(store, 4)
    await task
    assert [each for each in found if each in kept] == kept
    assert len(found) == len(set(found))


async def test_variants_are_listed_with_their_primary_product(store):
    await store.upsert(
        product("shirt", "Shirt"),
        product("red", "Red", primary_product_id="shirt"),
        product("blue", "Blue", primary_product_id="shirt"),
        product("z", "Z", primary_product_id="shirt"),
        product("other", "Other"),
    )
    for size in (1, 2, 100):
        assert await walk(store, size, primary="shirt") == ["blue", "red", "shirt", "z"]
    assert await walk(store, 10, primary="nobody") == []
    assert await walk(store, 10, primary="shirt", ids_only=True) == ["blue", "red", "shirt", "z"]


async def test_a_list_of_ids_holds_nothing_else_and_a_full_one_everything(store):
    await store.upsert(product("a", "Milk", price=2, description="x"))
    await store.update(change("a", 3, region="eu"), change("a", 4, region="de"))
    await store.update(change("a", region="de", action=REMOVE, at=1_000))
    (listed,) = (await store.lists.page(store.catalog, catalogues.PageQuery(5, ids_only=True))).products
    assert listed.content is None
    (listed,) = (await store.lists.page(store.catalog, catalogues.PageQuery(5))).products
    message = convert.stored_product(listed)
    assert message.etag == await store.etag("a")
    message.ClearField("etag")
    assert message == await store.get("a")
    assert [(o.region, o.price.units) for o in message.offers] == [("", 2), ("eu", 3)]


async def test_sizes_have_a_default_and_a_largest(catalogue_url):
    async with catalogues.opened(catalogue_url, listing=ListingLimits(page=2, largest_page=3)) as store:
        await store.upsert(*[product(str(n), "T") for n in range(5)])
        assert await store.page() == (["0", "1"], True)
        assert await store.page(100) == (["0", "1", "2"], True)
        with pytest.raises(InvalidArgument, match="page_size"):
            await store.page(-1)


@pytest.mark.parametrize("field", ["after", "primary"])
async def test_what_is_no_id_is_refused(store, field):
    with pytest.raises(InvalidArgument, match=f"{field}.*product_id"):
        await store.page(1, **{field: "no\0id"})


async def test_a_page_ends_before_it_is_too_large_and_always_holds_one_product(catalogue_url):
    async with catalogues.opened(catalogue_url, listing=ListingLimits(content_bytes=3_000)) as store:
        await store.upsert(*[product(str(n), "T", description="x" * 2_000) for n in range(5)])
        assert await store.page() == (["0", "1"], True)
        assert await walk(store, 500) == ["0", "1", "2", "3", "4"]
        assert await walk(store, 500, ids_only=True) == ["0", "1", "2", "3", "4"]


async def test_a_batch_comes_in_the_order_asked_for_with_offers_and_etags(store):
    await store.upsert(*[product(each, "T", price=2) for each in "abc"])
    found = await batch(store, "c", "a")
    assert [each.id for each in found] == ["c", "a"]
    assert [each.etag for each in found] == [await store.etag("c"), await store.etag("a")]
    assert all(each.offers[0].price.units == 2 for each in found)


async def test_a_batch_of_which_one_is_missing_is_not_found_and_names_it(store):
    await store.upsert(product("a", "T"))
    with pytest.raises(NotFound) as caught:
        await batch(store, "x", "a", "b")
    assert caught.value.metadata == {"product_ids": "x,b", "count": "2"}
    with pytest.raises(NotFound) as caught:
        await batch(store, *[f"n{n:03}" for n in range(500)])
    assert caught.value.metadata["count"] == "500"
    assert caught.value.metadata["product_ids"].count(",") == 15


async def test_a_batch_that_breaks_a_rule_names_it(store):
    for ids, fields in (
        ([], {"product_ids": "REQUIRED"}),
        (["a"] * 501, {"product_ids": "TOO_MANY"}),
        (["a", "b", "a"], {"product_ids[2]": "DUPLICATE"}),
        (["a", "", "no id"], {"product_ids[1]": "REQUIRED", "product_ids[2]": "INVALID_FORMAT"}),
    ):
        with pytest.raises(InvalidArgument) as caught:
            await batch(store, *ids)
        assert {v.field: v.reason for v in caught.value.violations} == fields


async def test_a_batch_that_no_reply_could_hold_is_refused(catalogue_url):
    async with catalogues.opened(catalogue_url, listing=ListingLimits(content_bytes=3_000)) as store:
        await store.upsert(*[product(each, "T", description="x" * 2_000) for each in "abc"])
        assert len(await batch(store, "a", "b")) == 2
        with pytest.raises(InvalidArgument) as caught:
            await batch(store, "a", "b", "c")
        assert [(v.field, v.reason) for v in caught.value.violations] == [("product_ids", "TOO_LARGE")]


async def test_lists_are_read_by_the_index_not_by_sorting_the_catalogue(store):
    """The order of bytes is that of the key, whatever the database's collation."""
    await store.fetch(
        "INSERT INTO products (catalog, id, content, content_digest, primary_product_id) "
        "SELECT 'c', 'p' || n, '', '', 'p' || n / 5 FROM generate_series(1, 20000) AS n"
    )
    await store.fetch("ANALYZE products")
    for condition, order in (("id > 'p5'", "id"), ("primary_product_id = 'p77' AND id > 'p1'", "id")):
        rows = await store.fetch(
            f"EXPLAIN SELECT id, content FROM products WHERE catalog = 'c' AND {condition} ORDER BY {order} LIMIT 101"
        )
        plan = "\n".join(row[0] for row in rows)
        assert "Index" in plan
        assert "Sort" not in plan
