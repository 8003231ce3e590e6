"""Real servers for the tests: one Postgres and one Qdrant engine per session, a fresh database per test.

`postgres_server`     the server, `local.postgres.PostgresServer`
`database_url`        URL of an empty database, new for this test
`databases`           factory: `await databases.empty()`, `await databases.migrated("catalogue", migrate)`
`qdrant_url`          host:port of the engine's gRPC API
`collection_name`     a name that no other test uses
`stack_directory`     an empty directory that another user can get to, for data of the one-machine stack
"""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from local.databases import create_database
from local.postgres import PostgresServer


class TestDatabases:
    """Databases of one test session. A migrated one is made once per name and then copied."""

    __test__ = False

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._templates: dict[str, str] = {}

    async def empty(self) -> str:
        """URL of a new, empty database."""
        return await create_database(self._server.url(), f"test_{uuid.uuid4().hex}")

    async def migrated(self, name: str, migrate: Callable[[str], Awaitable[object]]) -> str:
        """URL of a new database on which `migrate(url)` has run; it runs once per `name` and session."""
        if name not in self._templates:
            template = f"template_{name}"
            await migrate(await create_database(self._server.url(), template))
            self._templates[name] = template
        return await create_database(self._server.url(), f"test_{uuid.uuid4().hex}", template=self._templates[name])


@pytest.fixture(scope="session")
def session_directory() -> Iterator[Path]:
    # Not pytest's own: Postgres runs as another user where the tests run as root.
    directory = Path(tempfile.mkdtemp(prefix="zhiyin-tests-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def stack_directory(session_directory: Path) -> Path:
    directory = session_directory / uuid.uuid4().hex
    directory.mkdir()
    return directory


@pytest.fixture(scope="session")
def postgres_server(session_directory: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(session_directory / "postgres", durable=False)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@pytest.fixture(scope="session")
def databases(postgres_server: PostgresServer) -> TestDatabases:
    return TestDatabases(postgres_server)


@pytest.fixture
async def database_url(databases: TestDatabases) -> str:
    return await databases.empty()


@pytest.fixture(scope="session")
def qdrant_url(session_directory: Path) -> Iterator[str]:
    named = os.environ.get("ZHIYIN_CONFORMANCE_QDRANT_URL")
    if named:
        yield named
        return
    from local.qdrant import QdrantServer

    server = QdrantServer(session_directory / "qdrant")
    asyncio.run(server.start())
    yield server.address
    asyncio.run(server.stop())


@pytest.fixture
def collection_name() -> str:
    return f"test-{uuid.uuid4().hex}"
