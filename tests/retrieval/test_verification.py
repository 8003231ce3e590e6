"""Catalogue and index compared, on real stores; faults are planted straight through Qdrant's own API."""

import asyncio
from base64 import urlsafe_b64encode

import grpc
import pytest
from qdrant_client import grpc as q

from services.common.errors import Unavailable
from services.retrieval.adapters.qdrant_points import point_uuid
from tests.refusals import refusal
from tests.retrieval import index_shop, shops
from tests.retrieval.index_shop import REPAIR, call, faults, verified


async def stocked(shop, count=30):
    products = [shops.product(f"p{n:02}", f"milk number {n}", price=n + 1) for n in range(count)]
    await shops.upsert(shop, *products)


def selector(shop, *ids):
    points = [q.PointId(uuid=point_uuid(shop.catalog, product_id)) for product_id in ids]
    return q.PointsSelector(points=q.PointsIdsList(ids=points))


async def plant(shop, missing=(), extra=(), stale=(), stale_offers=(), foreign=()):
    name = f"zhiyin.{shop.catalog}.1"
    async with index_shop.engine(shop) as qdrant:
        points = qdrant.points
        if missing:
            await points.Delete(q.DeletePoints(collection_name=name, wait=True, points=selector(shop, *missing)))
        for ids, payload in (
            (stale, {"change": q.Value(integer_value=1)}),
            (stale_offers, {"offers_digest": q.Value(string_value="0" * 16)}),
        ):
            if ids:
                request = q.SetPayloadPoints(
                    collection_name=name, wait=True, payload=payload, points_selector=selector(shop, *ids)
                )
                await points.SetPayload(request)
        planted = [
            q.PointStruct(
                id=q.PointId(uuid=point_uuid(shop.catalog, product_id)),
                payload={"id": q.Value(string_value=product_id)},
                vectors=q.Vectors(vectors=q.NamedVectors()),
            )
            for product_id in extra
        ]
        planted += [q.PointStruct(id=q.PointId(num=n), vectors=q.Vectors(vectors=q.NamedVectors())) for n in foreign]
        if planted:
            await points.Upsert(q.UpsertPoints(collection_name=name, wait=True, points=planted))


async def test_an_index_that_has_everything_has_no_faults(shop):
    await stocked(shop)
    found, parts = await verified(shop, page_size=7)
    assert faults(found) == (0, 0, 0)
    assert found.checked_count == 2 * 30
    assert parts == 5 + 5


async def test_what_is_missing_too_much_or_out_of_date_is_found_and_repaired(shop):
    await stocked(shop)
    await plant(
        shop,
        missing=["p01", "p02"],
        extra=["ghost"],
        stale=["p11", "p12", "p13"],
        stale_offers=["p20"],
        foreign=[7],
    )
    for page_size in (0, 4):
        found, _ = await verified(shop, page_size=page_size)
        assert faults(found) == (2, 2, 4)
        assert sorted(found.sample_product_ids) == ["7", "ghost", "p01", "p02", "p11", "p12", "p13", "p20"]
    repaired, _ = await verified(shop, REPAIR)
    assert faults(repaired) == (2, 2, 4)
    await index_shop.until(shop, 1, index_shop.settled)
    found, _ = await verified(shop)
    assert faults(found) == (0, 0, 0)
    assert found.checked_count == 2 * 30


async def test_a_product_that_the_index_lost_is_found_again_after_the_repair(shop):
    await stocked(shop, 3)
    await plant(shop, missing=["p01"])
    assert "p01" not in shops.ids_of(await shops.search(shop, "milk number 1"))
    await verified(shop, REPAIR)
    await index_shop.until(shop, 1, index_shop.settled)
    assert "p01" in shops.ids_of(await shops.search(shop, "milk number 1"))


async def without_vectors(shop, product_id, *, keeps_lengths):
    """Overwrites a product's point with its own payload, and with its words alone."""
    name = f"zhiyin.{shop.catalog}.1"
    async with index_shop.engine(shop) as qdrant:
        request = q.GetPoints(
            collection_name=name,
            ids=selector(shop, product_id).points.ids,
            with_payload=q.WithPayloadSelector(enable=True),
        )
        (found,) = (await qdrant.points.Get(request)).result
        payload = dict(found.payload)
        if not keeps_lengths:
            payload["key"] = q.Value(string_value=f"{product_id} {product_id}")
        point = q.PointStruct(id=found.id, payload=payload, vectors=q.Vectors(vectors=q.NamedVectors()))
        await qdrant.points.Upsert(q.UpsertPoints(collection_name=name, wait=True, points=[point]))


@pytest.mark.parametrize("keeps_lengths", [True, False])
async def test_a_point_that_lost_its_vectors_is_found_and_repaired(shop, keeps_lengths):
    await stocked(shop, 3)
    await without_vectors(shop, "p01", keeps_lengths=keeps_lengths)
    assert "p01" not in shops.ids_of(await shops.search(shop, "milk number 1"))
    found, _ = await verified(shop, REPAIR)
    assert (faults(found), list(found.sample_product_ids)) == ((0, 0, 1), ["p01"])
    await index_shop.until(shop, 1, index_shop.settled)
    assert "p01" in shops.ids_of(await shops.search(shop, "milk number 1"))
    assert faults((await verified(shop))[0]) == (0, 0, 0)


async def test_products_that_wait_for_the_encoder_or_have_a_text_that_it_refuses_are_no_faults(shop):
    await stocked(shop, 3)
    shop.encoder.refused = {"milk that is refused"}
    await shops.upsert(shop, shops.product("refused", "milk that is refused"))
    shop.encoder.error = Unavailable("away")
    await shops.upsert(shop, shops.product("p01", "milk of another text"), searchable=False)
    await index_shop.until(shop, 1, lambda v: v.words_only_count == 1)
    assert faults((await verified(shop))[0]) == (0, 0, 0)


async def test_a_part_may_be_as_large_as_the_setting_allows(shop):
    await stocked(shop, 3)
    found, parts = await verified(shop, page_size=5_000)
    assert (found.checked_count, parts) == (6, 2)


async def test_products_that_change_meanwhile_are_no_faults(shop):
    await stocked(shop)
    stop = asyncio.Event()

    async def keep_changing():
        n = 0
        while not stop.is_set():
            n += 1
            changed = [shops.product(f"p{k:02}", f"milk number {k} {n}", price=n + k) for k in range(0, 30, 3)]
            await shops.upsert(shop, *changed, searchable=False)
            await shops.delete(shop, f"p{n % 30:02}", searchable=False)

    writer = asyncio.create_task(keep_changing())
    for _ in range(6):
        found, _ = await verified(shop, page_size=5)
        assert faults(found) == (0, 0, 0)
    stop.set()
    await writer


async def test_a_verification_of_the_active_version_stays_with_it(shop):
    """The token names the version that was active when it began."""
    await stocked(shop)
    first = await call(shop, "VerifyIndexVersion", page_size=5)
    second = await call(shop, "VerifyIndexVersion", page_size=9, page_token=first.next_page_token)
    assert (first.findings.checked_count, second.findings.checked_count) == (5, 9)


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "é",
        "e30=",
        "bnVsbA==",
        "W10=",
        "A" * 3_000,
        urlsafe_b64encode(
            b'{"catalog":"c","asked":0,"number":1,"repairs":false,"phase":"points","last":"no-id"}'
        ).decode(),
    ],
)
async def test_a_token_that_was_not_given_is_refused(shop, token):
    await stocked(shop, 1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(shop, "VerifyIndexVersion", page_token=token)
    assert refusal(caught.value).fields == {"page_token": "INVALID_FORMAT"}


async def test_a_token_of_another_verification_is_refused(shop):
    await stocked(shop)
    token = (await call(shop, "VerifyIndexVersion", page_size=5)).next_page_token
    for fields in ({"mode": REPAIR}, {"number": 1}):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(shop, "VerifyIndexVersion", page_token=token, **fields)
        assert refusal(caught.value).fields == {"page_token": "MISMATCH"}
