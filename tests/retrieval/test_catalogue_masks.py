"""Writing some fields of a product, on a real Postgres."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from services.common.errors import InvalidArgument
from services.retrieval.merging import PRODUCT_FIELDS
from tests.retrieval.catalogues import offer
from tests.retrieval.shops import product
from zhiyin.common.v1 import product_pb2


def milk(**fields):
    message = product("milk", "Milk", price=2, brand="Acme", description="Fresh", sales_count=3, **fields)
    message.attributes["colour"].texts.append("white")
    message.attributes["fat"].numbers.append(3.5)
    return message


def only(**fields):
    return product_pb2.Product(id="milk", **fields)


async def test_named_fields_change_and_the_others_stay(store):
    await store.upsert(milk())
    patch = only(title="ignored", brand="Other", categories=["a", "b"])
    assert await store.outcomes(patch, mask=["brand", "categories"]) == ["UPDATED"]
    expected = milk(categories=["a", "b"])
    expected.brand = "Other"
    assert await store.get("milk") == expected


async def test_a_named_field_that_is_not_given_is_cleared(store):
    await store.upsert(milk(rating=product_pb2.Rating(average=4, count=2)))
    mask = ["brand", "sales_count", "rating", "attributes", "description", "offers"]
    assert await store.outcomes(only(), mask=mask) == ["UPDATED"]
    assert await store.get("milk") == product("milk", "Milk")


async def test_one_attribute_is_set_added_or_removed(store):
    await store.upsert(milk())
    patch = only()
    patch.attributes["colour"].texts.append("blue")
    patch.attributes["new.one"].flag = True
    patch.attributes["other"].flag = True
    mask = ["attributes.colour", "attributes.new.one", "attributes.fat", "attributes.never"]
    assert await store.outcomes(patch, mask=mask) == ["UPDATED"]
    attributes = (await store.get("milk")).attributes
    assert dict(attributes) == {
        "colour": product_pb2.AttributeValue(texts=["blue"]),
        "new.one": product_pb2.AttributeValue(flag=True),
    }


async def test_the_same_again_is_unchanged(store):
    await store.upsert(milk())
    assert await store.outcomes(only(brand="Acme"), mask=["brand"]) == ["UNCHANGED"]
    assert await store.outcomes(only(brand="Other"), mask=["brand"]) == ["UPDATED"]
    assert await store.outcomes(only(brand="Other"), mask=["brand"]) == ["UNCHANGED"]


async def test_a_product_that_is_not_there_is_not_found_and_not_made(store):
    assert await store.outcomes(only(title="Milk"), mask=["title"]) == ["NOT_FOUND"]
    assert await store.page() == ([], False)


async def test_what_comes_of_it_has_to_keep_the_rules(store):
    await store.upsert(milk())
    (result,) = await store.upsert(only(sales_count=-1), mask=["title", "sales_count"])
    assert [(v.field, v.reason) for v in result.violations] == [("title", "REQUIRED"), ("sales_count", "OUT_OF_RANGE")]
    assert await store.get("milk") == milk()
    (result,) = await store.upsert(product_pb2.Product(id="no id"), mask=["title"])
    assert [(v.field, v.reason) for v in result.violations] == [("id", "INVALID_FORMAT")]


async def test_an_update_time_counts_whether_named_or_not(store):
    await store.upsert(milk(update_time=Timestamp(seconds=1_000)))
    (stale,) = await store.upsert(only(brand="B", update_time=Timestamp(seconds=999)), mask=["brand"])
    assert [(v.field, v.reason) for v in stale.violations] == [("update_time", "STALE")]
    assert await store.outcomes(only(brand="B"), mask=["brand"]) == ["UPDATED"]
    assert (await store.get("milk")).update_time.seconds == 1_000
    assert await store.outcomes(only(brand="C", update_time=Timestamp(seconds=2_000)), mask=["brand"]) == ["UPDATED"]
    assert (await store.get("milk")).update_time.seconds == 2_000


async def test_an_etag_guards_it(store):
    await store.upsert(milk())
    etag = await store.etag("milk")
    assert await store.outcomes(only(brand="B", etag=etag), mask=["brand"]) == ["UPDATED"]
    (late,) = await store.upsert(only(brand="C", etag=etag), mask=["brand"])
    assert [(v.field, v.reason) for v in late.violations] == [("etag", "ETAG_MISMATCH")]


async def test_offers_that_are_named_replace_the_stored_ones(store):
    await store.upsert(milk())
    await store.settle()
    assert await store.outcomes(only(offers=[offer(5, region="eu")]), mask=["offers"]) == ["UPDATED"]
    assert list((await store.get("milk")).offers) == [offer(5, region="eu")]
    assert await store.waiting("outbox") == []


@pytest.mark.parametrize("path", ["id", "etag", "", "Title", "rating.average", "attribute", "attributes[0]"])
async def test_a_mask_of_something_else_is_refused_by_its_position(store, path):
    with pytest.raises(InvalidArgument) as caught:
        store.products.require_mask(["title", path])
    assert [(v.field, v.reason) for v in caught.value.violations] == [("update_mask.paths[1]", "UNKNOWN_FIELD")]
    assert path not in PRODUCT_FIELDS


@pytest.mark.parametrize("path", ["attributes.", "attributes." + "a" * 65])
async def test_an_attributes_name_in_a_mask_has_its_limits(store, path):
    with pytest.raises(InvalidArgument) as caught:
        store.products.require_mask([path])
    assert [(v.field, v.reason) for v in caught.value.violations] == [("update_mask.paths[0]", "TOO_LONG")]


async def test_a_mask_is_not_endless(store):
    with pytest.raises(InvalidArgument) as caught:
        store.products.require_mask(["title"] * 217)
    assert [(v.field, v.reason) for v in caught.value.violations] == [("update_mask.paths", "TOO_MANY")]


def test_every_field_of_a_product_can_be_named_but_those_that_say_which_one_it_is():
    assert {each.name for each in product_pb2.Product.DESCRIPTOR.fields} == {*PRODUCT_FIELDS, "id", "etag"}
