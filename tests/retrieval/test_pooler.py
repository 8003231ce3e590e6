"""Behind pgbouncer in transaction mode: a prepared statement may meet another connection than its own."""

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from local.processes import free_port
from services.common.postgres import DatabaseSettings, open_database
from tests.fakes import FakeEncoder
from zhiyin.common.v1 import product_pb2, write_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@asynccontextmanager
async def pgbouncer(database_url, directory):
    """URL of the same database through two server connections that all clients share, transaction by transaction."""
    behind, port = urlsplit(database_url), free_port()
    name = behind.path.lstrip("/")
    (directory / "users").write_text(f'"{behind.username}" "{behind.password}"\n')
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        f"""[databases]
{name} = host={behind.hostname} port={behind.port} dbname={name} user={behind.username} password={behind.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {directory}/users
pool_mode = transaction
default_pool_size = 2
ignore_startup_parameters = extra_float_digits
{"user = nobody" if os.geteuid() == 0 else ""}
"""
    )
    process = await asyncio.create_subprocess_exec(PGBOUNCER, "-q", str(configuration))
    try:
        url = f"postgresql://{behind.username}:{behind.password}@127.0.0.1:{port}/{name}"
        async with asyncio.timeout(10):
            await _answering(url)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def _answering(url):
    while True:
        try:
            connection = await asyncpg.connect(url, statement_cache_size=0)
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.05)
        else:
            await connection.close()
            return


@pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed here (Debian: apt-get install pgbouncer)")
async def test_the_catalogue_works_behind_transaction_pooling(
    catalogue_url, stack_directory, qdrant_url, catalog, serve, serve_encoder
):
    async with (
        pgbouncer(catalogue_url, stack_directory) as url,
        serve_encoder(FakeEncoder()) as encoder,
        serve(url, qdrant_url, encoder, database_statement_cache=0) as stub,
    ):

        async def write(number):
            product = product_pb2.Product(id=f"p{number}", title=f"Product {number} tea")
            request = pb.UpsertProductsRequest(
                catalog=catalog, products=[product], wait_until=write_pb2.WAIT_UNTIL_SEARCHABLE
            )
            await stub.UpsertProducts(request, timeout=30)

        await asyncio.gather(*(write(number) for number in range(20)))
        listed = await stub.ListProducts(pb.ListProductsRequest(catalog=catalog), timeout=10)
        found = await stub.SearchCandidates(pb.SearchCandidatesRequest(catalog=catalog, query="tea"), timeout=10)
    assert {product.id for product in listed.products} == {f"p{number}" for number in range(20)}
    assert len(found.found) == 20


@pytest.mark.parametrize(("kept", "prepared"), [(0, 0), (100, 1)])
async def test_the_setting_for_a_pooler_leaves_no_prepared_statement(database_url, kept, prepared):
    settings = DatabaseSettings(database_url=database_url, database_pool_size=1, database_statement_cache=kept)
    async with open_database(settings) as database:
        for _ in range(3):
            async with database.connection() as connection:
                await connection.fetchval("SELECT $1::int", 1)
        async with database.connection() as connection:
            # A simple query is not prepared itself.
            names = await connection.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE '%::int'")
    assert names == f"SELECT {prepared}"
