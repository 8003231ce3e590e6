import asyncio

import asyncpg
import pytest

from services.common.deadlines import deadline_after
from services.common.errors import DeadlineExceeded, Unavailable
from services.common.postgres import DatabaseSettings, open_database


async def test_a_caller_of_an_exhausted_pool_is_told_so_instead_of_waiting_for_ever(database_url):
    settings = DatabaseSettings(database_url=database_url, database_pool_size=1, database_acquire_seconds=0.1)
    async with open_database(settings) as database, database.connection():
        with pytest.raises(Unavailable) as caught:
            async with database.connection():
                pass
    assert caught.value.reason == "DATABASE_UNAVAILABLE"
    assert caught.value.retry_after == 1.0


async def test_the_callers_deadline_bounds_the_wait_for_a_connection(database_url):
    settings = DatabaseSettings(database_url=database_url, database_pool_size=1, database_acquire_seconds=60)
    async with open_database(settings) as database, database.connection():
        with deadline_after(0.1), pytest.raises((Unavailable, DeadlineExceeded)):
            async with asyncio.timeout(5), database.connection():
                pass


async def test_a_caller_too_hasty_for_a_new_connection_leaves_it_to_the_next_one(database_url):
    async with open_database(DatabaseSettings(database_url=database_url)) as database:
        async with asyncio.timeout(10):
            while True:
                try:
                    with deadline_after(0.002):
                        async with database.connection():
                            return
                except (Unavailable, DeadlineExceeded):
                    await asyncio.sleep(0.05)


async def test_a_database_that_is_away_does_not_hinder_the_start_and_is_found_when_it_is_back():
    settings = DatabaseSettings(database_url="postgresql://nobody:x@127.0.0.1:1/none")
    async with open_database(settings) as database:
        with pytest.raises(Unavailable):
            async with database.connection():
                pass


async def test_a_statement_that_takes_too_long_is_unavailable_and_the_pool_lives_on(database_url):
    settings = DatabaseSettings(database_url=database_url, database_statement_seconds=0.2)
    async with open_database(settings) as database:
        with pytest.raises(Unavailable):
            async with database.connection() as connection:
                await connection.execute("SELECT pg_sleep(30)")
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("pause", [0.0, 0.2], ids=["in a statement", "between two"])
async def test_a_connection_killed_by_the_server_is_unavailable_and_replaced(database_url, pause):
    async with open_database(DatabaseSettings(database_url=database_url, database_pool_size=1)) as database:
        async with database.connection() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
        admin = await asyncpg.connect(database_url)
        with pytest.raises(Unavailable):
            async with database.connection() as connection:
                await admin.execute("SELECT pg_terminate_backend($1)", pid)
                await asyncio.sleep(pause)
                await connection.execute("SELECT pg_sleep(5)")
        await admin.close()
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_a_transaction_that_fails_leaves_nothing(database_url):
    async with open_database(DatabaseSettings(database_url=database_url)) as database:
        async with database.connection() as connection:
            await connection.execute("CREATE TABLE kept (n int)")
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO kept VALUES (1)")
                raise ZeroDivisionError
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM kept") == 0


async def test_a_mistake_in_sql_is_not_taken_for_a_database_that_is_away(database_url):
    async with open_database(DatabaseSettings(database_url=database_url)) as database:
        with pytest.raises(asyncpg.UndefinedTableError):
            async with database.connection() as connection:
                await connection.execute("SELECT * FROM nowhere")


async def test_a_database_that_stops_answering_in_a_transaction_is_unavailable_before_the_deadline(database_url):
    settings = DatabaseSettings(database_url=database_url, database_statement_seconds=60)
    async with open_database(settings) as database:
        with deadline_after(0.5), pytest.raises(Unavailable):
            async with asyncio.timeout(0.5), database.transaction() as connection:
                await connection.execute("SELECT pg_sleep(60)")
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1
