"""Searching over the real API, on a real Postgres and Qdrant engine."""

import asyncio
import math

import grpc
import numpy as np
import pytest

from services.common.errors import ResourceExhausted
from tests.refusals import refusal
from tests.retrieval import shops
from zhiyin.common.v1 import degradation_pb2, filter_pb2, product_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

LEXICAL_ONLY = degradation_pb2.DEGRADATION_KIND_LEXICAL_ONLY
SEMANTIC_ONLY = degradation_pb2.DEGRADATION_KIND_SEMANTIC_ONLY
IN_STOCK, PREORDER = product_pb2.AVAILABILITY_IN_STOCK, product_pb2.AVAILABILITY_PREORDER


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value)


async def test_every_candidate_has_every_legs_score_and_they_are_right(shop):
    products = [shops.product(f"m{n}", f"Milk number {n}") for n in range(6)]
    others = [shops.product(f"k{n}", f"Kettle of steel {n}") for n in range(6)]
    await shops.upsert(shop, *products, *others)
    reply = await shops.search(shop, "milk", limit=4)
    assert len(reply.found) == 4
    query = shop.encoder.vector("milk").astype(np.float64)
    mean = shop.encoder.mean.astype(np.float64)
    titles = {p.id: p.title for p in (*products, *others)}
    for found in reply.found:
        vector = shop.encoder.vector(titles[found.candidate.product_id]).astype(np.float64)
        scores, centred = found.candidate.scores, (query - mean, vector - mean)
        assert scores.cosine == pytest.approx(query @ vector, abs=1e-3)
        assert scores.dot_product == pytest.approx(query @ vector, abs=1e-3)
        expected = centred[0] @ centred[1] / math.prod(np.linalg.norm(c) for c in centred)
        assert scores.centred_cosine == pytest.approx(expected, abs=2e-3)
        assert scores.lexical > 0


async def test_the_second_round_trip_completes_what_only_one_leg_found(shop):
    # With a limit of 1 each leg finds another product: words the one, meaning the other.
    shop.encoder.same = {"milch": "milk"}
    await shops.upsert(shop, shops.product("word", "milch cow bell rope"), shops.product("meaning", "milk"))
    reply = await shops.search(shop, "milch", limit=1)
    assert not reply.degradations
    both = await shops.search(shop, "milch", limit=2)
    scores = {f.candidate.product_id: f.candidate.scores for f in both.found}
    assert scores["meaning"].lexical == 0
    assert scores["meaning"].HasField("lexical")
    assert scores["word"].lexical > 0
    assert scores["meaning"].centred_cosine > scores["word"].centred_cosine
    single = reply.found[0].candidate
    assert single.scores.lexical == pytest.approx(scores[single.product_id].lexical, abs=1e-6)
    assert single.scores.cosine == pytest.approx(scores[single.product_id].cosine, abs=1e-6)


async def test_the_lexical_score_is_bm25_as_calculated_by_hand(shop):
    # k1 0.3, b 0.75, average length 20. "milk": tf 1, length 1: norm .3 x (.25 + .75/20) = .08625.
    # IDF of 1 document in 3: ln(1 + (3 - 1 + .5) / (1 + .5)) = ln(2.6667).
    await shops.upsert(shop, *[shops.product(str(n), title) for n, title in enumerate(("milk", "tea", "salt"))])
    found = {f.candidate.product_id: f for f in (await shops.search(shop, "milk")).found}
    expected = math.log(1 + 2.5 / 1.5) * 1.3 / 1.08625
    assert found["0"].candidate.scores.lexical == pytest.approx(expected, rel=1e-4)
    assert found["1"].candidate.scores.lexical == 0


async def test_a_query_finds_products_of_another_language_by_meaning(shop):
    shop.encoder.same = {"牛奶": "milk"}
    await shops.upsert(shop, shops.product("milk", "milk"), shops.product("tea", "tea"), shops.product("salt", "salt"))
    assert shops.ids_of(await shops.search(shop, "牛奶"))[0] == "milk"


async def test_chinese_is_found_by_words_too(shop):
    await shops.upsert(shop, shops.product("milk", "有机纯牛奶 250ml"), shops.product("tea", "绿茶"))
    scores = {f.candidate.product_id: f.candidate.scores.lexical for f in (await shops.search(shop, "牛奶")).found}
    assert scores["milk"] > scores["tea"] == 0


async def test_a_result_shows_and_signals_what_was_imported_with_the_regions_offer(shop):
    milk = product_pb2.Product(id="milk", title="<b>Milk</b>", brand="Acme", categories=["Grocery > Dairy"])
    milk.images.add(uri="https://i/1.jpg")
    milk.uri, milk.language_code, milk.sales_count = "https://s/milk", "en", 0
    milk.rating.average, milk.rating.count = 4.5, 7
    milk.create_time.seconds = 1_700_000_000
    for region, price in (("", 2), ("eu [1]", 3)):
        offer = milk.offers.add(region=region, availability=IN_STOCK)
        offer.price.CopyFrom(shops.money(price))
    await shops.upsert(shop, milk)
    for region, price in (("", 2), ("eu [1]", 3), ("elsewhere", None)):
        found = (await shops.search(shop, "milk", region=region)).found[0]
        summary = (await shops.summaries(shop, "milk", region=region)).summaries[0]
        assert found.summary == summary
        assert (summary.title, summary.brand, summary.categories[0]) == ("Milk", "Acme", "Grocery > Dairy")
        assert (summary.image_uri, summary.uri, summary.language_code) == ("https://i/1.jpg", "https://s/milk", "en")
        assert (summary.rating.average, summary.rating.count) == (4.5, 7)
        signals = found.candidate.signals
        assert signals.HasField("sales_count")
        assert signals.create_time.seconds == 1_700_000_000
        assert summary.HasField("offer") == (price is not None)
        assert signals.availability == (IN_STOCK if price else product_pb2.AVAILABILITY_UNSPECIFIED)
        if price:
            assert summary.offer.price.units == price


async def test_summaries_come_in_the_order_asked_for_without_those_that_are_gone(shop):
    await shops.upsert(shop, *[shops.product(i, i) for i in "abc"])
    reply = await shops.summaries(shop, "c", "zz", "a")
    assert [summary.id for summary in reply.summaries] == ["c", "a"]
    error = await refused(shops.summaries(shop, "c", "no id", "c"))
    assert error.fields == {"product_ids[1]": "INVALID_FORMAT", "product_ids[2]": "DUPLICATE"}


@pytest.fixture
async def filled(shop):
    await shops.upsert(
        shop,
        shops.product("cheap", "milk", price=2, availability=IN_STOCK, brand="Acme", categories=["Grocery>Dairy"]),
        shops.product("dear", "milk", price=9.99, availability=PREORDER, brand="Best", categories=["Grocery > Dry"]),
        shops.product("euro", "milk", price=2, currency="EUR", brand="Acme", categories=["Groceries"]),
        shops.product("abroad", "milk", price=2, region="eu", availability=IN_STOCK),
        shops.product("unknown", "milk"),
    )
    return shop


Filter = filter_pb2.ProductFilter


@pytest.mark.parametrize(
    ("wanted", "region", "expected"),
    [
        (Filter(), "", {"cheap", "dear", "euro", "abroad", "unknown"}),
        (Filter(brands=["Acme"]), "", {"cheap", "euro"}),
        (Filter(brands=["acme"]), "", set()),
        (Filter(brands=["Acme", "Best"]), "", {"cheap", "dear", "euro"}),
        (Filter(categories=["Grocery"]), "", {"cheap", "dear"}),
        (Filter(categories=["Grocery > Dairy"]), "", {"cheap"}),
        (shops.prices(1, 5), "", {"cheap"}),
        (shops.prices(9.99, 9.99), "", {"dear"}),
        (shops.prices(lowest=2), "", {"cheap", "dear"}),
        (shops.prices(highest=5, currency="EUR"), "", {"euro"}),
        (shops.prices(1, 5), "eu", {"abroad"}),
        (Filter(availabilities=[IN_STOCK]), "", {"cheap"}),
        (Filter(availabilities=[IN_STOCK, PREORDER]), "", {"cheap", "dear"}),
        (Filter(availabilities=[IN_STOCK], brands=["Best"]), "", set()),
    ],
)
async def test_a_filter_lets_through_what_meets_all_of_it(filled, wanted, region, expected):
    reply = await shops.search(filled, "milk", filter=wanted, region=region)
    assert set(shops.ids_of(reply)) == expected


async def test_price_and_availability_must_be_met_by_one_offer(shop):
    split = shops.product("split", "milk", price=2, region="us")
    split.offers.add(region="eu", availability=IN_STOCK).price.CopyFrom(shops.money(50))
    await shops.upsert(shop, split)
    wanted = shops.prices(1, 5)
    wanted.availabilities.append(IN_STOCK)
    for region in ("us", "eu"):
        assert shops.ids_of(await shops.search(shop, "milk", filter=wanted, region=region)) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"query": ""}, {"query": "REQUIRED"}),
        ({"query": " \x00<p></p>"}, {"query": "REQUIRED"}),
        ({"query": "a" * 5_001}, {"query": "TOO_LONG"}),
        ({"query": "a", "limit": -1}, {"limit": "OUT_OF_RANGE"}),
        ({"query": "a", "region": "r" * 65}, {"region": "TOO_LONG"}),
        ({"query": "a", "filter": Filter(price=filter_pb2.PriceRange())}, {"filter.price": "REQUIRED"}),
        ({"query": "a", "filter": Filter(availabilities=[0])}, {"filter.availabilities[0]": "OUT_OF_RANGE"}),
    ],
)
async def test_a_bad_search_is_refused_with_the_field_named_and_the_query_not_repeated(shop, fields, expected):
    error = await refused(shops.search(shop, **fields))
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert error.fields == expected
    assert "aaa" not in error.message


async def test_a_limit_above_the_maximum_is_lowered_to_it(shop):
    await shops.upsert(shop, *[shops.product(f"{n:03}", f"milk {n}") for n in range(210)])
    assert len((await shops.search(shop, "milk")).found) == 200
    assert len((await shops.search(shop, "milk", limit=100_000)).found) == 210


async def test_equal_candidates_come_in_the_order_of_their_ids(shop):
    ids = [f"p{n}" for n in (5, 3, 9, 1)]
    await shops.upsert(shop, *[shops.product(i, "milk") for i in ids])
    assert shops.ids_of(await shops.search(shop, "milk")) == sorted(ids)


async def test_a_catalogue_that_does_not_exist_is_not_found(shop):
    for call in (shops.search(shop, "milk"), shops.summaries(shop, "a")):
        error = await refused(call)
        assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "CATALOG_NOT_FOUND")
        assert error.metadata == {"catalog": shop.catalog}


async def test_catalogues_do_not_see_each_other(shop):
    first = shop.catalog
    await shops.upsert(shop, shops.product("a", "milk"))
    shop.catalog = f"{first}-2"
    await shops.upsert(shop, shops.product("b", "milk"))
    assert shops.ids_of(await shops.search(shop, "milk")) == ["b"]
    shop.catalog = first
    assert shops.ids_of(await shops.search(shop, "milk")) == ["a"]
    with pytest.raises(grpc.aio.AioRpcError, match="no such product"):
        await shops.get(shop, "b")


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ({"error": ResourceExhausted("busy", reason="QUEUE_FULL", retry_after=1.0)}, "QUEUE_FULL"),
        ({"revision": "fake-2"}, "MODEL_NOT_LOADED"),
        ({"hang": True}, "ENCODER_TIMEOUT"),
    ],
)
async def test_without_the_encoder_candidates_are_found_by_words_and_the_reply_says_so(shop, trouble, reason):
    await shops.upsert(shop, shops.product("milk", "milk"), shops.product("tea", "tea"))
    for name, value in trouble.items():
        setattr(shop.encoder, name, value)
    reply = await shops.search(shop, "milk", within=2)
    assert shops.ids_of(reply) == ["milk"]
    assert shops.kinds(reply) == [(LEXICAL_ONLY, "encoder", reason)]
    assert not reply.found[0].candidate.scores.HasField("cosine")
    assert not reply.HasField("usage")


async def test_a_query_without_a_word_is_answered_by_meaning_alone_or_not_at_all(shop):
    await shops.upsert(shop, shops.product("milk", "milk"))
    reply = await shops.search(shop, "!!")
    assert shops.kinds(reply) == [(SEMANTIC_ONLY, "retrieval", "QUERY_WITHOUT_WORDS")]
    shop.encoder.hang = True
    error = await refused(shops.search(shop, "??", within=2))
    assert error.code == grpc.StatusCode.UNAVAILABLE
    assert error.retry_seconds == pytest.approx(1.0)


async def test_without_qdrant_a_search_is_unavailable_with_a_hint_when_to_retry(shop, serve):
    async with serve(shop.database_url, "127.0.0.1:9", shop.encoder_target) as stub:
        request = pb.SearchCandidatesRequest(catalog=shop.catalog, query="milk")
        error = await refused(stub.SearchCandidates(request, timeout=2))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "QDRANT_UNAVAILABLE")
    assert error.retry_seconds == pytest.approx(1.0)


async def test_without_postgres_searches_go_on_even_in_a_process_that_has_just_started(shop, serve):
    await shops.upsert(shop, shops.product("milk", "milk"))
    async with serve("postgresql://x:y@127.0.0.1:9/z", shop.qdrant_url, shop.encoder_target) as stub:
        found = await stub.SearchCandidates(
            pb.SearchCandidatesRequest(catalog=shop.catalog, query="milk"), timeout=shops.SECONDS
        )
        assert shops.ids_of(found) == ["milk"]
        write = pb.UpsertProductsRequest(catalog=shop.catalog, products=[shops.product("a", "A")])
        error = await refused(stub.UpsertProducts(write, timeout=shops.SECONDS))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
        assert error.retry_seconds is not None


async def test_an_index_version_is_looked_up_again_without_any_search_waiting_for_it(shop):
    await shops.upsert(shop, shops.product("milk", "milk"))
    for _ in range(3):
        assert shops.ids_of(await shops.search(shop, "milk")) == ["milk"]
        await asyncio.sleep(0.6)
