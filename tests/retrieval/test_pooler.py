"""Behind pgbouncer in transaction mode: a prepared statement may meet another connection than its own."""

import asyncio

import pytest

from services.common.postgres import DatabaseSettings, open_database
from tests.common.pooler import pgbouncer, with_pgbouncer
from tests.fakes import FakeEncoder
from tests.retrieval.conftest import migrated
from zhiyin.common.v1 import product_pb2, write_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb


@with_pgbouncer
async def test_the_catalogue_is_migrated_and_works_behind_transaction_pooling(
    database_url, stack_directory, qdrant_url, catalog, serve, serve_encoder
):
    async with pgbouncer(database_url, stack_directory) as url, serve_encoder(FakeEncoder()) as encoder:
        await migrated(url)
        async with serve(url, qdrant_url, encoder, database_statement_cache=0) as stub:

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
