"""A product that cannot be indexed as it is never keeps the others of its catalogue waiting, on the real engine."""

import grpc
import pytest

from tests.refusals import refusal
from tests.retrieval import shops
from zhiyin.common.v1 import catalog_settings_pb2, filter_pb2, write_pb2
from zhiyin.retrieval.v1 import catalog_settings_service_pb2 as settings_pb

WIDTH = catalog_settings_pb2.AttributeDeclaration(
    name="width",
    type=catalog_settings_pb2.ATTRIBUTE_TYPE_NUMBER,
    unit="mm",
    uses=[catalog_settings_pb2.ATTRIBUTE_USE_FILTERABLE],
)
IN_FORCE = catalog_settings_pb2.CATALOG_SETTINGS_STATE_IN_FORCE


def table(product_id, *widths, unit="mm"):
    message = shops.product(product_id, "Table")
    message.attributes["width"].numbers.extend(widths)
    message.attributes["width"].unit = unit
    return message


async def put_into_force(shop):
    settings = catalog_settings_pb2.CatalogSettings(attributes=[WIDTH])
    update = settings_pb.UpdateCatalogSettingsRequest(catalog=shop.catalog, settings=settings)
    await shop.stub.settings.UpdateCatalogSettings(update, timeout=shops.SECONDS)

    async def is_in_force():
        request = settings_pb.GetCatalogSettingsRequest(catalog=shop.catalog)
        reply = await shop.stub.settings.GetCatalogSettings(request, timeout=shops.SECONDS)
        return reply.settings.state == IN_FORCE

    await shops.eventually(is_in_force)


async def found(shop, **bounds):
    condition = filter_pb2.AttributeCondition(name="width", range=filter_pb2.NumberRange(**bounds))
    reply = await shops.search(shop, "table", filter=filter_pb2.ProductFilter(attributes=[condition]))
    return sorted(shops.ids_of(reply))


async def test_a_number_too_large_for_the_declared_unit_is_refused_and_what_is_written_beside_it_goes_in(shop):
    await shops.upsert(shop, table("first", 5.0))
    await put_into_force(shop)
    reply = await shops.upsert(shop, table("huge", 1.0, 1e308, unit="km"), table("small", 7.0))
    assert [result.outcome for result in reply.results] == [
        write_pb2.WRITE_OUTCOME_REJECTED,
        write_pb2.WRITE_OUTCOME_CREATED,
    ]
    assert [(v.field, v.reason) for v in reply.results[0].violations] == [("attributes[0].unit", "WRONG_UNIT")]
    assert not reply.degradations
    assert await found(shop, max=10.0) == ["first", "small"]


async def test_a_number_that_was_stored_before_its_unit_was_declared_keeps_neither_settings_nor_products_waiting(shop):
    await shops.upsert(shop, table("huge", 1e308, unit="km"), table("small", 7.0))
    await put_into_force(shop)
    await shops.upsert(shop, table("later", 8.0))
    assert await found(shop, max=10.0) == ["later", "small"]
    # Found still, by all but the number that cannot be said in millimetres.
    assert sorted(shops.ids_of(await shops.search(shop, "table"))) == ["huge", "later", "small"]


async def test_a_bound_too_large_for_the_declared_unit_is_refused_with_its_place(shop):
    await shops.upsert(shop, table("small", 7.0))
    await put_into_force(shop)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await found(shop, max=1e308, unit="km")
    assert refusal(caught.value).fields == {"filter.attributes[0].range.unit": "WRONG_UNIT"}
