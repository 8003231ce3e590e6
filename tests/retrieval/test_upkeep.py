"""The indexer's check, on a real Postgres and collections in memory."""

import pytest

from services.retrieval.adapters.builds import PostgresBuilds, PostgresClearance
from services.retrieval.index_version import VersionState
from services.retrieval.upkeep import IndexUpkeep
from tests.retrieval.adapters.test_outbox import RULES, add_products, add_version, queues

__all__ = ["queues"]


class MemoryCollections:
    """Numbers of the collections that there are, and of the one that the alias points to."""

    def __init__(self):
        self.there = set()
        self.alias = None

    async def is_whole(self, version):
        return version.number in self.there

    async def create(self, version):
        self.there.add(version.number)

    async def aliased(self, catalog):
        return self.alias

    async def point_alias(self, version):
        self.alias = version.number


@pytest.fixture
def collections():
    return MemoryCollections()


@pytest.fixture
def upkeep(queues, collections):
    builds, clearance = PostgresBuilds(queues.database, portion=7), PostgresClearance(queues.database)
    return IndexUpkeep(queues.versions, builds, clearance, collections, None, RULES, 0.0)


@pytest.mark.parametrize("built_to", [None, "", "p003"], ids=["complete", "new settings", "halfway to new settings"])
async def test_a_lost_version_that_could_be_gone_back_to_cannot_be_until_it_is_complete(
    queues, upkeep, collections, built_to
):
    await add_products(queues, 5)
    await add_version(queues, 1, VersionState.ACTIVE)
    await add_version(queues, 2, VersionState.READY)
    async with queues.database.connection() as connection:
        await connection.execute("UPDATE index_versions SET built_to = $1 WHERE number = 2", built_to)
    collections.there, collections.alias = {1}, 1
    await upkeep.check()
    found = await queues.versions.find("c", 2)
    assert (found.state, found.built_to) == (VersionState.BUILDING, "")
    assert collections.there == {1, 2}


async def test_a_lost_active_version_stays_active_and_is_found_at_once(queues, upkeep, collections):
    await add_products(queues, 5)
    await add_version(queues, 1, VersionState.ACTIVE)
    await upkeep.check()
    found = await queues.versions.find("c", 1)
    assert (found.state, found.built_to) == (VersionState.ACTIVE, "")
    assert (collections.there, collections.alias) == ({1}, 1)
