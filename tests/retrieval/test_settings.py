"""Settings of catalogues, on a real Postgres."""

import asyncio

import pytest

from services.common.errors import Aborted, InvalidArgument, NotFound
from services.retrieval import convert_settings
from services.retrieval.catalog_settings import SettingsState
from tests.retrieval.shops import product
from zhiyin.common.v1 import catalog_settings_pb2 as pb

TEXT, NUMBER, BOOLEAN = pb.ATTRIBUTE_TYPE_TEXT, pb.ATTRIBUTE_TYPE_NUMBER, pb.ATTRIBUTE_TYPE_BOOLEAN
SEARCHABLE, FILTERABLE = pb.ATTRIBUTE_USE_SEARCHABLE, pb.ATTRIBUTE_USE_FILTERABLE
FACETABLE = pb.ATTRIBUTE_USE_FACETABLE


def attribute(name="colour", kind=TEXT, unit="", uses=(FILTERABLE,)):
    return pb.AttributeDeclaration(name=name, type=kind, unit=unit, uses=uses)


WIDTH = attribute("width", NUMBER, "cm")


async def numbers(store, size=0, before=0):
    return [each.number for each in await store.settings.page(store.catalog, size, before)]


async def state(store, number=0):
    return (await store.settings.get(store.catalog, number)).state


async def test_a_catalogue_begins_without_settings(store):
    found = convert_settings.settings_message(await store.settings.get(store.catalog, 0))
    assert found == pb.CatalogSettings(etag="0")
    assert await numbers(store) == []


async def test_every_update_makes_a_version_and_all_are_kept(store):
    await store.declare(attribute())
    await store.declare(attribute(), WIDTH)
    await store.declare()
    messages = [
        convert_settings.settings_message(await store.settings.get(store.catalog, number)) for number in (1, 2, 3, 0)
    ]
    assert [list(each.attributes) for each in messages] == [[attribute()], [attribute(), WIDTH], [], []]
    assert [each.version for each in messages] == [1, 2, 3, 3]
    assert len({each.etag for each in messages}) == 3
    assert all(each.create_time.seconds for each in messages)


async def test_the_same_settings_make_no_version_in_whatever_order_uses_are_named(store):
    await store.declare(attribute(uses=[FILTERABLE, SEARCHABLE]))
    again = await store.declare(attribute(uses=[SEARCHABLE, FILTERABLE, SEARCHABLE]))
    assert again.number == 1
    assert await numbers(store) == [1]


async def test_an_etag_that_is_not_the_latest_aborts_and_a_repeated_update_does_not(store):
    first = await store.declare(attribute(), etag="0")
    second = await store.declare(WIDTH, etag=first.etag)
    assert (await store.declare(WIDTH, etag=first.etag)).number == second.number == 2
    with pytest.raises(Aborted) as caught:
        await store.declare(attribute(), etag=first.etag)
    assert caught.value.reason == "ETAG_MISMATCH"
    assert await numbers(store) == [2, 1]


async def test_two_updates_at_once_make_two_versions(store):
    await asyncio.gather(store.declare(attribute()), store.declare(WIDTH))
    assert await numbers(store) == [2, 1]


async def test_of_two_updates_at_once_with_one_etag_one_is_aborted(store):
    results = await asyncio.gather(
        store.declare(attribute(), etag="0"), store.declare(WIDTH, etag="0"), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in results) == ["Aborted", "SettingsVersion"]


async def test_versions_are_listed_latest_first_page_by_page(store):
    for count in range(1, 6):
        await store.declare(*[attribute(str(n)) for n in range(count)])
    assert await numbers(store) == [5, 4, 3, 2, 1]
    assert await numbers(store, 2) == [5, 4]
    assert await numbers(store, 2, before=4) == [3, 2]
    assert await numbers(store, 2, before=1) == []
    for bad in ({"size": -1}, {"before": -1}):
        with pytest.raises(InvalidArgument):
            await numbers(store, **bad)


async def test_a_version_that_is_not_there_is_not_found(store):
    await store.declare(attribute())
    with pytest.raises(NotFound):
        await store.settings.get(store.catalog, 2)
    with pytest.raises(InvalidArgument):
        await store.settings.get(store.catalog, -1)


async def test_settings_of_one_catalogue_are_not_those_of_another(store):
    await store.declare(attribute())
    assert (await store.settings.get("another", 0)).number == 0
    assert await store.settings.page("another", 0, 0) == []


async def test_a_version_is_in_force_once_the_index_of_searches_is_made_by_it(store):
    await store.add_version(1, "active")
    await store.add_version(2, "building")
    await store.declare(attribute())
    await store.fetch("UPDATE index_versions SET settings_version = 1")
    await store.declare(WIDTH)
    assert await state(store) is SettingsState.APPLYING
    assert await state(store, 1) is SettingsState.IN_FORCE
    await store.fetch("UPDATE index_versions SET settings_version = 2 WHERE active")
    assert await state(store, 2) is SettingsState.IN_FORCE
    assert await state(store, 1) is SettingsState.SUPERSEDED


async def test_without_an_index_there_is_nothing_to_apply(store):
    await store.declare(attribute())
    assert await state(store) is SettingsState.IN_FORCE


async def test_every_live_index_version_is_to_be_made_by_the_new_settings(store):
    for number, kind in ((1, "deleted"), (2, "active"), (3, "building"), (4, "ready")):
        await store.add_version(number, kind)
    await store.declare(attribute())
    rows = await store.fetch("SELECT number, target_settings_version, settings_version FROM index_versions ORDER BY 1")
    assert [tuple(row) for row in rows] == [(1, 0, 0), (2, 1, 0), (3, 1, 0), (4, 1, 0)]


async def test_from_then_on_products_of_another_type_are_refused(store):
    wide = product("wide", "Wide")
    wide.attributes["width"].texts.append("7 cm")
    assert await store.outcomes(wide) == ["CREATED"]
    await store.declare(WIDTH)
    wide.title = "Wider"
    (result,) = await store.upsert(wide)
    assert [(v.field, v.reason) for v in result.violations] == [("attributes[0]", "WRONG_TYPE")]
    wide.attributes["width"].Clear()
    wide.attributes["width"].numbers.append(70)
    wide.attributes["width"].unit = "mm"
    assert await store.outcomes(wide) == ["UPDATED"]
    wide.attributes["width"].unit = "kg"
    (result,) = await store.upsert(wide, mask=["attributes.width"])
    assert [(v.field, v.reason) for v in result.violations] == [("attributes[0].unit", "WRONG_UNIT")]


async def test_an_update_waits_for_writers_and_they_for_it(store):
    """Whatever was checked against the old settings is on disk before the new ones are."""
    async with store.products._store.transaction(store.catalog) as transaction:
        assert await transaction.declarations() == {}
        update = asyncio.create_task(store.declare(WIDTH))
        await asyncio.sleep(0.2)
        assert not update.done()
    assert (await update).number == 1


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ([attribute("")], {"settings.attributes[0].name": "REQUIRED"}),
        ([attribute("a" * 65)], {"settings.attributes[0].name": "TOO_LONG"}),
        (
            [attribute("a"), attribute("b"), attribute("a")],
            dict.fromkeys(["settings.attributes[0].name", "settings.attributes[2].name"], "DUPLICATE"),
        ),
        ([attribute(kind=0)], {"settings.attributes[0].type": "REQUIRED"}),
        ([attribute(kind=99)], {"settings.attributes[0].type": "REQUIRED"}),
        ([attribute(unit="cm")], {"settings.attributes[0].unit": "INVALID"}),
        ([attribute(kind=NUMBER, unit="zoll")], {"settings.attributes[0].unit": "UNKNOWN_UNIT"}),
        ([attribute(uses=[])], {"settings.attributes[0].uses": "REQUIRED"}),
        ([attribute(uses=[0])], {"settings.attributes[0].uses": "OUT_OF_RANGE"}),
        ([attribute(uses=[FACETABLE, 77])], {"settings.attributes[0].uses": "OUT_OF_RANGE"}),
        ([attribute(kind=BOOLEAN, uses=[SEARCHABLE])], {"settings.attributes[0].uses": "INVALID"}),
        ([attribute(str(n)) for n in range(201)], {"settings.attributes": "TOO_MANY"}),
    ],
)
async def test_a_broken_rule_is_named(store, declared, expected):
    with pytest.raises(InvalidArgument) as caught:
        await store.declare(*declared)
    assert {v.field: v.reason for v in caught.value.violations} == expected
    assert await numbers(store) == []
