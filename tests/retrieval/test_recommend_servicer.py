"""RecommendCandidates through the whole service."""

from types import SimpleNamespace

import grpc
import pytest

from tests.fakes import FakeEncoder
from tests.refusals import refusal
from tests.retrieval import shops
from tests.retrieval.shops import SECONDS
from zhiyin.common.v1 import behaviour_pb2, degradation_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

NOBODY = "127.0.0.1:1"


async def recommend(shop, *behaviours, **fields):
    request = pb.RecommendCandidatesRequest(catalog=shop.catalog, behaviours=behaviours, **fields)
    return await shop.stub.RecommendCandidates(request, timeout=SECONDS)


def did(product_id, weight=1.0):
    return behaviour_pb2.Behaviour(product_id=product_id, weight=weight)


async def test_candidates_come_with_scores_summaries_and_the_product_they_go_back_to(shop):
    await shops.upsert(
        shop,
        shops.product("a", "red kettle"),
        shops.product("b", "red kettle large", price=3.5, availability=1),
        shops.product("c", "garden chair"),
    )
    reply = await recommend(shop, did("a"), extra_product_ids=["c"], excluded_product_ids=["a"])
    assert shops.ids_of(reply) == ["b", "c"]
    found = reply.found[0]
    assert found.summary.title == "red kettle large"
    assert found.summary.offer.price.units == 3
    assert found.candidate.signals.availability == 1
    assert found.seed_product_id == "a"
    assert found.candidate.scores.visitor == pytest.approx(found.interest_cosine)
    assert not found.candidate.scores.HasField("lexical")
    assert [summary.id for summary in reply.seed_summaries] == ["a"]
    assert [(interest.share, list(interest.behaviours)) for interest in reply.interests] == [(1.0, [0])]


async def test_a_new_product_is_recommended_as_soon_as_it_is_indexed(shop):
    await shops.upsert(shop, shops.product("a", "red kettle"))
    assert shops.ids_of(await recommend(shop, did("a"), excluded_product_ids=["a"])) == []
    await shops.upsert(shop, shops.product("new", "red kettle too"))
    assert shops.ids_of(await recommend(shop, did("a"), excluded_product_ids=["a"])) == ["new"]


async def test_texts_are_left_out_and_named_while_the_encoder_hangs(shop):
    await shops.upsert(shop, shops.product("a", "red kettle"))
    shop.encoder.hang = True
    text = behaviour_pb2.Behaviour(text="green tea", weight=1.0)
    reply = await recommend(shop, did("a"), text)
    assert shops.ids_of(reply) == ["a"]
    kinds = [degradation.kind for degradation in reply.degradations]
    assert kinds == [degradation_pb2.DEGRADATION_KIND_WITHOUT_TEXTS]


async def test_bad_input_names_the_field_and_an_unknown_catalogue_is_not_found(shop):
    await shops.upsert(shop, shops.product("a", "red kettle"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await recommend(shop, did("a"), limit=-1, page_product_ids=["b c"])
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert list(refusal(caught.value).fields) == ["page_product_ids[0]", "limit"]
    shop.catalog = "no-such"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await recommend(shop, did("a"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_summaries_come_from_the_database_while_the_index_is_away(catalogue_url, serve, serve_encoder, catalog):
    shop = SimpleNamespace(catalog=catalog)
    async with serve_encoder(FakeEncoder()) as encoder, serve(catalogue_url, NOBODY, encoder) as shop.stub:
        product = shops.product("a", "red <b>kettle</b>", price=3.5, availability=1, primary_product_id="p")
        await shops.upsert(shop, product, searchable=False)
        (summary,) = (await shops.summaries(shop, "a", "gone")).summaries
        assert (summary.title, summary.primary_product_id, summary.offer.price.units) == ("red kettle", "p", 3)
        (summary,) = (await shops.summaries(shop, "a", region="cn")).summaries
        assert not summary.HasField("offer")
