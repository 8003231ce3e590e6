"""Migrations that meet: two processes at once, one that is killed, one that fails; directly and through a pooler."""

import asyncio
import contextlib
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from services.common.migrations import MigrationSettings, migrate
from tests.common.pooler import pgbouncer, with_pgbouncer
from tests.migrations.released import migrations

PROGRAM = """
import sys
from pathlib import Path
from services.common.migrations import MigrationSettings, migrate
migrate(Path(sys.argv[1]), MigrationSettings())
"""
FIRST = """
from alembic import op
revision, down_revision = "0001", None

def upgrade():
    op.execute("CREATE TABLE applied (revision text NOT NULL)")
    op.execute("INSERT INTO applied VALUES ('0001')")
"""
SECOND = """
import time
from pathlib import Path
from alembic import op
revision, down_revision = "0002", "0001"

def upgrade():
    Path({reached!r}).touch()
    while not Path({gate!r}).exists():
        time.sleep(0.02)
    op.execute("INSERT INTO applied VALUES ('0002')")
"""
FAILING = """
from alembic import op
revision, down_revision = "0002", "0001"

def upgrade():
    op.execute("INSERT INTO nowhere VALUES (1)")
"""
CONCURRENT = """
from alembic import op
revision, down_revision = "0002", "0001"

def upgrade():
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS applied_revision ON applied (revision)")
    op.execute("INSERT INTO applied VALUES ('0002')")
"""
LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted = $1 AND database = ("
LOCKS += "SELECT oid FROM pg_database WHERE datname = current_database())"


@pytest.fixture(params=["directly", pytest.param("through pgbouncer", marks=with_pgbouncer)])
async def url(request, database_url, stack_directory):
    if request.param == "directly":
        yield database_url
        return
    async with pgbouncer(database_url, stack_directory) as pooled:
        yield pooled


@pytest.fixture
def scripts(tmp_path):
    """A folder of two migrations; the second goes on when there is a file `gate`."""
    directory = tmp_path / "migrations"
    (directory / "versions").mkdir(parents=True)
    (directory / "env.py").write_text("from services.common.alembic_env import run_migrations\n\nrun_migrations()\n")
    (directory / "versions/0001_first.py").write_text(FIRST)
    second = SECOND.format(reached=str(directory / "reached"), gate=str(directory / "gate"))
    (directory / "versions/0002_second.py").write_text(second)
    return directory


@asynccontextmanager
async def migrating(scripts: Path, url: str):
    """A process that migrates; ended when the context is left."""
    environment = os.environ | {"ZHIYIN_DATABASE_URL": url}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, str(scripts), env=environment)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def until(condition, process):
    """Waits until `await condition()` holds; a process that ended instead is a failure."""
    while not await condition():
        assert process.returncode is None, "the migration ended before"
        await asyncio.sleep(0.02)


async def at_the_gate(scripts, process):
    async def reached():
        return (scripts / "reached").exists()

    await until(reached, process)


@asynccontextmanager
async def watching(database_url):
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


async def applied(connection):
    return [row["revision"] for row in await connection.fetch("SELECT revision FROM applied")]


async def test_of_two_processes_that_migrate_at_once_the_second_waits_and_finds_all_done(url, database_url, scripts):
    async with migrating(scripts, url) as first, watching(database_url) as observer:
        await at_the_gate(scripts, first)
        async with migrating(scripts, url) as second:

            async def waits():
                return await observer.fetchval(LOCKS, False) == 1

            await until(waits, second)
            (scripts / "gate").touch()
            assert [await first.wait(), await second.wait()] == [0, 0]
        assert await applied(observer) == ["0001", "0002"]
        assert await observer.fetchval(LOCKS, True) == 0


async def test_a_migration_that_was_killed_leaves_neither_a_lock_nor_half_of_its_work(url, database_url, scripts):
    async with watching(database_url) as observer:
        async with migrating(scripts, url) as killed:
            await at_the_gate(scripts, killed)
        while await observer.fetchval(LOCKS, True):
            await asyncio.sleep(0.02)
        assert await observer.fetchval("SELECT to_regclass('applied')") is None
        (scripts / "gate").touch()
        async with migrating(scripts, url) as after:
            assert await after.wait() == 0
        assert await applied(observer) == ["0001", "0002"]


async def test_a_migration_that_fails_takes_back_those_before_it_and_can_be_run_again(url, database_url, scripts):
    script = scripts / "versions/0002_second.py"
    mended = script.read_text()
    script.write_text(FAILING)
    async with watching(database_url) as observer:
        async with migrating(scripts, url) as failing:
            assert await failing.wait() != 0
        while await observer.fetchval(LOCKS, True):
            await asyncio.sleep(0.02)
        assert await observer.fetchval("SELECT to_regclass('applied')") is None
        script.write_text(mended)
        (scripts / "gate").touch()
        async with migrating(scripts, url) as after:
            assert await after.wait() == 0
        assert await applied(observer) == ["0001", "0002"]


async def test_an_index_is_built_concurrently_outside_of_the_transaction(url, database_url, scripts):
    (scripts / "versions/0002_second.py").write_text(CONCURRENT)
    async with migrating(scripts, url) as process, watching(database_url) as observer:
        assert await process.wait() == 0
        built = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'applied_revision'::regclass"
        assert await observer.fetchval(built)
        assert await applied(observer) == ["0001", "0002"]


@with_pgbouncer
@pytest.mark.parametrize("service", migrations())
async def test_a_service_is_migrated_through_a_pooler_and_leaves_no_prepared_statement_in_it(
    service, database_url, stack_directory
):
    async with pgbouncer(database_url, stack_directory) as pooled:
        settings = MigrationSettings(database_url=pooled)
        for _ in range(2):
            await asyncio.to_thread(migrate, migrations()[service], settings)
        connection = await asyncpg.connect(pooled, statement_cache_size=0)
        try:
            # A simple query is not prepared itself.
            assert await connection.execute("SELECT name FROM pg_prepared_statements") == "SELECT 0"
        finally:
            await connection.close()
