"""Index versions on real stores: built beside the live one, switched to, gone back from, lost and rebuilt."""

import asyncio
import json

import grpc
import pytest
from qdrant_client import grpc as q

from services.common.errors import Unavailable
from tests.refusals import refusal
from tests.retrieval import index_shop, shops
from tests.retrieval.index_shop import ACTIVE, BUILDING, DELETED, READY, OtherDimension, OtherWeights, call
from zhiyin.retrieval.v1 import index_admin_service_pb2 as pb

WORDS = ("milk", "bread", "tea", "salt", "rice", "soap", "lamp", "chair")


def titled(n):
    return f"{WORDS[n % 8]} {WORDS[n // 8 % 8]} number {n}"


@pytest.fixture
async def shop(serve, serve_encoder, catalogue_url, qdrant_url, catalog):
    """Two encoders: of equal dimension and other weights; small portions, so that a build takes several."""
    encoders = [index_shop.FakeEncoder(), OtherWeights()]
    fields = {"index_build_portion": 20, "index_delete_grace_seconds": 0.0, "index_check_seconds": 0.3}
    async with index_shop.open_shop(
        serve, serve_encoder, catalogue_url, qdrant_url, catalog, encoders, **fields
    ) as opened:
        yield opened


async def stocked(shop, count=60):
    await shops.upsert(shop, *[shops.product(f"p{n:03}", titled(n), price=n + 1) for n in range(count)])


async def refused(shop, method, **fields):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(shop, method, **fields)
    return refusal(caught.value)


async def test_the_first_version_is_active_and_of_the_first_encoders_model(shop):
    await stocked(shop, 3)
    found = await index_shop.version(shop)
    assert (found.number, found.state, found.model.revision) == (1, ACTIVE, "fake-1")
    assert (found.product_count, found.pending_count, found.failed_count) == (3, 0, 0)
    assert found.HasField("activate_time")


async def test_a_version_is_built_beside_the_live_one_and_switched_to_and_back(shop):
    await stocked(shop)
    ready = await index_shop.built(shop, "fake-2")
    assert (ready.number, ready.state, ready.pending_count) == (2, READY, 0)
    assert not ready.HasField("activate_time")
    assert (await shops.search(shop, "milk")).index_version == f"{shop.catalog}.1"

    switched = (await call(shop, "ActivateIndexVersion", number=2)).version
    assert switched.state == ACTIVE
    assert (await index_shop.version(shop, 1)).state == READY

    async def searched_by(number):
        return (await shops.search(shop, "milk")).index_version == f"{shop.catalog}.{number}"

    await shops.eventually(lambda: searched_by(2))
    assert (await call(shop, "RollBackIndexVersion")).version.number == 1
    await shops.eventually(lambda: searched_by(1))
    assert (await call(shop, "RollBackIndexVersion")).version.number == 2


async def test_products_that_change_during_a_build_and_afterwards_are_in_both_versions(shop):
    await stocked(shop)
    await call(shop, "CreateIndexVersion", model_revision="fake-2")
    for n in range(0, 60, 7):
        await shops.upsert(shop, shops.product(f"p{n:03}", f"changed {titled(n)}"), searchable=False)
        await shops.upsert(shop, shops.product(f"new-{n}", f"new {titled(n)}"), searchable=False)
        await shops.delete(shop, f"p{n + 1:03}", searchable=False)
    await index_shop.until(shop, 2, lambda v: v.state == READY and index_shop.settled(v))
    await index_shop.until(shop, 1, index_shop.settled)
    for number in (1, 2):
        found, _ = await index_shop.verified(shop, number=number)
        assert index_shop.faults(found) == (0, 0, 0)


async def test_searches_never_fail_or_mix_vectors_while_versions_are_switched(shop):
    await stocked(shop)
    await index_shop.built(shop, "fake-2")
    expected = {number: index_shop.cosine(shop.encoders[f"fake-{number}"], "milk tea", titled(16)) for number in (1, 2)}
    assert abs(expected[1] - expected[2]) > 0.01
    seen, stop = [], asyncio.Event()

    async def search():
        while not stop.is_set():
            reply = await shops.search(shop, "milk tea", limit=100)
            number = int(reply.index_version.rpartition(".")[2])
            assert not reply.degradations
            assert reply.usage.model.revision == f"fake-{number}"
            (cosine,) = [f.candidate.scores.cosine for f in reply.found if f.candidate.product_id == "p016"]
            assert cosine == pytest.approx(expected[number], abs=1e-3)
            seen.append(number)

    searchers = [asyncio.create_task(search()) for _ in range(4)]
    for number in (2, 1, 2, 1, 2):
        await call(shop, "ActivateIndexVersion", number=number)
        await asyncio.sleep(0.7)
    stop.set()
    await asyncio.gather(*searchers)
    assert {1, 2} == set(seen)


async def test_the_other_version_may_have_another_dimension(serve, serve_encoder, catalogue_url, qdrant_url, catalog):
    encoders = [index_shop.FakeEncoder(), OtherDimension("fake-3")]
    async with index_shop.open_shop(serve, serve_encoder, catalogue_url, qdrant_url, catalog, encoders) as shop:
        await stocked(shop, 5)
        assert (await index_shop.built(shop, "fake-3")).model.dims == 32
        await call(shop, "ActivateIndexVersion", number=2)

        async def answers():
            reply = await shops.search(shop, "milk")
            assert not reply.degradations
            return reply.usage.model.revision == "fake-3"

        await shops.eventually(answers)


async def test_which_model_is_meant_has_to_be_clear(shop):
    await stocked(shop, 1)
    ambiguous = await refused(shop, "CreateIndexVersion")
    assert (ambiguous.code, ambiguous.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MODEL_AMBIGUOUS")
    assert ambiguous.metadata["models"] == "fake fake-1, fake fake-2"
    assert (await refused(shop, "CreateIndexVersion", model_revision="fake-")).reason == "MODEL_AMBIGUOUS"
    assert (await refused(shop, "CreateIndexVersion", model_revision="other")).reason == "MODEL_NOT_LOADED"
    too_long = await refused(shop, "CreateIndexVersion", model_revision="x" * 129)
    assert too_long.fields == {"model_revision": "TOO_LONG"}


async def test_a_version_that_waits_for_its_encoder_is_created_once_and_cannot_be_activated(shop):
    await stocked(shop, 3)
    other = shop.encoders["fake-2"]
    other.refusing_documents = True
    first = (await call(shop, "CreateIndexVersion", model_revision="fake-2")).version
    again = (await call(shop, "CreateIndexVersion", model_revision="fake-2")).version
    assert first.number == again.number == 2
    waiting = await index_shop.until(shop, 2, lambda v: v.words_only_count == 3)
    assert waiting.state == BUILDING
    assert (await refused(shop, "ActivateIndexVersion", number=2)).reason == "INDEX_VERSION_BUILDING"
    other.refusing_documents = False
    await index_shop.until(shop, 2, lambda v: v.state == READY)


async def test_no_version_is_activated_whose_model_no_encoder_has(shop):
    await stocked(shop, 3)
    await index_shop.built(shop, "fake-2")
    shop.encoders["fake-2"].revision = "fake-9"
    assert (await refused(shop, "ActivateIndexVersion", number=2)).reason == "MODEL_NOT_LOADED"
    shop.encoders["fake-1"].error = shop.encoders["fake-2"].error = Unavailable("away")
    assert (await refused(shop, "ActivateIndexVersion", number=2)).code is grpc.StatusCode.UNAVAILABLE


async def test_a_model_that_moves_to_another_encoder_is_found_there(shop):
    await stocked(shop, 3)
    one, other = shop.encoders["fake-1"], shop.encoders["fake-2"]
    assert not (await shops.search(shop, "milk")).degradations
    one.revision, other.revision = other.revision, one.revision

    async def is_whole():
        return not (await shops.search(shop, "milk")).degradations

    await shops.eventually(is_whole)


async def test_a_deleted_version_leaves_no_collection_and_no_number_to_use_again(shop):
    await stocked(shop, 3)
    await index_shop.built(shop, "fake-2")
    assert (await refused(shop, "DeleteIndexVersion", number=1)).reason == "INDEX_VERSION_ACTIVE"
    assert (await call(shop, "DeleteIndexVersion", number=2)).version.state == DELETED
    assert [v.number for v in (await call(shop, "ListIndexVersions")).versions] == [1]
    missing = await refused(shop, "GetIndexVersion", number=2)
    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "INDEX_VERSION_NOT_FOUND")

    async def is_gone():
        return f"zhiyin.{shop.catalog}.2" not in await index_shop.collection_names(shop)

    await shops.eventually(is_gone)
    assert (await index_shop.built(shop, "fake-2")).number == 3


async def test_there_are_not_more_versions_than_are_allowed(serve, serve_encoder, catalogue_url, qdrant_url, catalog):
    encoders = [index_shop.FakeEncoder(), OtherWeights()]
    opened = index_shop.open_shop(
        serve, serve_encoder, catalogue_url, qdrant_url, catalog, encoders, max_index_versions=2
    )
    async with opened as shop:
        await stocked(shop, 1)
        await index_shop.built(shop, "fake-2")
        too_many = await refused(shop, "CreateIndexVersion", model_revision="fake-2")
        assert (too_many.reason, too_many.metadata["limit"]) == ("TOO_MANY_INDEX_VERSIONS", "2")


async def test_there_is_nothing_to_go_back_to_before_the_second_activation(shop):
    await stocked(shop, 1)
    await index_shop.built(shop, "fake-2")
    assert (await refused(shop, "RollBackIndexVersion")).reason == "NO_PREVIOUS_VERSION"


@pytest.mark.parametrize(
    ("method", "fields", "field", "reason"),
    [
        ("GetIndexVersion", {"number": -1}, "number", "OUT_OF_RANGE"),
        ("ActivateIndexVersion", {}, "number", "REQUIRED"),
        ("ActivateIndexVersion", {"number": -1}, "number", "REQUIRED"),
        ("DeleteIndexVersion", {}, "number", "REQUIRED"),
        ("RebuildIndexVersion", {"number": -1}, "number", "OUT_OF_RANGE"),
        ("VerifyIndexVersion", {"number": -1}, "number", "OUT_OF_RANGE"),
        ("VerifyIndexVersion", {"page_size": -1}, "page_size", "OUT_OF_RANGE"),
        ("VerifyIndexVersion", {"mode": 9}, "mode", "UNKNOWN_VALUE"),
    ],
)
async def test_a_bad_field_is_named(shop, method, fields, field, reason):
    refused_ = await refused(shop, method, **fields)
    assert (refused_.code, refused_.fields) == (grpc.StatusCode.INVALID_ARGUMENT, {field: reason})


@pytest.mark.parametrize("method", [m.name for m in pb.DESCRIPTOR.services_by_name["IndexAdminService"].methods])
async def test_a_catalogues_name_is_checked_everywhere(shop, method):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(shop.stub.admin, method)(getattr(pb, f"{method}Request")(catalog="No Name"), timeout=5)
    assert refusal(caught.value).fields == {"catalog": "INVALID_FORMAT"}


@pytest.mark.parametrize(
    "method", ["GetIndexVersion", "RollBackIndexVersion", "RebuildIndexVersion", "VerifyIndexVersion"]
)
async def test_a_catalogue_that_does_not_exist_has_no_version(shop, method):
    assert (await refused(shop, method)).reason == "INDEX_VERSION_NOT_FOUND"


async def test_a_product_that_was_given_up_is_tried_again_by_a_rebuild(shop):
    await stocked(shop, 3)
    async with index_shop.catalogue_database(shop) as connection:
        await connection.execute(
            "INSERT INTO outbox (catalog, version, product_id, change, failure) VALUES ($1, 1, 'p001', 1, 'REFUSED')",
            shop.catalog,
        )
    assert (await index_shop.version(shop)).failed_count == 1
    await call(shop, "RebuildIndexVersion")
    found = await index_shop.until(shop, 1, lambda v: index_shop.settled(v) and v.failed_count == 0)
    assert found.state == ACTIVE
    assert len(shop.encoders["fake-1"].documents) == 3  # texts whose vectors are kept are not encoded again


async def test_an_alias_that_points_to_another_version_than_the_database_says_is_mended(shop):
    """Activation was cut off between Postgres and Qdrant."""
    await stocked(shop, 3)
    await index_shop.built(shop, "fake-2")
    async with index_shop.catalogue_database(shop) as connection:
        await connection.execute("UPDATE index_versions SET state = 'ready', active = false WHERE number = 1")
        await connection.execute("UPDATE index_versions SET state = 'active', active = true WHERE number = 2")

    async def is_mended():
        return (await shops.search(shop, "milk")).index_version == f"{shop.catalog}.2"

    await shops.eventually(is_mended)


async def test_a_changed_price_is_found_in_all_versions_without_the_encoder(shop):
    await stocked(shop, 5)
    await index_shop.built(shop, "fake-2")
    encoded = {revision: len(encoder.documents) for revision, encoder in shop.encoders.items()}
    await shops.upsert(shop, shops.product("p002", titled(2), price=500))
    await index_shop.until(shop, 2, index_shop.settled)
    for number in (1, 2):
        found, _ = await index_shop.verified(shop, number=number)
        assert index_shop.faults(found) == (0, 0, 0)
    dear = await shops.search(shop, "tea", filter=shops.prices(lowest=400))
    assert shops.ids_of(dear) == ["p002"]
    assert {revision: len(encoder.documents) for revision, encoder in shop.encoders.items()} == encoded


async def test_a_deleted_version_that_searches_still_use_is_kept_until_they_do_not(shop):
    """Activation was cut off before the alias, and the version before was deleted: the alias is mended first."""
    await stocked(shop, 3)
    await index_shop.built(shop, "fake-2")
    async with index_shop.catalogue_database(shop) as connection:
        await connection.execute("UPDATE index_versions SET state = 'deleted', active = false WHERE number = 1")
        await connection.execute("UPDATE index_versions SET state = 'active', active = true WHERE number = 2")
        await connection.execute("UPDATE index_versions SET delete_time = now() WHERE number = 1")

    async def is_gone():
        reply = await shops.search(shop, "milk")
        assert shops.ids_of(reply)
        return f"zhiyin.{shop.catalog}.1" not in await index_shop.collection_names(shop)

    await shops.eventually(is_gone)
    assert (await shops.search(shop, "milk")).index_version == f"{shop.catalog}.2"


async def test_the_rules_of_a_version_are_kept_in_its_collection_and_outlive_a_change_of_the_settings(
    serve, serve_encoder, catalogue_url, qdrant_url, catalog
):
    encoders, target = [index_shop.FakeEncoder()], (catalogue_url, qdrant_url, catalog)

    async def lexical(shop):
        reply = await shops.search(shop, "milk")
        return {f.candidate.product_id: f.candidate.scores.lexical for f in reply.found}

    async with index_shop.open_shop(serve, serve_encoder, *target, encoders) as shop:
        await shops.upsert(shop, shops.product("a", "milk milk milk"))
        async with index_shop.engine(shop) as qdrant:
            name = q.GetCollectionInfoRequest(collection_name=f"zhiyin.{catalog}.1")
            metadata = (await qdrant.collections.Get(name)).result.config.metadata
        assert json.loads(metadata["document_rules"].string_value)["bm25"]["k1"] == 0.3
    async with index_shop.open_shop(serve, serve_encoder, *target, encoders, bm25_k1=1.5) as shop:
        await shops.upsert(shop, shops.product("b", "milk milk milk"))
        scores = await lexical(shop)
        assert scores["a"] == scores["b"] > 0
        await index_shop.built(shop, "fake-1")
        await call(shop, "ActivateIndexVersion", number=2)

        async def is_other():
            return (await lexical(shop))["a"] > scores["a"]

        await shops.eventually(is_other)
