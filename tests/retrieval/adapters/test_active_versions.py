"""What a replica knows of the active versions, on the real engine: lost indexes, declarations that have changed."""

from dataclasses import replace

import pytest

from services.common.errors import InvalidArgument, NotFound, Unavailable
from services.retrieval.attributes import AttributeDeclaration, AttributeType
from services.retrieval.filters import AttributeCondition, NumberRange, ProductFilter
from services.retrieval.search import SearchQuery
from services.retrieval.similar import SimilarQuery
from tests.retrieval import shops
from tests.retrieval.shelf import open_shelf


@pytest.fixture
async def shelf(qdrant_url, catalog):
    """With one product; its replica remembers versions for an hour."""
    async with open_shelf(qdrant_url, catalog, size_of(AttributeType.TEXT)) as opened:
        await opened.put(shops.product("a", "milk"), shops.product("b", "milk"))
        yield opened


def size_of(kind):
    return {"size": AttributeDeclaration("size", kind, filterable=True)}


async def lost(call, reason="INDEX_LOST"):
    with pytest.raises(Unavailable) as caught:
        await call
    return (caught.value.reason, caught.value.retry_after) == (reason, 1.0)


async def test_a_replica_that_has_seen_an_index_says_that_it_is_lost_at_every_call(shelf, catalog):
    assert (await shelf.search(SearchQuery(catalog, "milk", 5))).answer.size == 2
    await shelf.schema.drop(shelf.version())
    for _ in range(3):
        assert await lost(shelf.search(SearchQuery(catalog, "milk", 5)))
        assert await lost(shelf.similar.find(SimilarQuery(catalog, "a", 5)))
        assert await lost(shelf.index.shown(catalog, ["a"], ""))
    await shelf.open(shelf.version())
    assert (await shelf.search(SearchQuery(catalog, "milk", 5))).answer.size == 0


async def test_a_catalogue_that_never_had_an_index_is_not_found(shelf):
    with pytest.raises(NotFound) as caught:
        await shelf.search(SearchQuery("never-there", "milk", 5))
    assert caught.value.reason == "CATALOG_NOT_FOUND"


async def test_whether_a_catalogue_is_lost_or_unknown_cannot_be_told_without_the_database(shelf):
    shelf.registry.error = Unavailable("away", reason="DATABASE_UNAVAILABLE", retry_after=1.0)
    assert await lost(shelf.search(SearchQuery("never-there", "milk", 5)), "DATABASE_UNAVAILABLE")


def by_text():
    return ProductFilter(none=[ProductFilter(attributes=[AttributeCondition("size", texts=["xl"])])])


async def test_a_replica_that_remembers_an_attributes_former_type_learns_the_new_one_from_the_refusal(shelf, catalog):
    def search(wanted):
        return shelf.search(SearchQuery(catalog, "milk", 5, wanted))

    assert (await search(by_text())).answer.size == 2
    as_number = size_of(AttributeType.NUMBER)
    number = replace(shelf.version(), declarations=as_number, coming=as_number)
    await shelf.schema.create(number)
    # The index is of the new type already, and the collection does not say so yet.
    assert await lost(search(by_text()), "INDEX_CHANGING")
    assert await lost(shelf.similar.find(SimilarQuery(catalog, "a", 5, by_text())), "INDEX_CHANGING")
    assert (await search(ProductFilter())).answer.size == 2
    await shelf.schema.describe(number)
    with pytest.raises(InvalidArgument) as caught:
        await search(by_text())
    assert [violation.reason for violation in caught.value.violations] == ["WRONG_TYPE"]
    wide = ProductFilter(none=[ProductFilter(attributes=[AttributeCondition("size", range=NumberRange(1.0, 2.0))])])
    assert (await search(wide)).answer.size == 2
