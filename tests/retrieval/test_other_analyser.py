"""An index whose words another release of the analyser has made, as a rolling upgrade meets it."""

import grpc
import pytest

from services.common.postgres import DatabaseSettings, open_database
from tests.refusals import refusal
from tests.retrieval import shops
from zhiyin.common.v1 import catalog_settings_pb2, degradation_pb2
from zhiyin.retrieval.v1 import catalog_settings_service_pb2 as settings_pb

OTHER_ANALYSER = [(degradation_pb2.DEGRADATION_KIND_SEMANTIC_ONLY, "retrieval", "ANALYSER_NOT_AVAILABLE")]
STYLE = catalog_settings_pb2.AttributeDeclaration(
    name="style",
    type=catalog_settings_pb2.ATTRIBUTE_TYPE_TEXT,
    uses=[catalog_settings_pb2.ATTRIBUTE_USE_FACETABLE],
)


async def hand_over_to_another_analyser(shop):
    """Its version gets another analyser's number; settings that come into force carry it to the collection."""
    async with (
        open_database(DatabaseSettings(database_url=shop.database_url)) as database,
        database.connection() as connection,
    ):
        statement = "UPDATE index_versions SET analyser_version = analyser_version + 1 WHERE catalog = $1"
        await connection.execute(statement, shop.catalog)
    settings = catalog_settings_pb2.CatalogSettings(attributes=[STYLE])
    request = settings_pb.UpdateCatalogSettingsRequest(catalog=shop.catalog, settings=settings)
    await shop.stub.settings.UpdateCatalogSettings(request, timeout=shops.SECONDS)


async def test_words_that_another_analyser_made_are_not_compared_and_the_reply_says_so(shop):
    await shops.upsert(shop, shops.product("milk", "milk"), shops.product("tea", "tea"))
    assert not (await shops.search(shop, "milk")).degradations
    await hand_over_to_another_analyser(shop)

    async def is_semantic_only():
        return shops.kinds(await shops.search(shop, "milk")) == OTHER_ANALYSER

    await shops.eventually(is_semantic_only)
    reply = await shops.search(shop, "milk")
    assert shops.ids_of(reply)[0] == "milk"
    assert not any(found.candidate.scores.HasField("lexical") for found in reply.found)
    shop.encoder.hang = True
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shops.search(shop, "milk", within=2)
    assert refusal(caught.value).code == grpc.StatusCode.UNAVAILABLE
