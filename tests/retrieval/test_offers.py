"""Changes of prices and stock, on a real Postgres."""

import asyncio
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.retrieval import convert
from services.retrieval.offers import decide_offer, decide_removal
from services.retrieval.validation import ProductLimits
from services.retrieval.writes import StoredOffer
from tests.retrieval import catalogues
from tests.retrieval.catalogues import REMOVE, change, offer
from tests.retrieval.shops import money, product


async def offers(store, product_id):
    return list((await store.get(product_id)).offers)


async def reasons(store, *updates, mask=()):
    return [[(v.field, v.reason) for v in result.violations] for result in await store.update(*updates, mask=mask)]


async def test_an_offer_is_created_unchanged_updated_and_removed(store):
    await store.upsert(product("milk", "Milk"))
    assert await store.updated(change("milk", 2)) == ["CREATED"]
    assert await store.updated(change("milk", 2)) == ["UNCHANGED"]
    assert await store.updated(change("milk", 3)) == ["UPDATED"]
    assert await offers(store, "milk") == [offer(3)]
    assert await store.updated(change("milk", action=REMOVE)) == ["DELETED"]
    assert await store.updated(change("milk", action=REMOVE)) == ["NOT_FOUND"]
    assert await offers(store, "milk") == []


async def test_each_region_has_an_offer_of_its_own_and_they_come_back_by_region(store):
    await store.upsert(product("milk", "Milk", price=1, region="b"))
    await store.update(change("milk", 2, region="a"), change("milk", 3), change("milk", 4, region="é"))
    assert [(o.region, o.price.units) for o in await offers(store, "milk")] == [("", 3), ("a", 2), ("b", 1), ("é", 4)]


async def test_a_product_that_is_not_there_gets_no_offer_not_even_later(store):
    await store.upsert(product("milk", "Milk"))
    results = await store.update(change("none", 2), change("milk", 2))
    assert [r.outcome.name for r in results] == ["NOT_FOUND", "CREATED"]
    await store.upsert(product("none", "None"))
    assert await offers(store, "none") == []


async def test_neither_the_product_nor_its_etag_changes_and_only_the_offers_are_carried_to_the_index(store):
    await store.upsert(product("milk", "Milk"))
    await store.settle()
    etag = await store.etag("milk")
    await store.update(change("milk", 2))
    assert await store.etag("milk") == etag
    assert await store.waiting("outbox") == []
    assert await store.waiting("offer_outbox") == [(1, "milk")]


async def test_what_changes_nothing_is_not_carried_to_the_index(store):
    await store.upsert(product("milk", "Milk", price=2))
    await store.settle()
    await store.update(change("milk", 2), change("none", 2), change("milk", region="x", action=REMOVE))
    assert await store.waiting("offer_outbox") == []


async def test_every_live_index_version_is_told(store):
    for number, state in ((1, "deleted"), (2, "active"), (3, "building"), (4, "ready")):
        await store.add_version(number, state)
    await store.upsert(product("milk", "Milk"))
    await store.update(change("milk", 2))
    for table in ("outbox", "offer_outbox"):
        assert await store.waiting(table) == [(2, "milk"), (3, "milk"), (4, "milk")]


async def test_an_older_update_is_stale_and_an_equal_or_undated_one_is_not(store):
    await store.upsert(product("milk", "Milk"))
    assert await store.updated(change("milk", 2, at=1_000)) == ["CREATED"]
    assert await reasons(store, change("milk", 3, at=999)) == [[("offer.update_time", "STALE")]]
    assert await reasons(store, change("milk", at=999, action=REMOVE)) == [[("offer.update_time", "STALE")]]
    assert await store.updated(change("milk", 3, at=1_000)) == ["UPDATED"]
    assert await store.updated(change("milk", 4)) == ["UPDATED"]
    assert await store.updated(change("milk", 5, at=1)) == ["UPDATED"]


async def test_a_removed_offer_is_not_brought_back_by_an_older_update(store):
    await store.upsert(product("milk", "Milk", price=2))
    assert await store.updated(change("milk", at=1_000, action=REMOVE)) == ["DELETED"]
    assert await reasons(store, change("milk", 3, at=999)) == [[("offer.update_time", "STALE")]]
    milk = product("milk", "Milk")
    milk.offers.append(offer(3, at=999))
    (result,) = await store.upsert(milk)
    assert [(v.field, v.reason) for v in result.violations] == [("offers[0].update_time", "STALE")]
    assert await offers(store, "milk") == []
    assert await store.updated(change("milk", 3, at=1_001)) == ["CREATED"]


async def test_a_removal_that_overtakes_the_offer_it_is_meant_for_holds(store):
    await store.upsert(product("milk", "Milk"))
    assert await store.updated(change("milk", at=1_000, action=REMOVE)) == ["NOT_FOUND"]
    assert await reasons(store, change("milk", 3, at=999)) == [[("offer.update_time", "STALE")]]


async def test_a_product_that_is_deleted_leaves_no_offer_and_no_trace_of_one(store):
    await store.upsert(product("milk", "Milk", price=2))
    await store.update(change("milk", at=1_000, region="eu", action=REMOVE))
    await store.delete("milk")
    assert await store.fetch("SELECT FROM offers") == []


async def test_named_fields_change_and_the_others_stay(store):
    await store.upsert(product("milk", "Milk"))
    await store.update(change("milk", 2, at=1_000, quantity=7, availability=1, original_price=money(5)))
    outcomes = await store.updated(
        change("milk", 3, quantity=1, availability=2), mask=["price", "original_price", "availability"]
    )
    assert outcomes == ["UPDATED"]
    assert await offers(store, "milk") == [offer(3, at=1_000, quantity=7, availability=2)]
    assert await store.updated(change("milk", 3), mask=["price"]) == ["UNCHANGED"]
    assert await store.updated(change("milk", 4, at=2_000), mask=["price"]) == ["UPDATED"]
    assert await offers(store, "milk") == [offer(4, at=2_000, quantity=7, availability=2)]
    assert await reasons(store, change("milk", 5, at=1_999), mask=["price"]) == [[("offer.update_time", "STALE")]]


async def test_named_fields_without_a_time_leave_the_time_of_a_removal_however_often_they_change(store):
    await store.upsert(product("milk", "Milk"))
    assert await store.updated(change("milk", 1, at=100)) == ["CREATED"]
    assert await store.updated(change("milk", at=200, action=REMOVE)) == ["DELETED"]
    assert await store.updated(change("milk", 2), mask=["price"]) == ["CREATED"]
    assert await store.updated(change("milk", 3), mask=["price"]) == ["UPDATED"]
    assert await reasons(store, change("milk", 4, at=150)) == [[("offer.update_time", "STALE")]]
    assert await reasons(store, change("milk", 4, at=150), mask=["price"]) == [[("offer.update_time", "STALE")]]
    assert await store.updated(change("milk", 4, at=200)) == ["UPDATED"]


async def test_named_fields_of_an_offer_that_is_not_there_make_one(store):
    await store.upsert(product("milk", "Milk"))
    assert await store.updated(change("milk", 2, quantity=7, region="eu"), mask=["price"]) == ["CREATED"]
    assert await offers(store, "milk") == [offer(2, region="eu")]


async def test_an_offer_that_breaks_a_rule_once_merged_is_rejected(store):
    await store.upsert(product("milk", "Milk"))
    await store.update(change("milk", 2, original_price=money(5)))
    euros = change("milk")
    euros.offer.price.CopyFrom(money(2, "EUR"))
    expected = [[("offer.original_price.currency_code", "INVALID")]]
    assert await reasons(store, euros, mask=["price"]) == expected


async def test_broken_rules_are_named_and_the_rest_goes_in(store):
    await store.upsert(product("milk", "Milk"))
    without = change("milk")
    without.ClearField("offer")
    broken = [
        (change("no id", 2), ("product_id", "INVALID_FORMAT")),
        (change("", 2), ("product_id", "REQUIRED")),
        (without, ("offer", "REQUIRED")),
        (change("milk", -2, region="a"), ("offer.price", "OUT_OF_RANGE")),
        (change("milk", 2, region="b", action=99), ("action", "OUT_OF_RANGE")),
        (change("milk", 2, region="x" * 65), ("offer.region", "TOO_LONG")),
        (change("milk", 2, region="\0"), ("offer.region", "INVALID_FORMAT")),
        (change("milk", 2, region="c", quantity=-1), ("offer.quantity", "OUT_OF_RANGE")),
    ]
    results = await store.update(*[update for update, _ in broken], change("milk", 2, region="ok"))
    assert [[(v.field, v.reason) for v in r.violations] for r in results[:-1]] == [[expected] for _, expected in broken]
    assert results[-1].outcome.name == "CREATED"


@pytest.mark.parametrize(("count", "reason"), [(0, "REQUIRED"), (5_001, "TOO_MANY")])
async def test_an_empty_or_too_large_batch_is_refused(store, count, reason):
    with pytest.raises(InvalidArgument) as caught:
        await store.update(*[change(f"p{n}", 1) for n in range(count)])
    assert [(v.field, v.reason) for v in caught.value.violations] == [("updates", reason)]


async def test_an_offer_twice_in_one_batch_refuses_the_request(store):
    with pytest.raises(InvalidArgument) as caught:
        await store.update(change("a", 1), change("a", 1, region="x"), change("a", 2))
    assert [(v.field, v.reason) for v in caught.value.violations] == [("updates[2].offer.region", "DUPLICATE")]


@pytest.mark.parametrize("path", ["region", "update_time", "offer.price", "", "Price"])
async def test_a_mask_of_something_else_is_refused_by_its_position(store, path):
    with pytest.raises(InvalidArgument) as caught:
        store.prices.require_mask(["price", path])
    assert [(v.field, v.reason) for v in caught.value.violations] == [("update_mask.paths[1]", "UNKNOWN_FIELD")]


async def test_a_product_has_no_more_offers_than_it_may(catalogue_url):
    async with catalogues.opened(catalogue_url, limits=ProductLimits(offers=2)) as store:
        await store.upsert(product("milk", "Milk", price=1))
        regions = [change("milk", 1, region=each) for each in ("a", "b")]
        assert await store.updated(*regions) == ["CREATED", "REJECTED"]
        assert await reasons(store, regions[1]) == [[("offer.region", "TOO_MANY")]]
        assert await store.updated(change("milk", action=REMOVE), regions[1]) == ["DELETED", "CREATED"]


async def test_writers_of_the_same_offers_in_any_order_neither_block_each_other_for_ever_nor_lose_the_newest(store):
    ids = [f"p{n:02}" for n in range(40)]
    await store.upsert(*[product(each, "T") for each in ids])
    noise = random.Random(3)

    async def writer(number):
        for round_number in range(6):
            order = noise.sample(ids, len(ids))
            moment = 1_000 * round_number + number
            if number == 0:
                await store.upsert(
                    *[product(each, f"T{round_number}", brand=str(number)) for each in order], mask=["brand"]
                )
            else:
                await store.update(*[change(each, moment, at=moment, region="eu") for each in order])

    await asyncio.gather(*(writer(number) for number in range(5)))
    assert {o.price.units for each in ids for o in await offers(store, each)} == {5_004}


MOMENTS = st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=1, max_size=5, unique_by=lambda e: e[1])


@settings(max_examples=60, database=None, deadline=None)
@given(MOMENTS)
def test_in_whatever_order_dated_updates_arrive_the_latest_one_holds(updates):
    """`updates`: whether it removes, and when."""
    last_is_removal, last = max(updates, key=lambda each: each[1])
    expected = None if last_is_removal else offer(last, at=last).SerializeToString(deterministic=True)
    for order in itertools.permutations(updates):
        stored = None
        for is_removal, moment in order:
            draft = convert.offer_draft(offer(None if is_removal else moment, at=moment))
            if is_removal:
                decision = decide_removal("p", draft.offer, stored)
            else:
                decision = decide_offer("p", draft.offer, draft, stored)
            if decision.row is not None:
                stored = StoredOffer(decision.row.content, decision.row.update_time)
        assert stored is not None
        assert stored.content == expected


async def test_dated_updates_of_many_offers_end_in_the_same_state_in_any_order(store):
    ids = [f"p{n}" for n in range(12)]
    await store.upsert(*[product(each, "T") for each in ids])
    noise = random.Random(5)
    updates = [
        change(each, moment, at=moment, action=noise.choice([0, REMOVE]))
        for each in ids
        for moment in noise.sample(range(1, 100), 5)
    ]
    noise.shuffle(updates)
    for update in updates:
        await store.update(update)
    for each in ids:
        last = max((u for u in updates if u.product_id == each), key=lambda u: u.offer.update_time.seconds)
        assert await offers(store, each) == ([] if last.action == REMOVE else [last.offer])
