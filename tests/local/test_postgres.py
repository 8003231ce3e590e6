import asyncio
import itertools
import os
import signal

import asyncpg
import pytest

from local.databases import database_url, ensure_owner
from local.postgres import PostgresServer, servers_of
from local.processes import AlreadyRunningError


async def test_a_test_database_is_empty_and_its_own(databases):
    first, second = await databases.empty(), await databases.empty()
    connection = await asyncpg.connect(first)
    await connection.execute("CREATE TABLE product (id text)")
    await connection.close()
    connection = await asyncpg.connect(second)
    assert await connection.fetchval("SELECT to_regclass('product')") is None
    await connection.close()


async def test_a_migrated_database_is_migrated_once_and_copied(databases):
    ran = []

    async def migrate(url):
        ran.append(url)
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE product (id text)")
        await connection.close()

    urls = [await databases.migrated("sample", migrate) for _ in range(2)]
    assert len(ran) == 1
    for url in urls:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT count(*) FROM product") == 0
        await connection.execute("INSERT INTO product VALUES ('a')")
        await connection.close()


async def test_an_owner_gets_into_its_own_database_and_no_other(postgres_server):
    admin = postgres_server.url()
    catalogue = await ensure_owner(admin, "owner_catalogue", "secret '1'")
    feedback = await ensure_owner(admin, "owner_feedback", "secret 2")
    assert await ensure_owner(admin, "owner_catalogue", "secret '1'") == catalogue
    connection = await asyncpg.connect(catalogue)
    await connection.execute("CREATE TABLE product (id text)")
    await connection.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(database_url(catalogue, "owner_feedback"))
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(feedback.replace("secret%202", "secret"))


async def test_committed_rows_survive_kill_9_and_a_restart_on_the_same_port(stack_directory):
    server = PostgresServer(stack_directory / "postgres")
    async with server:
        connection = await asyncpg.connect(server.url())
        await connection.execute("CREATE TABLE product (id int)")
        acknowledged, started = [], asyncio.Event()

        async def write():
            for number in itertools.count():
                await connection.execute("INSERT INTO product VALUES ($1)", number)
                acknowledged.append(number)
                if number == 50:
                    started.set()

        writer = asyncio.create_task(write())
        await started.wait()
        port = server.port
        os.kill(server.child.pid, signal.SIGKILL)
        with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InternalClientError)):
            await writer
        await server.stop()
        await server.start()
        assert server.port == port
        connection = await asyncpg.connect(server.url())
        stored = {row["id"] for row in await connection.fetch("SELECT id FROM product")}
        await connection.close()
        assert set(acknowledged) <= stored
    assert servers_of(stack_directory / "postgres" / "data") == []


async def test_a_second_server_on_a_directory_in_use_is_refused(stack_directory):
    async with PostgresServer(stack_directory, durable=False) as server:
        with pytest.raises(AlreadyRunningError, match=str(stack_directory)):
            await PostgresServer(stack_directory).start()
        connection = await asyncpg.connect(server.url())
        await connection.close()


async def test_the_password_is_readable_by_its_owner_only(stack_directory):
    async with PostgresServer(stack_directory, durable=False):
        assert (stack_directory / "password").stat().st_mode & 0o777 == 0o600
        assert not (stack_directory / "data.password").exists()
