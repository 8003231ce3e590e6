"""Settings over the real API: made, put into force by the indexer, and what searches make of them."""

from contextlib import suppress

import grpc
import pytest

from tests.refusals import refusal
from tests.retrieval import shops
from zhiyin.common.v1 import catalog_settings_pb2, filter_pb2
from zhiyin.retrieval.v1 import catalog_settings_service_pb2 as settings_pb

TEXT, NUMBER = catalog_settings_pb2.ATTRIBUTE_TYPE_TEXT, catalog_settings_pb2.ATTRIBUTE_TYPE_NUMBER
SEARCHABLE, FILTERABLE = catalog_settings_pb2.ATTRIBUTE_USE_SEARCHABLE, catalog_settings_pb2.ATTRIBUTE_USE_FILTERABLE
IN_FORCE = catalog_settings_pb2.CATALOG_SETTINGS_STATE_IN_FORCE
WIDTH = catalog_settings_pb2.AttributeDeclaration(name="width", type=NUMBER, unit="cm", uses=[FILTERABLE])
STYLE = catalog_settings_pb2.AttributeDeclaration(name="style", type=TEXT, uses=[SEARCHABLE])


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value)


async def declare(shop, *attributes, catalog=None, **fields):
    settings = catalog_settings_pb2.CatalogSettings(attributes=attributes, **fields)
    request = settings_pb.UpdateCatalogSettingsRequest(catalog=catalog or shop.catalog, settings=settings)
    return (await shop.stub.settings.UpdateCatalogSettings(request, timeout=shops.SECONDS)).settings


async def get(shop, version=0):
    request = settings_pb.GetCatalogSettingsRequest(catalog=shop.catalog, version=version)
    return (await shop.stub.settings.GetCatalogSettings(request, timeout=shops.SECONDS)).settings


async def put_into_force(shop, *attributes):
    made = await declare(shop, *attributes)

    async def is_in_force():
        return (await get(shop, made.version)).state == IN_FORCE

    await shops.eventually(is_in_force)


def table(product_id, width, unit="cm", **fields):
    message = shops.product(product_id, "Table", **fields)
    message.attributes["width"].numbers.append(width)
    message.attributes["width"].unit = unit
    return message


async def found(shop, query="table", **bounds):
    condition = filter_pb2.AttributeCondition(name="width", range=filter_pb2.NumberRange(**bounds))
    wanted = filter_pb2.ProductFilter(attributes=[condition])
    return sorted(shops.ids_of(await shops.search(shop, query, filter=wanted)))


async def test_settings_are_made_read_and_listed(shop):
    colour = catalog_settings_pb2.AttributeDeclaration(
        name="colour",
        type=catalog_settings_pb2.ATTRIBUTE_TYPE_TEXT,
        uses=[catalog_settings_pb2.ATTRIBUTE_USE_FILTERABLE],
    )
    first = await declare(shop, colour)
    assert (first.version, first.state) == (1, catalog_settings_pb2.CATALOG_SETTINGS_STATE_IN_FORCE)
    request = settings_pb.GetCatalogSettingsRequest(catalog=shop.catalog)
    assert (await shop.stub.settings.GetCatalogSettings(request, timeout=shops.SECONDS)).settings == first
    request = settings_pb.ListCatalogSettingsRequest(catalog=shop.catalog)
    assert list((await shop.stub.settings.ListCatalogSettings(request, timeout=shops.SECONDS)).settings) == [first]
    error = await refused(declare(shop, etag="ff"))
    assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    error = await refused(declare(shop, catalog_settings_pb2.AttributeDeclaration()))
    assert error.fields["settings.attributes[0].name"] == "REQUIRED"
    request = settings_pb.UpdateCatalogSettingsRequest(catalog=shop.catalog)
    error = await refused(shop.stub.settings.UpdateCatalogSettings(request, timeout=shops.SECONDS))
    assert error.fields == {"settings": "REQUIRED"}


async def test_products_of_before_are_filtered_by_a_new_attribute_once_it_is_in_force(shop):
    await shops.upsert(shop, table("short", 700, "mm"), table("long", 2, "m"))
    error = await refused(found(shop, max=100.0))
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    await put_into_force(shop, WIDTH)

    async def is_known():  # a replica looks at the collection from time to time
        with suppress(grpc.aio.AioRpcError):
            return await found(shop, max=70.0) == ["short"]
        return False

    await shops.eventually(is_known)
    assert await found(shop, min=1.5, unit="m") == ["long"]
    await shops.upsert(shop, table("new", 71))
    assert await found(shop, min=70.5, max=100.0) == ["new"]


async def test_a_searchable_attribute_is_found_by_its_words_once_it_is_in_force(shop):
    desk = shops.product("desk", "Desk")
    desk.attributes["style"].texts.append("rococo")
    await shops.upsert(shop, desk, shops.product("chair", "Chair"))
    shop.encoder.error = RuntimeError("only words")
    assert shops.ids_of(await shops.search(shop, "rococo")) == []
    shop.encoder.error = None
    await put_into_force(shop, STYLE)
    shop.encoder.error = RuntimeError("only words")
    assert shops.ids_of(await shops.search(shop, "rococo")) == ["desk"]


async def test_the_first_index_of_a_catalogue_is_made_by_its_settings(shop):
    await declare(shop, WIDTH)
    await shops.upsert(shop, table("short", 70), table("long", 200))
    assert (await get(shop)).state == IN_FORCE
    assert await found(shop, max=100.0) == ["short"]


async def test_a_bad_catalogue_name_is_refused_by_every_rpc(shop):
    shop.catalog = "Bad Name"
    lists = settings_pb.ListCatalogSettingsRequest(catalog=shop.catalog)
    for call in (declare(shop), get(shop), shop.stub.settings.ListCatalogSettings(lists, timeout=5)):
        error = await refused(call)
        assert (error.code, error.fields) == (grpc.StatusCode.INVALID_ARGUMENT, {"catalog": "INVALID_FORMAT"})
